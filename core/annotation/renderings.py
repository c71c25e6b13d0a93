"""Where a text names an entity: in Chinese by its characters, in English by its rendering or the readings of its name.

Readings are Hanyu Pinyin without tones (ISO 7098), any reading of each character. English is compared without case and
without marks over letters, and whole words only, so that Xi is not found in Xian. Spans are code points.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from core.annotation.endings import ENDINGS, ERAS, LONG_ENDINGS
from core.texts.annotation import AnnotationValue, Entity, Span, TextField
from core.texts.offsets import find_folded
from core.texts.variants import fold
from core.texts.vocabulary import PLACE_TYPES

_LETTERS = "0-9a-zß-öø-ɏ"
_JOINT = r"[\s'\-]?"
_SPACE = r"[\s\-]+"
_MARK = "\0"
_WORD = re.compile(rf"[{_LETTERS}]+")
_SAME = {"’": "'", "‘": "'", "ʼ": "'", "ʻ": "'", "‐": "-", "–": "-"}
_TYPES = {row.code: row for row in PLACE_TYPES}
# Words that translators use for a type beside those of the vocabulary.
_ALSO = {
    "hall": ("pavilion", "library"),
    "mountain": ("mount", "mt", "cliff"),
    "palace": ("hall",),
    "shop": ("tower", "pavilion", "store"),
    "street": ("avenue", "way"),
}
_ENDINGS = (*LONG_ENDINGS, *ENDINGS.items(), *((ending + "子", code) for ending, code in ENDINGS.items()))  # 亭子
_ERAS = tuple(fold(era) for era in ERAS.split())


def rendered(entity: Entity, field: TextField, text: str) -> tuple[Span, ...]:
    """Where the text of that field names the entity, from the left, not overlapping.

    In the Chinese fields it is named by its name or by ``modern``. In English it is named by ``english`` where that is
    set, else by the readings of its name, whole or without the ending that tells the type (Deshou Palace: the span
    takes the English word in). What is left of 西湖 without its ending needs such a word: Xi Lake, but not Xi.
    """
    if field == "english":
        return _in_english(entity, text)
    folded = _folded(text)
    names = dict.fromkeys(fold(name.strip()) for name in (entity.name, entity.modern))
    spans = [span for name in names for span in find_folded(name, folded)]
    return tuple(span for _, span in _apart((("", span) for span in spans), len(text)))


def rendered_all(value: AnnotationValue, field: TextField, text: str) -> tuple[tuple[str, Span], ...]:
    """Every (entity id, span) that a page highlights, ordered by start and never overlapping.

    Where two overlap the longer one stands; of two that are the same span, the entity that comes first.
    """
    if not text:
        return ()
    found = ((entity.id, span) for entity in value.entities for span in rendered(entity, field, text))
    return _apart(found, len(text))


def _apart(found: Iterable[tuple[str, Span]], length: int) -> tuple[tuple[str, Span], ...]:
    """The longest of those that overlap, ordered by start."""
    taken = bytearray(length)
    kept = []
    for owner, (start, end) in sorted(found, key=lambda item: item[1][0] - item[1][1]):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append((owner, (start, end)))
    return tuple(sorted(kept, key=lambda item: item[1]))


@lru_cache(maxsize=32)  # a page asks for one text with each of its entities
def _folded(text: str) -> str:
    return fold(text)


def _in_english(entity: Entity, text: str) -> tuple[Span, ...]:
    given = entity.english.strip()
    sought = _given(given) if given else _read(entity.name, entity.kind, entity.type)
    if sought is None:
        return ()
    latin, places, words = _latin_words(text)
    spans = []
    end = 0
    for start in sorted({start for head in sought.heads for start in words.get(head, ())}):
        match = sought.pattern.match(latin, start) if start >= end else None
        if match is None:
            continue
        # An, He, Men are English words too: a lone syllable is a name when it is written as one.
        if match.lastindex and text[places[match.start(match.lastindex)]].islower():
            continue
        end = match.end()
        spans.append((places[start], places[end]))
    return tuple(spans)


class _Latin(dict[int, str]):
    """The mapping for ``str.translate``: small letters without marks; a mark that stands alone becomes ``_MARK``."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        bare = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
        new = bare.lower() if len(bare.lower()) == 1 else char
        self[code] = _MARK if unicodedata.combining(char) else _SAME.get(new, new)
        return self[code]


_latin_table = _Latin()


def _latin(text: str) -> str:
    """The text as English is compared, at its own length."""
    return text.translate(_latin_table)


@lru_cache(maxsize=32)
def _latin_words(text: str) -> tuple[str, Sequence[int], dict[str, list[int]]]:
    """The text as English is compared; where each of its code points (and its end) stands in the text; its words.

    The words are where they begin in what is compared, by their first letter and by their first two.
    """
    latin = _latin(text)
    places: Sequence[int] = range(len(text) + 1)
    if _MARK in latin:
        places = [*(place for place, char in enumerate(latin) if char != _MARK), len(text)]
        latin = latin.replace(_MARK, "")
    words: dict[str, list[int]] = {}
    for match in _WORD.finditer(latin):
        for head in {match[0][:1], match[0][:2]}:
            words.setdefault(head, []).append(match.start())
    return latin, places, words


@dataclass(frozen=True, slots=True)
class _Sought:
    """A pattern that is tried where a word begins with one of the heads; a group in it is a lone syllable."""

    pattern: re.Pattern[str]
    heads: frozenset[str]


def _sought(alternatives: Iterable[str], first_words: Iterable[str]) -> _Sought:
    pattern = rf"(?:{'|'.join(dict.fromkeys(alternatives))})(?![{_LETTERS}])"
    return _Sought(re.compile(pattern), frozenset(word[:2] for word in first_words))


@lru_cache(maxsize=8192)
def _given(english: str) -> _Sought | None:
    """A rendering as it was given, its words on one line or on two."""
    latin = _latin(english).replace(_MARK, "")
    first = _WORD.search(latin)
    if first is None:
        return None
    return _sought([r"\s+".join(re.escape(word) for word in latin[first.start() :].split())], [first[0]])


@lru_cache(maxsize=8192)
def _read(name: str, kind: str, place: str) -> _Sought | None:
    """The readings of a name, whole and without its endings; None where a character has no reading."""
    written = "".join(char for char in name if char.isalnum())
    readings = [_readings(char) for char in written]
    if not readings or () in readings:
        return None
    syllables = [f"(?:{'|'.join(of_one)})" for of_one in readings]
    whole = _JOINT.join(syllables) if len(syllables) > 1 else f"({syllables[0]})"
    if kind == "person":
        return _sought([whole], readings[0])
    folded = fold(written)
    if kind == "date":  # 淳祐七年: the seventh year of Chunyou
        eras = (era for era in _ERAS if folded.startswith(era))
        return _sought([whole, *(_JOINT.join(syllables[: len(era)]) for era in eras)], readings[0])
    alternatives, first_words = [whole], list(readings[0])
    for length, words in _endings(folded, place):
        word = "|".join(words)
        alternatives[0] = rf"{whole}(?:{_SPACE}(?:{word}))?"  # Xihu Lake
        stem, ending = syllables[:-length], _JOINT.join(syllables[-length:])
        if len(stem) > 1:
            alternatives.append(rf"{_JOINT.join(stem)}(?:{_SPACE}(?:{word}))?")
        else:
            alternatives += [rf"({stem[0]}){_SPACE}(?:{word})", rf"(?:{word})\s+({stem[0]})"]
            first_words += words
        for inner, inner_words in _endings(folded[:-length], ""):  # 仙林寺桥: Xianlin Temple Bridge
            head = _JOINT.join(stem[:-inner])
            alternatives.append(rf"{head}{_SPACE}(?:{'|'.join(inner_words)}){_SPACE}(?:{word}|{ending})")
    return _sought(alternatives, first_words)


@cache
def _readings(char: str) -> tuple[str, ...]:
    """All readings of a character as it is written and as it folds; empty where it has none."""
    from pypinyin import Style, pinyin  # loads its dictionaries: only when a name is read

    spelled = (
        _latin(reading).replace(_MARK, "")
        for form in (char, fold(char))
        for reading in pinyin(form, style=Style.NORMAL, heteronym=True)[0]
    )
    known = {reading for reading in spelled if reading.isascii() and reading.isalnum()}
    return tuple(sorted(known | {reading.replace("v", "u") for reading in known}))  # pypinyin writes ü as v


def _endings(name: str, place: str) -> list[tuple[int, tuple[str, ...]]]:
    """The endings of a folded name that leave a character before them: length and English words; short ones first.

    ``place`` is the entity's own type: its endings in the vocabulary count too (钱塘县), and its words.
    """
    own = _TYPES.get(place)
    known = (*_ENDINGS, *((ending, place) for ending in (own.endings if own else ())))
    found: dict[int, set[str]] = {}
    for ending, code in known:
        if len(ending) < len(name) and name.endswith(ending):
            found.setdefault(len(ending), {place}).add(code)
    return [(length, _words(frozenset(codes))) for length, codes in sorted(found.items())]


@cache
def _words(codes: frozenset[str]) -> tuple[str, ...]:
    """The English words for those place types, longest first."""
    rows = [_TYPES[code] for code in codes - {"other"} if code in _TYPES]
    listed = {word for row in rows for word in (*re.split(r", | or ", row.en), *row.labels) if word.isascii()}
    also = {word for row in rows for word in _ALSO.get(row.code, ())}
    return tuple(r"\s+".join(word.split()) for word in sorted(listed | also, key=lambda word: (-len(word), word)))
