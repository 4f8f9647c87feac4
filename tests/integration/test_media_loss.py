"""Ten percent of random loss both ways: what is missing in the record, and at a listener, with and without repairs."""

import asyncio
from pathlib import Path

from court.rehearsal.loss import lose
from hearing.audience import Kind
from media.aiortc_bridge import now_ms
from media.spool import Spool
from tests.integration.media_nack import ask_again
from tests.integration.media_rig import CLOCK, SITTING, Rig, all_to_all, opus_tone, rig, table

SECONDS = 12
LOSS = 0.10
BOTH = ["speaker", "listener"]


async def speak_on_a_bad_network(one: Rig, repair: bool) -> tuple[float, float]:
    """(share of the record that is silence for lost sound, share of packets that never reached the listener)"""
    await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
    speaker, listener = await one.join("speaker"), await one.join("listener")
    for client in (speaker, listener):
        for endpoint in (client.up, client.down):
            lose(endpoint, LOSS, f"{client.name}-{endpoint is client.up}")
    if repair:
        ask_again(listener)
    else:
        speaker.up.on_rtcp = lambda _: None
    opened = CLOCK.now()
    await one.control.apply_grants(table(2, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
    await speaker.talk(opus_tone(SECONDS))
    spoken_ms = now_ms()
    await asyncio.sleep(1.5)
    heard = listener.count("speaker-audio")
    after_ms = now_ms() - spoken_ms  # nothing was sent any more, and that is silence too
    await one.control.close_sitting(SITTING)
    segments = [segment for segment, _ in Spool(one.spool).closed() if segment.track_id == "speaker-audio"]
    filled_ms = max(0.0, sum(segment.filled_ms for segment in segments) - after_ms)
    print(f"repair={repair} filled={filled_ms:.0f} ms of {SECONDS} s, heard {heard} of {speaker.sent[Kind.AUDIO]}")
    return filled_ms / (SECONDS * 1000), 1 - heard / speaker.sent[Kind.AUDIO]


async def test_repairs_leave_hardly_a_hole(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        missing, unheard = await speak_on_a_bad_network(one, repair=True)
        assert missing < 0.02  # the first packets, while the track begins, cannot be asked for
        assert unheard < 0.03


async def test_without_repairs_the_loss_stays(tmp_path: Path) -> None:
    """The losses are real: what repairs are compared with."""
    async with rig(tmp_path) as one:
        missing, unheard = await speak_on_a_bad_network(one, repair=False)
        assert missing > 0.05
        assert unheard > 0.10
