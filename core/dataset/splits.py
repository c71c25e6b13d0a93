"""Train, valid and test without a leak: what belongs together stays together.

Passages and pictures are joined many to many, so a random split of the pairs would show the model in training
what it is asked in the test. The unit that is split is the connected component.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import InputError
from core.texts.variants import fold

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
MINIMUM = 2
"""Passages and pictures that a split needs at the least to measure anything."""


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Where each passage and picture goes; the number of ``components`` and the share of the ``largest``.

    ``warning`` is empty, or the code of the reason why everything went to train: ``split_one_component``,
    ``split_giant_component`` (the largest leaves too little for the others), ``split_too_small``.
    """

    passages: dict[int, Split]
    images: dict[int, Split]
    components: int
    largest: float
    warning: str = ""


def text_key(text: str) -> str:
    """What two texts share that a reader would call the same: folded letters, no marks, no white space."""
    return "".join(char for char in fold(text) if unicodedata.category(char)[0] in "LN")


def split_components(
    pairs: Iterable[tuple[int, int]],
    *,
    texts: Mapping[int, Iterable[str]] | None = None,
    image_groups: Mapping[int, Iterable[Hashable]] | None = None,
    valid: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    key: Callable[[str], str] = text_key,
) -> SplitResult:
    """Split passages and pictures by connected components of ``pairs`` (passage, image).

    ``texts``: the texts of each passage (the passage, its captions); passages of which any two agree under
    ``key`` are joined. ``image_groups``: names shared by pictures that must not be parted: a work of art, a
    cluster of near duplicates. A component weighs the mean of its shares of all passages and of all pictures.
    The same content and ``seed`` give the same split in whatever order it comes. Raises InputError
    ``split_fractions`` for fractions below 0 or of 1 and more together.
    """
    if not (valid >= 0 and test >= 0 and valid + test < 1):  # so that NaN is refused as well
        raise InputError("split_fractions", valid=valid, test=test)
    components = _components(list(pairs), texts or {}, image_groups or {}, key)
    passages = sum(len(component.passages) for component in components)
    images = sum(len(component.images) for component in components)
    weights = [(len(component.passages) / passages + len(component.images) / images) / 2 for component in components]
    wanted: dict[Split, float] = {"valid": valid, "test": test}
    wanted = {name: share for name, share in wanted.items() if share > 0}
    placed = _place(components, weights, wanted, seed)
    largest = max(weights, default=0.0)
    warning = _warning(components, placed, wanted, largest)
    if warning:
        placed = ["train"] * len(components)
    return SplitResult(
        passages={p: name for c, name in zip(components, placed, strict=True) for p in c.passages},
        images={i: name for c, name in zip(components, placed, strict=True) for i in c.images},
        components=len(components),
        largest=largest,
        warning=warning,
    )


@dataclass(slots=True)
class _Component:
    passages: list[int]
    images: list[int]

    def draw(self, seed: int, split: Split) -> str:
        """Where it stands in a split's order: fixed by the seed and its first passage, whatever else there is."""
        return hashlib.sha256(f"{seed}:{split}:{self.passages[0]}".encode()).hexdigest()


def _components(
    pairs: list[tuple[int, int]],
    texts: Mapping[int, Iterable[str]],
    image_groups: Mapping[int, Iterable[Hashable]],
    key: Callable[[str], str],
) -> list[_Component]:
    parent: dict[Hashable, Hashable] = {}

    def find(node: Hashable) -> Hashable:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    passages = sorted({passage for passage, _ in pairs})
    images = sorted({image for _, image in pairs})
    for passage, image in pairs:
        parent[find(("passage", passage))] = find(("image", image))
    for passage in passages:
        for text in texts.get(passage, ()):
            if folded := key(text):
                parent[find(("passage", passage))] = find(("text", folded))
    for image in images:
        for group in image_groups.get(image, ()):
            parent[find(("image", image))] = find(("group", group))
    found: dict[Hashable, _Component] = defaultdict(lambda: _Component([], []))
    for passage in passages:
        found[find(("passage", passage))].passages.append(passage)
    for image in images:
        found[find(("image", image))].images.append(image)
    return sorted(found.values(), key=lambda component: component.passages[0])


def _place(components: list[_Component], weights: list[float], wanted: Mapping[Split, float], seed: int) -> list[Split]:
    """Each split draws in an order of its own, the neediest first; none overshoots by more than half a draw.

    Orders that do not depend on each other keep most of the split as it was when the set grows.
    """
    placed: list[Split] = ["train"] * len(components)
    missing = dict(wanted)
    orders = {
        name: iter(sorted(range(len(components)), key=lambda i: components[i].draw(seed, name))) for name in wanted
    }
    while orders:
        name = max(orders, key=lambda n: missing[n] / wanted[n])
        for index in orders[name]:
            # Nothing that does not fit now fits later, because what is missing only shrinks.
            if placed[index] == "train" and missing[name] * (1 + 1e-9) >= weights[index] / 2:
                placed[index] = name
                missing[name] -= weights[index]
                break
        else:
            del orders[name]
    return placed


def _warning(components: list[_Component], placed: list[Split], wanted: Mapping[Split, float], largest: float) -> str:
    """Why this split is of no use, or nothing."""
    if not wanted:
        return ""
    for name in (*wanted, "train"):
        inside = [component for component, where in zip(components, placed, strict=True) if where == name]
        passages = sum(len(component.passages) for component in inside)
        images = sum(len(component.images) for component in inside)
        if min(passages, images) < MINIMUM:
            if len(components) == 1:
                return "split_one_component"
            return "split_giant_component" if largest > 0.5 else "split_too_small"
    return ""
