"""Building the compiled loop: with a compiler, without one, with a broken source."""

import os
import shutil
from pathlib import Path

import pytest

from media import fanout_build

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "fanout.c"
    shutil.copy(fanout_build.SOURCE, copy)
    monkeypatch.setattr(fanout_build, "SOURCE", copy)
    return copy


def test_the_library_belongs_to_exactly_this_source(source: Path) -> None:
    before = fanout_build.library()
    source.write_text(source.read_text() + "\n/* another word */\n")
    assert fanout_build.library() != before


@pytest.mark.skipif(COMPILER is None and os.environ.get("CI") != "true", reason="no C compiler here")
def test_a_new_build_takes_the_place_of_older_ones(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fanout_build.main()
    first = fanout_build.library()
    assert first.exists()
    source.write_text(source.read_text() + "\n/* another word */\n")
    fanout_build.main()
    assert [path.name for path in source.parent.glob("_fanout.*")] == [fanout_build.library().name]
    assert not first.exists()
    assert capsys.readouterr().err == ""


def test_without_a_compiler_one_line_says_so(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fanout_build.shutil, "which", lambda _: None)
    fanout_build.main()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "没有 C 编译器" in said
    assert not fanout_build.library().exists()


@pytest.mark.skipif(COMPILER is None and os.environ.get("CI") != "true", reason="no C compiler here")
def test_a_failed_build_is_one_line_and_leaves_nothing(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("int broken(void) { return }\n")
    fanout_build.main()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Python" in said
    assert [path.name for path in source.parent.iterdir()] == ["fanout.c"]
