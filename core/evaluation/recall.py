"""Recall@K as a hit rate, counted as Chinese-CLIP's own evaluation counts it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.retrieval.index import unit

KS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where the first right answer of each query stands.

    ``ranks`` [q] counts from 1, and is 0 for a query without ground truth, which no figure counts;
    ``positives`` [q] is the number of right answers in the gallery; ``gallery`` its size.
    """

    ranks: NDArray[np.int64]
    positives: NDArray[np.int64]
    gallery: int

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which queries have a ground truth [q]."""
        return self.positives > 0

    def hits(self, k: int) -> NDArray[np.bool_]:
        """Whether any right answer is among the first ``k``, for the counted queries."""
        return self.ranks[self.counted] <= k


def rank_of_first_positive(similarity: NDArray[np.floating], positives: Sequence[Sequence[int] | set[int]]) -> Ranks:
    """The rank of the best right answer of each query.

    ``similarity`` [q, g]: higher is nearer; ``positives``: for each query the gallery indices that are right.
    A wrong answer with the same score stands before a right one, so a model that gives one score to
    everything gets nothing. Raises ValueError for scores not finite or positives outside the gallery.
    """
    queries, gallery = similarity.shape
    if len(positives) != queries:
        raise ValueError(f"{queries} queries but {len(positives)} lists of right answers")
    if not np.isfinite(similarity).all():
        raise ValueError("similarities that are not finite")
    right = np.zeros((queries, gallery), dtype=bool)
    for query, indices in enumerate(positives):
        columns = np.fromiter(indices, dtype=np.int64)
        if columns.size and (columns.min() < 0 or columns.max() >= gallery):
            raise ValueError(f"query {query} has a right answer outside the gallery of {gallery}")
        right[query, columns] = True
    counts = right.sum(axis=1).astype(np.int64)
    best = np.where(right, similarity, -np.inf).max(axis=1, initial=-np.inf)
    ahead = ((similarity >= best[:, None]) & ~right).sum(axis=1).astype(np.int64)
    return Ranks(np.where(counts > 0, ahead + 1, 0), counts, gallery)


def ranks_of_features(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    positives: Sequence[Sequence[int] | set[int]],
    block: int = 1024,
) -> Ranks:
    """Ranks by cosine of features [q, d] and [g, d], a block of queries at a time to save memory."""
    queries, gallery = unit(queries), unit(gallery)
    parts = [
        rank_of_first_positive(queries[start : start + block] @ gallery.T, positives[start : start + block])
        for start in range(0, len(queries), block)
    ]
    if not parts:
        return Ranks(np.zeros(0, np.int64), np.zeros(0, np.int64), len(gallery))
    return Ranks(
        np.concatenate([part.ranks for part in parts]),
        np.concatenate([part.positives for part in parts]),
        len(gallery),
    )


def recall_at_k(ranks: Ranks, ks: Sequence[int] = KS) -> dict[int, float]:
    """Share of the queries, 0 to 1, with any right answer in the first K; 0 when no query has a ground truth.

    Equal to ``cn_clip/eval/evaluation.py`` where every query has a ground truth, as in every dataset written
    here; there a query without one counts as missed, here it is not counted.
    """
    return {k: float(ranks.hits(k).mean()) if ranks.counted.any() else 0.0 for k in ks}


def inverted(positives: Sequence[Sequence[int] | set[int]], gallery: int) -> list[list[int]]:
    """The right answers seen from the gallery: for each gallery index the queries it answers."""
    result: list[list[int]] = [[] for _ in range(gallery)]
    for query, indices in enumerate(positives):
        for index in sorted(set(indices)):
            result[index].append(query)
    return result
