"""Fingerprints that stay near each other for the same picture saved again at another size or quality."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.imaging.normalise import grey

Id = TypeVar("Id", int, str)

_BLOCK = 1024


def difference_hash(image: Image.Image) -> str:
    """The 64-bit difference hash as 16 hex digits: of 9 x 8 greys, is each darker than its right neighbour?

    Source: N. Krawetz, "Kind of Like That" (2013). A picture without gradients gives all zeros.
    """
    small = grey(image).resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.int16)
    return np.packbits(values[:, :-1] < values[:, 1:]).tobytes().hex()


def distance(first: str, second: str) -> int:
    """Number of differing bits of two fingerprints, 0 to 64."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def near_duplicates(fingerprints: Mapping[Id, str], limit: int = 2) -> list[tuple[Id, Id]]:
    """Pairs of pictures whose fingerprints differ in at most ``limit`` bits, in the order of the mapping.

    Fingerprints of nearly flat pictures (fewer than 4 bits set) say nothing and are left out. Compares every
    pair in blocks: 10,000 pictures take about a second.
    """
    ids = [key for key, value in fingerprints.items() if int(value, 16).bit_count() >= 4]
    bits: NDArray[np.uint64] = np.array([int(fingerprints[key], 16) for key in ids], dtype=np.uint64)
    pairs: list[tuple[Id, Id]] = []
    for start in range(0, len(ids), _BLOCK):
        block = bits[start : start + _BLOCK]
        apart = np.bitwise_count(block[:, None] ^ bits[None, start:])
        rows, columns = np.nonzero(np.triu(apart <= limit, k=1))
        pairs.extend((ids[start + row], ids[start + column]) for row, column in zip(rows, columns, strict=True))
    return pairs
