"""A machine of its own with two ways to the court (Wi-Fi and cable, say), one of which can be cut. Needs root and `ip`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

COURT = "10.98.0.1"
"""The court's address, reached over either way."""


def permitted() -> None:
    """Skip where no network namespace can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2 to make a network namespace")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class TwoPaths:
    namespace: str

    def cut_first(self) -> None:
        """The way in use goes: its interface, its address and its route."""
        ip("-n", self.namespace, "addr", "flush", "dev", "first")
        ip("-n", self.namespace, "link", "set", "first", "down")

    def program(self, folder: Path, real: str, *flags: str) -> str:
        """A program that starts `real` on this machine, with `flags` before its own."""
        script = folder / f"{self.namespace}.sh"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} {shlex.join([real, *flags])} "$@"\n')
        script.chmod(0o755)
        return str(script)


@contextmanager
def two_paths() -> Iterator[TwoPaths]:
    permitted()
    name = f"court{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        ip("addr", "replace", f"{COURT}/32", "dev", "lo")  # one that was killed may have left it
        for number, way in enumerate(("first", "second"), 1):
            here = f"c{os.getpid()}{way[0]}"
            ip("link", "add", here, "type", "veth", "peer", "name", way, "netns", name)
            ip("addr", "add", f"10.98.{number}.1/24", "dev", here)
            ip("link", "set", here, "up")
            ip("-n", name, "addr", "add", f"10.98.{number}.2/24", "dev", way)
            ip("-n", name, "link", "set", way, "up")
            ip("-n", name, "route", "add", COURT, "via", f"10.98.{number}.1", "metric", str(number * 10))
            ip("-n", name, "route", "add", "default", "via", f"10.98.{number}.1", "metric", str(number * 10))
        yield TwoPaths(name)
    finally:
        for undo in (("netns", "del", name), ("addr", "del", f"{COURT}/32", "dev", "lo")):
            with suppress(subprocess.CalledProcessError):
                ip(*undo)
