"""Folding: traditional, simplified and variant forms of one character made alike, code point for code point.

Search and matching run on folded text; offsets found there hold in the text as stored, because folding never
changes a length. Sources: OpenCC's t2s table character by character, and ``variants.tsv`` for what it leaves.
"""

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

_MARKS = "《》〈〉「」『』【】〖〗“”‘’\"'"


@cache
def _variants() -> dict[str, str]:
    lines = files(__package__).joinpath("variants.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] for row in pairs}


@cache
def _converter() -> Any:
    from opencc import OpenCC  # loads its dictionaries: only when something is folded

    return OpenCC("t2s")


def _one(new: str, old: str) -> str:
    """``new`` where it is one code point, else ``old``: whatever would change a length is left alone."""
    return new if len(new) == 1 else old


def _fold_once(char: str) -> str:
    char = _one(unicodedata.normalize("NFC", char), char)  # compatibility ideographs such as U+F9D1
    if "\uff01" <= char <= "\uff5e":
        char = chr(ord(char) - 0xFEE0)
    elif char == "\u3000":
        char = " "
    char = _one(char.lower(), char)
    if char < "\u2e80" or "\ud800" <= char <= "\udfff":
        return char
    char = _variants().get(char, char)
    return _one(_converter().convert(char), char)


class _Table(dict[int, str]):
    """The mapping for ``str.translate``, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        for _ in range(4):  # a variant may lead to a traditional form, and that to a simplified one
            folded = _fold_once(char)
            if folded == char:
                break
            char = folded
        self[code] = char
        return char


_table = _Table()


def fold(text: str) -> str:
    """The text with traditional, variant, full-width and capital forms made alike; the length stays."""
    return text.translate(_table)


def search_key(text: str) -> str:
    """Folded text without white space: what is compared when a search must see across line breaks."""
    return "".join(fold(text).split())


@cache
def _works() -> dict[str, str]:
    lines = files(__package__).joinpath("works.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {search_key(title): row[0] for row in rows for title in row}


def work_key(title: str) -> str:
    """The work a title names: 梦梁录 and 《夢粱錄》 give 梦粱录; an unknown title its folded self."""
    bare = search_key(title.strip().strip(_MARKS))
    return _works().get(bare, bare)
