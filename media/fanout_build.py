"""Compile fanout.c for this machine: `python -m media.fanout_build`. Without a compiler the Python loop is used.

A plain C library without Python's headers: any C compiler will do, and no header package of this Python is needed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("fanout.c")
FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")


def library() -> Path:
    """Where the compiled loop of exactly this source and this kind of machine lies, built or not."""
    digest = hashlib.sha256(SOURCE.read_bytes() + platform.machine().encode()).hexdigest()[:12]
    return SOURCE.with_name(f"_fanout.{digest}.so")


def build() -> str:
    """Compile; returns "" or one line that says why there is no compiled loop."""
    if sys.platform != "linux":
        return "只支持 Linux"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "没有 C 编译器"
    target = library()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fanout-") as folder:
        made = Path(folder) / target.name
        result = subprocess.run([compiler, *FLAGS, "-o", made, SOURCE], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            return (result.stderr.strip() or "编译失败").splitlines()[0]
        os.replace(made, target)  # noqa: PTH105  whole or not at all: a running worker may hold the old one
    for old in target.parent.glob("_fanout.*.so"):
        if old != target:
            old.unlink(missing_ok=True)
    return ""


def main() -> None:
    try:
        why_not = build()
    except OSError as error:
        why_not = str(error)
    if why_not:
        sys.stderr.write(f"媒体转发使用 Python 循环（未编译 fanout.c：{why_not}）\n")


if __name__ == "__main__":
    main()
