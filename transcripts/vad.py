"""Silero voice activity detection, streaming: one probability per 32 ms. The network comes with faster-whisper."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from transcripts.recognizer import SAMPLES_PER_MS, Samples

FRAME_SAMPLES = 512
FRAME_MS = FRAME_SAMPLES // SAMPLES_PER_MS
CONTEXT_SAMPLES = 64  # of the frame before, fed again in front of each frame
STATE_SHAPE = (1, 1, 128)
NETWORK = "silero_vad_v6.onnx"
# After long quiet the network's memory makes it late: 0.4 s for one onset in ten, 0.7 s at worst, and the first syllable is
# lost. Without memory while it is quiet, every onset of the test speech is found within 0.2 s, with and without noise.
QUIET = 0.1
QUIET_FRAMES = 8  # a pause inside speech keeps the memory


class VadMissing(Exception):
    """The network file is not where faster-whisper keeps it (code "vad_missing")."""

    code = "vad_missing"


class VoiceNetwork:
    """The network, loaded once and shared by all tracks of the process."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self.session = onnxruntime.InferenceSession(
            str(_network_path()), providers=["CPUExecutionProvider"], sess_options=options
        )


class VoiceDetector:
    """One track's ear: keeps the network's memory between frames."""

    def __init__(self, network: VoiceNetwork) -> None:
        self._session = network.session
        self._quiet_frames = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: after a gap the sound before says nothing."""
        self._h: NDArray[np.float32] = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._c: NDArray[np.float32] = np.zeros(STATE_SHAPE, dtype=np.float32)
        self._input: NDArray[np.float32] = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)

    def probability(self, frame: Samples) -> float:
        """Probability 0..1 that a frame of FRAME_SAMPLES holds speech."""
        self._input[0, :CONTEXT_SAMPLES] = self._input[0, -CONTEXT_SAMPLES:]
        self._input[0, CONTEXT_SAMPLES:] = frame
        output, self._h, self._c = self._session.run(None, {"input": self._input, "h": self._h, "c": self._c})
        probability = float(output.reshape(-1)[0])
        self._quiet_frames = self._quiet_frames + 1 if probability < QUIET else 0
        if self._quiet_frames >= QUIET_FRAMES:
            self.reset()
        return probability


def _network_path() -> Path:
    spec = find_spec("faster_whisper")  # located, not imported: the ear needs no engine
    path = Path(spec.origin).parent / "assets" / NETWORK if spec is not None and spec.origin is not None else Path(NETWORK)
    if not path.is_file():
        raise VadMissing(f"{NETWORK} is not part of the installed faster-whisper")
    return path
