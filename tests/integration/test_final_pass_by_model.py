"""The final pass with the bundled model over real speech, one microphone hearing another person: right words, once each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.clock import SystemClock
from tests.integration.record_case import DEFENDANT, JUDGE, PLAINTIFF, SITTING
from tests.integration.test_final_pass import JOB, lines_of, version_of
from tests.integration.voiced_case import spoken, tracks, voiced_case
from transcripts import versions
from transcripts.cer import Errors, compare
from transcripts.engines import prepare
from transcripts.final_pass import FinalSettings
from transcripts.final_worker import final_pass
from transcripts.recognizer import SAMPLES_PER_MS, Samples
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings

pytestmark = [pytest.mark.long, pytest.mark.model, pytest.mark.timeout(300)]
LATER_MS, LOWER = 40, 0.06  # what the plaintiff's microphone hears of the judge: 24 dB below


def with_bleed() -> dict[str, Samples]:
    """The judge's loudspeaker stands beside the plaintiff's microphone."""
    sound = tracks()
    judge, ear = sound[f"{JUDGE}-audio"], f"{PLAINTIFF}-audio"
    late = np.concatenate((np.zeros(LATER_MS * SAMPLES_PER_MS, dtype=np.float32), judge))[: len(judge)]
    return {**sound, ear: sound[ear] + late * LOWER}


async def test_each_word_once_on_the_track_of_who_said_it(tmp_path: Path) -> None:
    async with voiced_case(tmp_path, with_bleed()) as case:
        engines = prepare(TranscriptSettings((), "", "", tmp_path / "data"))
        job = final_pass(engines, case.database, case.objects, SystemClock(), FinalSettings())
        await job.make(JOB)
        version, heard = await version_of(case), await lines_of(case)
        assert (version.state, version.progress) == (versions.DONE, 1.0)
        assert version.engine is not None
        assert version.engine.model == "whisper-base"
        async with case.database.read() as connection:
            kept = await versions.lines_of_version(connection, version)
        errors = []
        for said in spoken():
            (line,) = [one for one in kept if one.track_id == said.track_id and abs(one.t0_ms - said.t0_ms) <= 500]
            errors.append(compare(said.text, line.text, Simplifier()))
            assert line.words
        assert sum(errors, Errors(0, 0)).rate <= 0.35  # of the smallest model over five very short lines
        assert {one.participant_id for one in kept} == {JUDGE, PLAINTIFF, DEFENDANT}
        judge = {one.id for one in kept if one.participant_id == JUDGE}
        assert version.bleed
        assert {one.kept_id for one in version.bleed} <= judge
        assert len(heard) == len(kept) + len(version.bleed)
        assert all(one.id.startswith(f"{SITTING}:{PLAINTIFF}-audio@") for one in version.bleed)
