"""What a person sees once the court is open: where it is and, in the demo court, who may come in how."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from court.demo import DemoCourt, DemoLink
from hearing.model import Hearing
from record.acts import ROLE_NAMES

POSITION_NAMES = {"judge": "法官", "assessor": "人民陪审员", "clerk": "书记员", "technician": "技术员"}


def opened(address: str) -> str:
    return f"\n云庭已启动：{address}    （Ctrl-C 停止）\n"


def demo_table(demo: DemoCourt, hearing: Hearing, links: list[DemoLink]) -> str:
    """Sign-ins of the demo court and fresh links to its hearing."""
    accounts = [(POSITION_NAMES.get(a.position, a.position), a.name, a.login, a.password) for a in demo.accounts]
    people = [(ROLE_NAMES[link.role], link.name, link.url) for link in links]
    return "\n".join(
        [
            "演示法院的人员账号（登录页）：",
            *_columns([("职务", "姓名", "账号", "密码"), *accounts]),
            "",
            f"演示庭审：{hearing.title}　{hearing.case_number}",
            "诉讼参与人的个人链接（每个只能打开一次；再次启动会给出新的）：",
            *_columns([("身份", "姓名", "链接"), *people]),
            "",
        ]
    )


def _columns(rows: list[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
