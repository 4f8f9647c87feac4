"""The word lists that travel with the program: legal words by cause of action, and how common Chinese words are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from transcripts import pinyin
from transcripts.replacing import Replacer

COUNTED_WORDS = 60_101_967
"""Running words behind common_words.tsv: from jieba's dictionary (MIT licence), words of two or three characters that were seen
20 times or more, others 100 times."""


@cache
def legal_table() -> Mapping[str, tuple[str, ...]]:
    """Legal words by cause of action (案由); "*": those of every hearing."""
    table: dict[str, list[str]] = json.loads(_read("causes.json"))
    return {cause: tuple(words) for cause, words in table.items()}


@cache
def word_costs() -> Mapping[str, float]:
    """What each common word costs in nats: −ln of its share of running text. A word that is not there is rare."""
    rows = (line.split("\t") for line in _read("common_words.tsv").splitlines())
    return {word: math.log(COUNTED_WORDS / int(count)) for word, count in rows}


@cache
def replacer() -> Replacer:
    """The replacer over the common words, by the sounds of Mandarin: one for all, since it keeps the words of each case."""
    return Replacer(word_costs(), pinyin.readings, pinyin.word_readings, pinyin.step)


def _read(name: str) -> str:
    return (files("transcripts") / "lists" / name).read_text(encoding="utf-8")
