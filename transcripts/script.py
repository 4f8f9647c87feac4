"""Traditional to Simplified Chinese; the only module that touches OpenCC."""

from __future__ import annotations

from threading import Lock

from opencc import OpenCC


class Simplifier:
    """Turns Traditional characters into Simplified ones (t2s: characters only, wording stays the speaker's)."""

    def __init__(self) -> None:
        self._converter = OpenCC("t2s")
        self._lock = Lock()  # one converter serves all recognition threads

    def __call__(self, text: str) -> str:
        with self._lock:
            return str(self._converter.convert(text))
