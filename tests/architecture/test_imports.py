"""Imports point one way, and each vendor and each pure module keeps to its corner (house rules drawn in docs/code-map.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hearing", "storage", "media", "transcripts", "evidence", "record", "signaling", "court")

PURE = {
    "hearing.states", "hearing.stages", "hearing.access", "hearing.permissions", "hearing.audience", "hearing.timeline", "hearing.model",
    "hearing.commands", "hearing.commands_draft", "hearing.events", "hearing.procedure", "hearing.ledger", "hearing.errors",
    "hearing.scene", "hearing.decisions_attendance", "hearing.decisions_course", "hearing.decisions_exhibits", "hearing.decisions_speech",
    "hearing.decisions_camera", "hearing.decisions_parts", "hearing.parts", "hearing.event_form", "hearing.decisions_screen", "hearing.decisions_record", "hearing.events_record",
    "hearing.scheduling", "hearing.documents",
    "media.control", "media.tracks", "media.sdp", "media.rtp_rewrite", "media.packet_cache", "media.rtp_time", "media.stalls", "media.keyframes",
    "media.class_changes", "media.rtcp", "media.incoming", "media.depacketizer", "media.audio_line", "media.opus", "media.webm", "media.mending", "media.speaking",
    "transcripts.model", "transcripts.windows", "transcripts.guards", "transcripts.chinese", "transcripts.cer", "transcripts.editing",
    "transcripts.documents", "transcripts.engine_address", "transcripts.health", "transcripts.differences", "transcripts.tap_message", "transcripts.numbers",
    "transcripts.bleed", "transcripts.composing", "transcripts.diff",
    "transcripts.vocabulary", "transcripts.replacing", "transcripts.marks", "transcripts.merging", "transcripts.rewording",
    "evidence.model", "evidence.integrity",
    "record.access", "record.forms", "record.manifest", "record.links", "record.model", "record.course", "record.gaps", "record.acts", "record.lines", "record.quiet", "record.verify",
    "storage.objects",
}  # fmt: skip
"""Modules without I/O: the standard library and one another, nothing else."""

STANDARD_LIBRARY_ALONE = {"record.verify"}
"""Travels inside every package and runs without us."""


def module_files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(module_files())


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {full if (full := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names}
    return names


def top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def test_layers_and_vendor_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_signaling_sees_of_media_only_its_control_port() -> None:
    seen = {
        name
        for module, path in MODULES.items()
        if top(module) == "signaling"
        for name in imported(path)
        if top(name) == "media"
    }
    assert seen <= {"media.control"}


def test_only_the_bridge_touches_aiortc() -> None:
    private = {"aiortc", "aioice", "pylibsrtp"}
    touching = {module for module, path in MODULES.items() if private & {top(name) for name in imported(path)}}
    assert touching <= {"media.aiortc_bridge", "media.aiortc_ice"}


@pytest.mark.parametrize(
    ("vendor", "doors"),
    [
        ("faster_whisper", {"transcripts.whisper", "transcripts.vad"}),
        ("opencc", {"transcripts.script"}),
        ("sherpa_onnx", {"transcripts.sherpa"}),
        ("pypinyin", {"transcripts.pinyin"}),
        ("pypdfium2", {"evidence.previews"}),
        ("puremagic", {"evidence.integrity", "evidence.previews", "evidence.content_type"}),
        ("huey", {"storage.queue", "storage.wake"}),
        ("argon2", {"signaling.auth", "signaling.passwords"}),
        ("rfc3161_client", {"record.timestamps"}),
    ],
)
def test_each_vendor_has_one_door(vendor: str, doors: set[str]) -> None:
    users = {module for module, path in MODULES.items() if vendor in {top(name) for name in imported(path)}}
    assert users <= doors, f"{vendor} is used by {sorted(users - doors)}"
    assert len(users) <= 1, f"{vendor} has several doors: {sorted(users)}"


@pytest.mark.parametrize("module", sorted(PURE & MODULES.keys()))
def test_pure_modules_know_only_the_standard_library_and_one_another(module: str) -> None:
    foreign = {name for name in imported(MODULES[module]) if name not in PURE and top(name) not in sys.stdlib_module_names}
    assert not foreign


@pytest.mark.parametrize("module", sorted(STANDARD_LIBRARY_ALONE & MODULES.keys()))
def test_the_travelling_verifier_needs_nothing_of_ours(module: str) -> None:
    assert all(top(name) in sys.stdlib_module_names for name in imported(MODULES[module]))


def test_only_the_program_reads_the_environment() -> None:
    readers = {
        module
        for module, path in MODULES.items()
        if top(module) != "court"
        and any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv", "BaseSettings"))
    }
    assert not readers
