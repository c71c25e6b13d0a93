"""What a model is taught to find a picture by: the passage, its modern Chinese, its search prompt.

Chinese-CLIP reads 52 tokens, the first and the last of which are its own, and drops the rest without a word
(``cn_clip/clip/utils.py``). So a longer text is cut here, where a reader would pause, and the cut is counted.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.texts.annotation import AnnotationValue, Span
from core.texts.offsets import find_all

Kind = Literal["original", "modern", "prompt", "english"]
KINDS: tuple[Kind, ...] = ("original", "modern", "prompt")
"""Kinds made unless others are asked for: 原文, 白话, search prompt; ``english`` is made on request only."""
LIMIT = 50
"""Tokens of a caption that Chinese-CLIP reads."""

# A clause runs to its punctuation, together with the quotation marks and brackets that close after it.
_CLAUSE = re.compile(
    r"(?:[^，。！？；：、,;:!?\n.]|\.(?!\s|\Z))*(?:(?:[，。！？；：、,;:!?\n]|\.(?=\s|\Z))+[”’」』》）)\]]*|\Z)"
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_LOOSE_END = "，、：；,;: \n\t\u3000"


@dataclass(frozen=True, slots=True)
class Caption:
    """One text for a passage's pictures; ``shortened`` says that it is a part of what was written."""

    passage_id: int
    kind: Kind
    text: str
    shortened: bool = False


@dataclass(slots=True)
class CaptionCount:
    """By kind: captions ``made``, of them ``shortened``; left out as ``empty`` or as the ``same`` again."""

    made: Counter[str] = field(default_factory=Counter)
    shortened: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, dict[str, int]]:
        """Plain dictionaries for the manifest."""
        names = ("made", "shortened", "empty", "same")
        return {name: dict(sorted(getattr(self, name).items())) for name in names}


def captions_of(
    passage_id: int,
    text: str,
    value: AnnotationValue,
    kinds: Sequence[Kind] = KINDS,
    count: CaptionCount | None = None,
    tokens: Callable[[str], int] | None = None,
) -> tuple[Caption, ...]:
    """At most one caption of each kind for a passage; what is left out or cut is added to ``count``.

    ``text`` is the passage as stored, to which the mentions in ``value`` point. ``tokens`` measures a text
    for the model at hand; without it :func:`rough_tokens` does.
    """
    count = count if count is not None else CaptionCount()
    measure = tokens or rough_tokens
    written: dict[Kind, str] = {
        "original": text,
        "modern": value.modern_chinese,
        "prompt": value.search_prompt,
        "english": value.english,
    }
    names = [entity.name for entity in value.entities if entity.name]
    result: list[Caption] = []
    for kind in kinds:
        whole = written[kind]
        if kind == "original":
            spans = [span for entity in value.entities for span in entity.mentions]
        else:
            spans = [span for name in names for span in find_all(name, whole)]
        start, end = window(whole, spans, measure)
        caption = " ".join(whole[start:end].split())
        if not caption:
            count.empty[kind] += 1
            continue
        if any(caption == earlier.text for earlier in result):
            count.same[kind] += 1
            continue
        shortened = bool(whole[:start].strip() or whole[end:].strip(_LOOSE_END))
        count.made[kind] += 1
        count.shortened[kind] += shortened
        result.append(Caption(passage_id, kind, caption, shortened))
    return tuple(result)


def window(text: str, spans: Iterable[Span], measure: Callable[[str], int] | None = None, limit: int = LIMIT) -> Span:
    """The part of ``text`` within ``limit`` tokens that holds the most ``spans`` whole; the first on ties.

    Parts are runs of whole clauses, as long as they fit. A clause that does not fit alone is cut after
    ``limit`` tokens, from its start or from a span in it.
    """
    measure = measure or rough_tokens
    if measure(text) <= limit:
        return 0, len(text)
    marks = sorted(set(spans))
    clauses = [match.span() for match in _CLAUSE.finditer(text) if match.group()]
    parts: list[Span] = []
    for index, (start, end) in enumerate(clauses):
        if measure(text[start:end].strip()) > limit:
            starts = [start, *(first for first, _ in marks if start < first < end)]
            parts.extend((begin, _hard_end(text, begin, end, measure, limit)) for begin in starts)
            continue
        for _, further in clauses[index + 1 :]:
            if measure(text[start:further].strip()) > limit:
                break
            end = further
        parts.append((start, end))
    best = max(
        (part for part in parts if text[part[0] : part[1]].strip()),
        key=lambda part: (sum(part[0] <= first and last <= part[1] for first, last in marks), -part[0]),
        default=(0, 0),
    )
    start, end = best
    return start, start + len(text[start:end].rstrip(_LOOSE_END))


def rough_tokens(text: str) -> int:
    """How many tokens Chinese-CLIP makes of a text, without its tokenizer: rather too many than too few.

    Chinese characters and marks are one token each; a Latin word is cut into pieces, taken as two letters, or
    one where the word is short or has digits.
    """
    words = _WORD.findall(text)
    others = sum(1 for char in _WORD.sub("", text) if not char.isspace())
    return others + sum(-(-len(word) // 2) if word.isalpha() and len(word) > 4 else len(word) for word in words)


def _hard_end(text: str, start: int, end: int, measure: Callable[[str], int], limit: int) -> int:
    low, high = start + 1, end
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[start:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    # A Latin word is not cut in two when there is a space to cut at.
    if low < end and text[low - 1].isascii() and text[low].isascii():
        space = text.rfind(" ", start, low)
        return space if space > start else low
    return low
