"""Two models on the same queries: is the difference more than luck?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from core.evaluation.intervals import mean_interval
from core.evaluation.recall import KS, Ranks


@dataclass(frozen=True, slots=True)
class Difference:
    """Second minus first: ``difference`` of shares, its 95 % interval, queries ``won``, ``lost``; ``p``."""

    difference: float
    ci: tuple[float, float]
    won: int
    lost: int
    p: float

    def to_json(self) -> dict[str, Any]:
        """The difference and its interval in percentage points; ``p`` as a probability."""
        return {
            "difference": round(100 * self.difference, 2),
            "ci": [round(100 * value, 2) for value in self.ci],
            "won": self.won,
            "lost": self.lost,
            "p": float(f"{self.p:.3g}"),
        }


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p of McNemar's test: chance of so uneven a split of the changed queries (binomial)."""
    changed = won + lost
    if not changed:
        return 1.0
    tail = sum(comb(changed, i) for i in range(min(won, lost) + 1))
    # Integers of any size divide exactly where 0.5 ** changed would already be zero.
    return min(1.0, 2 * tail / 2**changed)


def compare(
    first: Ranks, second: Ranks, ks: Sequence[int] = KS, groups: Sequence[int] | None = None
) -> dict[int, Difference]:
    """Recall@K of ``second`` minus ``first`` on the same queries and gallery, by K.

    The interval is a paired bootstrap, over whole ``groups`` [q] where given; McNemar's p takes queries as
    independent. Raises ValueError when the two were not measured on the same queries.
    """
    if first.gallery != second.gallery or not np.array_equal(first.positives, second.positives):
        raise ValueError("two models can be compared on the same queries and gallery only")
    grouped = None if groups is None else np.asarray(groups)[first.counted].tolist()
    result: dict[int, Difference] = {}
    for k in ks:
        before, after = first.hits(k), second.hits(k)
        change = after.astype(np.float64) - before
        won, lost = int((after & ~before).sum()), int((before & ~after).sum())
        result[k] = Difference(
            difference=float(change.mean()) if len(change) else 0.0,
            ci=mean_interval(change, grouped, bounds=(-1.0, 1.0)),
            won=won,
            lost=lost,
            p=mcnemar(won, lost),
        )
    return result
