"""Settings: each documented, a wrong or unknown one refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from court.cli import main
from court.roles.media import network_of
from court.settings import Settings, SettingsError, child_environment, environment_name, load_settings, settings_table

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(environment_name(name), raising=False)


def test_every_setting_is_documented_as_it_is() -> None:
    page = OPERATIONS.read_text(encoding="utf-8")
    written = re.search(r"<!-- settings.*?-->\n(.*?)\n<!-- end of settings -->", page, re.DOTALL)
    assert written is not None
    assert written[1] == settings_table(), "run: court settings --markdown, and put the table into docs/operations.md"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COURT_PORT", "eighty"), ("COURT_PORT", "0"), ("COURT_PORT", "70000"), ("COURT_TZ", "Asia/Atlantis"), ("COURT_ROOM_LIMIT", "1"),
        ("COURT_DEMO", "perhaps"), ("COURT_LOG_LEVEL", "loud"), ("COURT_ICE_SERVERS", "{"), ("COURT_ICE_SERVERS", '[{"url": "x"}]'),
        ("COURT_BASE_URL", "court.cn"), ("COURT_MEDIA_UDP_PORTS", "9000-8000"), ("COURT_TLS_CERT", "/nowhere.pem"),
        ("COURT_SPEECH_MODEL_DIR", "/nowhere"), ("COURT_TURN_URLS", "https://turn.court.cn"), ("COURT_TURN_TTL_HOURS", "0"),
        ("COURT_SPEECH_LIVE", "whisper:x?device=tpu"), ("COURT_SPEECH_FINAL", "https://key@asr.court.cn/v1"),
        ("COURT_SPEECH_SECOND", "sensevoice:"), ("COURT_SPEECH_KEY_FILE", "/nowhere"),
        ("COURT_TURN_URLS", "turn:turn.court.cn:3478"), ("COURT_TURN_SECRET", "alone"), ("COURT_RELAY_ONLY", "true"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as refusal:
        load_settings()
    assert "\n" not in str(refusal.value)


def test_an_unknown_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_PROT", "8080")
    with pytest.raises(SettingsError, match="COURT_PROT"):
        load_settings()


def test_an_unknown_setting_in_the_env_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COURT_PROT=1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="COURT_PROT"):
        load_settings()


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("COURT_PORT=9001\nCOURT_ROOM_LIMIT=20\nOTHER=1\n", encoding="utf-8")
    monkeypatch.setenv("COURT_PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.room_limit) == (9002, 20)


def test_keys_may_not_lie_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_KEYS", str(tmp_path / "data" / "keys"))
    with pytest.raises(SettingsError, match="COURT_KEYS"):
        load_settings()


def test_keys_lie_beside_the_data_folder_by_default(tmp_path: Path) -> None:
    assert load_settings().keys_dir == tmp_path / "data-keys"


def test_children_get_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_ICE_SERVERS", '[{"urls": ["turns:turn.court.cn:443"], "username": "u", "credential": "c"}]')
    monkeypatch.setenv("COURT_MEDIA_ADDRESSES", "192.0.2.1, 192.0.2.2")
    monkeypatch.setenv("COURT_CAPTIONS", "false")
    settings = load_settings()
    for name, value in child_environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    assert load_settings() == settings


def test_addresses_for_people_and_for_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.local_url, settings.public_url) == ("http://127.0.0.1:8080", "http://localhost:8080")
    monkeypatch.setenv("COURT_HOST", "0.0.0.0")
    monkeypatch.setenv("COURT_BASE_URL", "https://court.example/")
    settings = load_settings()
    assert (settings.local_url, settings.public_url) == ("http://127.0.0.1:8080", "https://court.example")


def test_the_relays_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COURT_TURN_URLS", "turn:turn.court.cn:3478, turns:turn.court.cn:443?transport=tcp")
    monkeypatch.setenv("COURT_TURN_SECRET", "north-wind")
    assert main(["settings"]) == 0
    assert "north-wind" not in capsys.readouterr().out
    assert "north-wind" not in repr(load_settings())
    monkeypatch.delenv("COURT_TURN_URLS")
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert "north-wind" not in str(refusal.value)


def test_one_public_address_of_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_MEDIA_PUBLIC_ADDRESS", "2001:db8::5, 203.0.113.5")
    network = network_of(load_settings())
    assert (network.public_address, network.public_address_v6) == ("203.0.113.5", "2001:db8::5")
    for wrong in ("203.0.113.5,203.0.113.6", "media.court.cn", "0.0.0.0"):
        monkeypatch.setenv("COURT_MEDIA_PUBLIC_ADDRESS", wrong)
        with pytest.raises(SettingsError, match="COURT_MEDIA_PUBLIC_ADDRESS"):
            load_settings()


def test_a_key_in_the_wrong_place_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_SPEECH_LIVE", "https://u:north-wind@asr.court.cn/v1")
    with pytest.raises(SettingsError, match="COURT_SPEECH_LIVE") as refusal:
        load_settings()
    assert "north-wind" not in str(refusal.value)


def test_the_key_of_a_speech_endpoint_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURT_SPEECH_KEY", "north-wind")
    assert main(["settings"]) == 0
    assert "north-wind" not in capsys.readouterr().out
    assert "north-wind" not in repr(load_settings())
