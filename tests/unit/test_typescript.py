"""web/src/protocol.ts is what protocol.py says now."""

from __future__ import annotations

from signaling import protocol, typescript


def test_generated_file_is_fresh() -> None:
    written = typescript.TARGET.read_text(encoding="utf-8")
    assert written == typescript.generate(), "run: python -m signaling.typescript"


def test_every_command_and_event_is_typed() -> None:
    text = typescript.generate()
    for name in {**protocol.COURT_COMMANDS, **protocol.CONNECTION_COMMANDS, **protocol.EVENTS}:
        assert f'  "{name}": (' in text


def test_optional_fields_can_be_left_out_by_the_browser_only() -> None:
    text = typescript.generate()
    assert "planned_resume_at?: string | null" in text
    assert "record_ms: number | null" in text
