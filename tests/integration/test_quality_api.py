"""Views, stats and the quality history on their way between page, signaling and the media worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hearing.model import ParticipantId, SittingId
from media.control import ClientStats, Quality, QualitySample
from tests.integration.signaling_bed import Bed, court_house, until

MEASURED = {
    "rtt_ms": 40.0, "jitter_ms": 3.0, "up_loss": 0.0, "down_loss": 0.01, "freezes": 1, "frames_per_s": 20.0, "concealed": 0.02,
}  # fmt: skip


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


def sample(bed: Bed, who: str, level: str) -> QualitySample:
    person = ParticipantId(bed.ids[who])
    quality = Quality(SittingId(bed.sitting_id), person, level, 0.01, 0.0, 30.0, 2.0, 500_000, 900_000, None, "l,m,h", 0)
    return QualitySample(bed.parts.clock.now(), quality)


async def test_a_page_says_what_it_shows_and_measures_for_its_own_peer_only(bed: Bed) -> None:
    await bed.in_session()
    plaintiff = await bed.joined("plaintiff")
    peer_id = (await plaintiff.send("media.connect"))["peer_id"]
    tile = {"participant_id": bed.ids["presiding"], "kind": "video", "height_px": 360}
    assert (await plaintiff.send("media.view", peer_id=peer_id, tiles=[tile]))["ok"]
    assert ("view", peer_id, {f"{bed.ids['presiding']}-video": 360}) in bed.media.calls
    assert (await plaintiff.send("media.stats", peer_id=peer_id, **MEASURED))["ok"]
    assert ("stats", peer_id, ClientStats(**MEASURED)) in bed.media.calls
    for command in ({"name": "media.view", "tiles": []}, {"name": "media.stats", **MEASURED}):
        refused = await plaintiff.send(peer_id="peer_of_another", **command)
        assert refused["error"]["field"] == "peer_id"


async def test_what_a_page_gets_is_told_to_that_page_alone(bed: Bed) -> None:
    await bed.in_session()
    plaintiff, defendant = await bed.joined("plaintiff"), await bed.joined("defendant")
    choice = {"track_id": f"{bed.ids['presiding']}-video", "layer": "paused", "reason": "bandwidth"}
    report = {
        "type": "layers.chosen", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "peer_id": "p",
        "choices": [choice],
    }  # fmt: skip
    assert (await bed.report(report))[0] == 200
    await until(lambda: plaintiff.named("media.layers"))
    layer = {"participant_id": bed.ids["presiding"], "kind": "video", "layer": "paused", "reason": "bandwidth"}
    assert plaintiff.named("media.layers") == [{"layers": [layer]}]
    assert not defendant.named("media.layers")


async def test_the_history_is_for_judge_and_clerk_and_for_nobody_else(bed: Bed) -> None:
    judge = await bed.in_session()
    bed.media.samples = [sample(bed, "plaintiff", "good"), sample(bed, "defendant", "poor"), sample(bed, "plaintiff", "fair")]
    path = f"/api/sittings/{bed.sitting_id}/quality"
    status, body = await judge.get(path)
    assert status == 200
    levels = {person["participant_id"]: [s["level"] for s in person["samples"]] for person in body["people"]}
    assert levels == {bed.ids["plaintiff"]: ["good", "fair"], bed.ids["defendant"]: ["poor"]}
    assert (await (await bed.person("clerk")).get(path))[0] == 200
    for key in ("plaintiff", "witness", "judge"):
        assert (await (await bed.person(key)).get(path))[0] == 403
