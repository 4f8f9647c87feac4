"""`court doctor`: are the speech engines usable? Each is tried as at the start of its role, and said in one line."""

from __future__ import annotations

import json

from court.log import configure_logging
from court.roles.transcripts import speech_settings
from court.settings import Settings
from transcripts.engines import USES, check
from transcripts.model import Engine

HASH_DIGITS = 8


def doctor(settings: Settings) -> int:
    """Prints a line for each engine; 0 when all can be used, else 1."""
    configure_logging(settings.log_level, settings.log_format, "doctor")
    if not settings.captions:
        print("实时字幕已关闭（COURT_CAPTIONS=false）")
    healthy = True
    for use, found in check(speech_settings(settings, "")):
        if isinstance(found, Engine):
            print(f"{USES[use]}：可用　{_described(found)}")
        else:
            healthy = False
            print(f"{USES[use]}：不可用　[{found.code}] {found.message}")
    return 0 if healthy else 1


def _described(engine: Engine) -> str:
    parameters = json.loads(engine.parameters)
    where = parameters.get("host") or " ".join(str(parameters[name]) for name in ("device", "compute") if name in parameters)
    digest = engine.model_sha256[:HASH_DIGITS] or "模型校验值未知"
    return f"{engine.name} {engine.model} {digest}（{where}）"
