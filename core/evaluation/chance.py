"""What drawing answers at random would reach."""

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from core.evaluation.recall import KS


def chance_of_hit(gallery: int, positives: int, k: int) -> float:
    """Chance that a random order of ``gallery`` answers has one of the right ones in its first ``k``.

    Exact: 1 - C(gallery - positives, k) / C(gallery, k), the hypergeometric chance of no hit.
    """
    k = min(k, gallery)
    if positives <= 0 or k <= 0:
        return 0.0
    return 1.0 - comb(gallery - positives, k) / comb(gallery, k)


def chance_recall(gallery: int, positives: NDArray[np.int64], ks: Sequence[int] = KS) -> dict[int, float]:
    """Expected Recall@K, 0 to 1, of random answers to queries with so many right ones [q]; 0: not counted."""
    numbers, counts = np.unique(positives[positives > 0], return_counts=True)
    total = int(counts.sum())
    return {
        k: sum(
            chance_of_hit(gallery, int(number), k) * int(count) for number, count in zip(numbers, counts, strict=True)
        )
        / total
        if total
        else 0.0
        for k in ks
    }
