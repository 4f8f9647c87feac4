"""A network namespace with two links to this one, as a phone has Wi-Fi and a mobile network. Needs root."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest

WIFI, MOBILE = "10.213.7", "10.213.8"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class PhoneNetwork:
    """`name` is the namespace. Here the addresses end in .1, there in .2; both links are down to begin with."""

    def __init__(self) -> None:
        self.name = f"phone{os.getpid()}"
        self._outer = {"wlan0": f"wl{os.getpid()}", "wwan0": f"ww{os.getpid()}"}

    def make(self) -> None:
        ip("netns", "add", self.name)
        for inner, subnet in (("wlan0", WIFI), ("wwan0", MOBILE)):
            outer = self._outer[inner]
            ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", self.name)
            ip("addr", "add", f"{subnet}.1/24", "dev", outer)
            ip("link", "set", outer, "up")

    def up(self, link: str) -> None:
        subnet = WIFI if link == "wlan0" else MOBILE
        ip("-n", self.name, "addr", "replace", f"{subnet}.2/24", "dev", link)
        ip("-n", self.name, "link", "set", link, "up")

    def down(self, link: str) -> None:
        ip("-n", self.name, "link", "set", link, "down")
        ip("-n", self.name, "addr", "flush", "dev", link)

    def remove(self) -> None:
        for outer in self._outer.values():
            subprocess.run(["ip", "link", "del", outer], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


@contextlib.contextmanager
def phone_network() -> Iterator[PhoneNetwork]:
    """Skips where namespaces are not permitted, unless this is the CI, which must run it."""
    network = PhoneNetwork()
    try:
        network.make()
    except (OSError, subprocess.CalledProcessError) as error:
        network.remove()
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"network namespaces are not permitted here: {error}")
    try:
        yield network
    finally:
        network.remove()
