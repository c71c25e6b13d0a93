"""Approved annotations as examples for the model: those of the passages most like the one asked about."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import sqrt

from core.texts.annotation import AnnotationValue
from core.texts.variants import search_key

MAX_EXAMPLE = 1500
"""Longest passage used as an example, in code points: longer ones cost more tokens than they teach."""


@dataclass(frozen=True, slots=True)
class Example:
    """A passage and what a scholar approved of it."""

    text: str
    value: AnnotationValue


def bigrams(text: str) -> frozenset[str]:
    """The pairs of neighbouring characters of a folded text without white space."""
    key = search_key(text)
    return frozenset(key[n : n + 2] for n in range(len(key) - 1)) or frozenset([key] if key else [])


class Pool:
    """Examples to choose from; built once, asked for each passage of a job."""

    def __init__(self, candidates: Iterable[Example]) -> None:
        self._candidates: list[tuple[str, int, Example]] = []
        self._where: dict[str, list[int]] = {}
        seen: set[str] = set()
        for example in candidates:
            key = search_key(example.text)
            if not key or key in seen or len(example.text) > MAX_EXAMPLE:
                continue
            seen.add(key)
            pairs = bigrams(example.text)
            for pair in pairs:
                self._where.setdefault(pair, []).append(len(self._candidates))
            self._candidates.append((key, len(pairs), example))

    def nearest(self, text: str, k: int) -> list[Example]:
        """The ``k`` examples most like the passage, the most alike first.

        Likeness is the cosine of the sets of folded character bigrams; ties go by the text, never by the order given.
        A passage is no example for itself: neither are texts that contain it. ``text`` is the whole passage, also where
        only a part of it is asked about. What shares no bigram is left out, so fewer than ``k`` may come back.
        """
        key = search_key(text)
        pairs = bigrams(text)
        shared = Counter(number for pair in pairs for number in self._where.get(pair, ()))
        ranked = sorted(
            (-count / sqrt(len(pairs) * self._candidates[number][1]), self._candidates[number][0], number)
            for number, count in shared.items()
        )
        others = (number for _, other, number in ranked if key not in other)
        return [self._candidates[number][2] for number in islice(others, max(k, 0))]


def nearest(text: str, candidates: Sequence[Example], k: int) -> list[Example]:
    """As :meth:`Pool.nearest`, for one passage."""
    return Pool(candidates).nearest(text, k)
