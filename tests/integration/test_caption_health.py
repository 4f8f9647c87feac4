"""What people are told when no captions can be made: at once, in words, the bench with the cause and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.signaling_bed import INTERNAL, court_house, until

TROUBLE = {"use": "live", "code": "model_truncated", "message": "语音识别模型文件不完整；请重新复制完整的模型"}
PATH = "/internal/captions/health"


async def test_captions_that_cannot_be_made_are_said_to_all_and_why_to_the_bench(tmp_path: Path) -> None:
    async with court_house(tmp_path, captions=True) as bed:
        judge, plaintiff = await bed.in_session(), await bed.joined("plaintiff")

        async def report(state: str, *troubles: dict[str, str]) -> int:
            body: dict[str, Any] = {"state": state, "troubles": list(troubles)}
            async with judge.http.post(PATH, json=body, headers=INTERNAL) as response:
                return response.status

        def told(state: str, detail: str = "") -> bool:
            views = judge.view, plaintiff.view
            seen = [(view["captions"], view["captions_detail"]) for view in views]
            return seen == [(state, detail), (state, "")]

        assert told("starting"), "nothing has been heard of the role yet"
        assert await report("failed", TROUBLE) == 200
        await until(lambda: told("unavailable", TROUBLE["message"]))
        _, health = await judge.get("/healthz")
        assert (health["ok"], health["captions"]) == (True, {"state": "unavailable", "troubles": ["model_truncated"]})
        assert await report("away", TROUBLE) == 200
        await until(lambda: told("delayed", TROUBLE["message"]))
        assert await report("on") == 200
        await until(lambda: told("on"))


async def test_only_the_court_itself_may_report_and_only_what_is_a_report(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge = await bed.joined("presiding")
        async with judge.http.post(PATH, json={"state": "on"}, headers={"Authorization": "Bearer wrong"}) as response:
            assert response.status == 401
        for body in ({}, {"state": "well"}, {"state": "on", "troubles": [{}]}, {"state": "on", "troubles": "none"}):
            async with judge.http.post(PATH, json=body, headers=INTERNAL) as response:
                assert (response.status, (await response.json())["code"]) == (400, "bad_field")
