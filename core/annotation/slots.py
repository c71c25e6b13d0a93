"""The same parts in three states of one annotation: the one two people began with, mine and theirs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from core.annotation.pairing import Pass, paired

T = TypeVar("T")
Side = Literal["mine", "theirs"]


@dataclass(frozen=True, slots=True)
class Slot(Generic[T]):
    """One part in the three states."""

    base: T | None = None
    mine: T | None = None
    theirs: T | None = None

    @property
    def either(self) -> T | None:
        """Mine, else theirs; None where both let it go."""
        return self.theirs if self.mine is None else self.mine

    def one_side(self) -> tuple[T, Side] | None:
        """The part and who has it, where only one of the two does."""
        if self.mine is not None and self.theirs is None:
            return self.mine, "mine"
        if self.theirs is not None and self.mine is None:
            return self.theirs, "theirs"
        return None


class Slots(Generic[T]):
    """The parts of one kind, as numbered slots: the base's first.

    ``mine`` and ``theirs`` are the numbers of each side's parts. ``order`` is the order of all: theirs where mine kept
    the base's, else mine, with what only the other side has before what it precedes there. ``old`` says which parts
    are the base's, ``new`` which of the others are one.
    """

    def __init__(
        self,
        base: Sequence[T],
        mine: Sequence[T],
        theirs: Sequence[T],
        old: Sequence[Pass[T]],
        new: Sequence[Pass[T]],
    ) -> None:
        self.slots: list[Slot[T]] = [Slot(part) for part in base]
        self.mine = self._numbers(paired(base, mine, old), mine)
        first_new = len(base)
        for number, part in zip(self.mine, mine, strict=True):
            self.slots[number] = replace(self.slots[number], mine=part)
        pairs = paired(base, theirs, old)
        left = [place for place in range(len(theirs)) if place not in pairs]
        mine_new = [number for number in self.mine if number >= first_new]
        parts = [part for number, part in zip(self.mine, mine, strict=True) if number >= first_new]
        for place, other in paired(parts, [theirs[place] for place in left], new).items():
            pairs[left[place]] = mine_new[other]
        self.theirs = self._numbers(pairs, theirs)
        for number, part in zip(self.theirs, theirs, strict=True):
            self.slots[number] = replace(self.slots[number], theirs=part)
        kept = self.mine == list(range(first_new))
        self.order = _woven(self.theirs, self.mine) if kept else _woven(self.mine, self.theirs)

    def _numbers(self, pairs: Mapping[int, int], parts: Sequence[T]) -> list[int]:
        """The number of each part; those without one get the next slots."""
        numbers = []
        for place in range(len(parts)):
            if place not in pairs:
                self.slots.append(Slot())
            numbers.append(pairs.get(place, len(self.slots) - 1))
        return numbers

    def __iter__(self) -> Iterator[tuple[int, Slot[T]]]:
        return ((number, self.slots[number]) for number in self.order)


def _woven(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The first order with what only the second has, each before what it precedes there."""
    known = set(first)
    before: dict[int, list[int]] = {}
    extra: list[int] = []
    for number in second:
        if number in known:
            before[number], extra = extra, []
        else:
            extra.append(number)
    return [*(n for number in first for n in (*before.get(number, ()), number)), *extra]
