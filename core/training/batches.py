"""Batches of unique pictures, each with one of its texts in rotation.

Two texts of one picture in a batch would be false negatives of each other under plain InfoNCE, and encoding a
picture twice wastes the larger half of a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.training.data import Indices, TrainingData


@dataclass(frozen=True)
class Batch:
    """Indices of unique pictures and of the unique texts that go with them; not always as many."""

    images: Indices
    texts: Indices


def epoch_batches(data: TrainingData, size: int, seed: int, epoch: int) -> list[Batch]:
    """The batches of an epoch, every paired picture once; the same for the same ``seed`` and ``epoch``.

    Batches are nearly equal in size, at most ``size``, so that none is left with a single picture to
    contrast.
    """
    order = np.random.default_rng([seed, epoch]).permutation(data.paired_images)
    chosen = _rotation(data.image_texts, seed, epoch)
    count = -(-len(order) // size)
    parts = np.array_split(order, min(count, max(1, len(order) // 2)))
    return [Batch(part, np.unique([chosen[i] for i in part]).astype(np.int64)) for part in parts]


def _rotation(image_texts: Sequence[Sequence[int]], seed: int, epoch: int) -> list[int]:
    """For each picture the text of this epoch: all of its texts come by before one comes again."""
    rng = np.random.default_rng([seed])
    chosen = []
    for texts in image_texts:
        start = int(rng.integers(len(texts))) if texts else 0
        chosen.append(texts[(start + epoch) % len(texts)] if texts else -1)
    return chosen


def steps_per_epoch(batches: int, accumulation: int) -> int:
    """Optimiser steps of an epoch; accumulation beyond the number of batches is clamped."""
    return -(-batches // min(accumulation, batches))
