"""Exact nearest neighbours by cosine: what Recall@K measures is what a search shows."""

from collections.abc import Sequence
from typing import Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Id = TypeVar("Id", bound=int | str)


class VectorIndex(Generic[Id]):
    """Vectors by id. Rows are brought to length 1 at the start, so a score is a cosine, -1 to 1.

    ``vectors`` [n, d], any float, kept as float32 (half precision is slower in numpy); ``ids``: n different
    ids, all int or all str. Raises ValueError for other shapes, repeated ids, or values that are not finite.
    """

    def __init__(self, vectors: NDArray[np.floating], ids: Sequence[Id]) -> None:
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise ValueError(f"vectors {vectors.shape} do not fit {len(ids)} ids")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors that are not finite")
        self.ids: tuple[Id, ...] = tuple(ids)
        self.vectors: NDArray[np.float32] = unit(vectors)
        self._row: dict[Id, int] = {key: row for row, key in enumerate(self.ids)}
        if len(self._row) != len(self.ids):
            raise ValueError("ids that occur twice")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, key: object) -> bool:
        return key in self._row

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def vector(self, key: Id) -> NDArray[np.float32]:
        """The vector [d] of one id, of length 1; raises KeyError."""
        return cast(NDArray[np.float32], self.vectors[self._row[key]])

    def search(self, query: NDArray[np.floating], top: int) -> list[tuple[Id, float]]:
        """The ``top`` nearest ids with their cosine, best first; equal scores in the order of the ids given.

        ``query`` [d], any length above zero.
        """
        query = np.asarray(query, dtype=np.float32)
        if query.shape != (self.dimension,):
            raise ValueError(f"a query of shape {query.shape} in an index of dimension {self.dimension}")
        top = min(top, len(self))
        if top <= 0:
            return []
        scores = self.vectors @ unit(query)
        # Everything level with the last place takes part: the order of ids decides, not the partition.
        least = np.partition(scores, -top)[-top]
        rows = np.nonzero(scores >= least)[0]
        rows = rows[np.argsort(-scores[rows], kind="stable")][:top]
        return [(self.ids[row], float(scores[row])) for row in rows]

    def missing(self, wanted: Sequence[Id]) -> list[Id]:
        """Those of ``wanted`` that have no vector yet, in their order."""
        return [key for key in wanted if key not in self._row]

    def added(self, vectors: NDArray[np.floating], ids: Sequence[Id]) -> "VectorIndex[Id]":
        """A new index with more rows behind; ids that stand already get the new vector."""
        new = set(ids)
        rows = [row for row, key in enumerate(self.ids) if key not in new]
        if not rows:
            return VectorIndex(vectors, ids)
        both = np.concatenate([self.vectors[rows], np.asarray(vectors, dtype=np.float32)])
        return VectorIndex(both, [*(self.ids[row] for row in rows), *ids])

    def restricted(self, wanted: Sequence[Id]) -> "VectorIndex[Id]":
        """A new index of the rows of ``wanted``, in that order; raises KeyError for an id without one."""
        return VectorIndex(self.vectors[[self._row[key] for key in wanted]], wanted)


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors [..., d] brought to length 1; zeros stay zeros."""
    vectors = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)
