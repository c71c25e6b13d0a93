"""Batches of unique pictures, each with one of its texts in rotation or with all of them.

Two texts of one picture in a batch would be false negatives of each other under plain InfoNCE (here targets go by
picture, so they are both right), and encoding a picture twice wastes the larger half of a step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.training.config import TextsPerImage
from core.training.data import Indices, TrainingData


@dataclass(frozen=True)
class Batch:
    """Indices of unique pictures and of the unique texts that go with them; not always as many."""

    images: Indices
    texts: Indices


def epoch_batches(
    data: TrainingData, size: int, seed: int, epoch: int, texts_per_image: TextsPerImage = "one"
) -> list[Batch]:
    """The batches of an epoch, every paired picture once; the same for the same ``seed`` and ``epoch``.

    Batches are nearly equal in size, at most ``size`` paired pictures, so that none is left with a single picture
    to contrast; a size beyond the data gives one batch. Rejected texts and pictures come into the batches of the
    pictures and texts they were rejected for, in rotation too.
    """
    order = np.random.default_rng([seed, epoch]).permutation(data.paired_images)
    starts = np.random.default_rng([seed]).integers(0, 2**31, len(data.image_texts))
    count = -(-len(order) // size)
    parts = np.array_split(order, min(count, max(1, len(order) // 2)))

    def chosen(items: Sequence[int], start: int) -> Sequence[int]:
        # all of them come by before one comes again
        return items if texts_per_image == "all" or not items else [items[(start + epoch) % len(items)]]

    batches = []
    for part in parts:
        own = _unique(text for i in part for text in chosen(data.image_texts[i], int(starts[i])))
        wrong_images = [i for text in own for i in chosen(data.wrong_images.get(int(text), ()), 0)]
        wrong_texts = [text for i in part for text in chosen(data.wrong_texts.get(int(i), ()), int(starts[i]))]
        images = np.concatenate([part, _unique(wrong_images)])
        batches.append(Batch(images, _unique([*own, *wrong_texts])))
    return batches


def _unique(items: Iterable[int]) -> Indices:
    return np.unique(np.fromiter(items, dtype=np.int64))
