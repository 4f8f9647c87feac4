"""How the ports of an installation are dealt out among its media workers."""

from pathlib import Path

import pytest

from court.roles.media import network_of, share
from court.roles.places import media_urls
from court.settings import Settings, SettingsError, child_environment, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COURT_MEDIA_WORKERS", "COURT_MEDIA_PORT", "COURT_MEDIA_UDP_PORTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_range_is_shared_without_a_hole_and_without_overlap(workers: int) -> None:
    parts = [share((40_000, 40_999), number, workers) for number in range(1, workers + 1)]
    ports = [port for part in parts if part for port in range(part[0], part[1] + 1)]
    assert ports == list(range(40_000, 41_000))


def test_without_a_range_every_worker_takes_free_ports() -> None:
    assert share(None, 2, 3) is None


def test_each_worker_has_its_own_control_port_and_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_MEDIA_PORT", "9100")
    monkeypatch.setenv("COURT_MEDIA_UDP_PORTS", "40000-40999")
    settings = load_settings(media_workers=2)
    assert media_urls(settings) == ("http://127.0.0.1:9100", "http://127.0.0.1:9101")
    assert network_of(settings, 2).ports == (40_500, 40_999)
    assert child_environment(settings)["COURT_MEDIA_WORKERS"] == "2", "the roles learn what the command line said"
    assert Settings().media_workers == 1


@pytest.mark.parametrize(
    ("name", "value", "workers", "problem"),
    [
        ("COURT_MEDIA_WORKERS", "0", None, "不得小于 1"),
        ("COURT_MEDIA_UDP_PORTS", "40000-40004", 3, "COURT_MEDIA_UDP_PORTS 太少"),
        ("COURT_MEDIA_PORT", "65535", 2, "COURT_MEDIA_PORT 之后的端口不够"),
    ],
)
def test_what_does_not_suffice_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, workers: int | None, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=problem):
        load_settings(**({} if workers is None else {"media_workers": workers}))
