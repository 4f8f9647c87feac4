"""What a person sees once the court is open: where it is and, in the demo court, who may come in how."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from court.demo import DemoCourt, DemoLink
from hearing.model import Hearing
from record.acts import ROLE_NAMES

POSITION_NAMES = {"judge": "法官", "assessor": "人民陪审员", "clerk": "书记员", "technician": "技术员"}


def opened(address: str) -> str:
    return f"\n云庭已启动：{address}    （Ctrl-C 停止）\n"


def same_disk(places: tuple[str, str]) -> str:
    """A warning when both copies of the record lie on one device: a dead disk would take both. Empty otherwise."""
    folders = [Path(place) for place in places if "://" not in place]
    if len(folders) < len(places) or len({_device(folder) for folder in folders}) > 1:
        return ""
    return (
        "注意：两份录像存储（COURT_STORE_A、COURT_STORE_B）在同一块磁盘上，磁盘损坏会同时失去两份。\n"
        "　　　正式开庭前请把其中一份放到另一台设备，最好在另一栋楼（docs/operations.md “Stores”）。\n"
    )


def _device(folder: Path) -> int:
    """Of the folder, or of where it will be made."""
    return next(parent.stat().st_dev for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


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
