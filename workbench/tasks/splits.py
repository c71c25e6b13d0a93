"""One split of a dataset as a model sees it: pixels, texts, and which belong together."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.normalise import normalised
from core.progress import Progress

if TYPE_CHECKING:
    from core.dataset.reader import SplitData
    from core.evaluation.report import Evaluation
    from core.model.loading import LoadedModel
    from core.training.data import TrainingData


@dataclass(frozen=True)
class Encoded:
    """``pixels`` uint8 [n, 3, r, r]; ``text_images[t]`` the rows of ``pixels`` that text t belongs to.

    ``image_ids`` names the picture of each row, as the dataset does; ``refused[t]`` are the rows of pictures that
    somebody found not to belong to text t.
    """

    pixels: NDArray[np.uint8]
    texts: list[str]
    text_images: list[list[int]]
    kinds: list[str]
    passages: list[int]
    image_ids: list[int]
    refused: list[list[int]]

    def training_data(self) -> "TrainingData":
        """What a run learns from, refused pairs as hard negatives; raises as TrainingData."""
        from core.training.data import TrainingData

        rejected = [(image, text) for text, images in enumerate(self.refused) for image in images]
        return TrainingData(self.pixels, self.texts, self.text_images, rejected)

    def features(self, model: "LoadedModel") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Texts [m, dim] and pictures [n, dim] as the model sees them now, each row of length 1."""
        from core.model.features import encode_images, encode_texts

        return encode_texts(model, self.texts), encode_images(model, self.pixels)

    def measured(self, texts: NDArray[np.float32], images: NDArray[np.float32]) -> "Evaluation":
        """Full-gallery figures of what :meth:`features` gave."""
        from core.evaluation.report import evaluate

        return evaluate(texts, images, self.text_images, text_groups=self.passages)

    def figures(self, model: "LoadedModel") -> dict[str, Any]:
        """Figures over the whole gallery as the model sees it now; see :meth:`figures_of`."""
        return self.figures_of(*self.features(model))

    def figures_of(self, texts: NDArray[np.float32], images: NDArray[np.float32]) -> dict[str, Any]:
        """:meth:`measured` as JSON, with text→image for each kind of caption alone under ``kinds``.

        A scholar searches with the words of the sources, so the kind ``original`` is what matters to her most.
        """
        whole = self.measured(texts, images).to_json()
        whole["kinds"] = {}
        for kind in dict.fromkeys(kind for kind in self.kinds if kind):
            part = self.only((kind,))
            rows = [row for row, name in enumerate(self.kinds) if name == kind]
            whole["kinds"][kind] = part.measured(texts[rows], images).t2i.to_json()
        return whole

    def only(self, kinds: tuple[str, ...]) -> "Encoded":
        """The same pictures with the captions of these kinds."""
        rows = [row for row, kind in enumerate(self.kinds) if kind in kinds]
        return Encoded(
            self.pixels,
            [self.texts[row] for row in rows],
            [self.text_images[row] for row in rows],
            [self.kinds[row] for row in rows],
            [self.passages[row] for row in rows],
            self.image_ids,
            [self.refused[row] for row in rows],
        )


def read_encoded(
    folder: Path, split: str, model: "LoadedModel", progress: Progress, *, keep: Path | None = None
) -> Encoded | None:
    """Read a split and decode each of its pictures once, to what the model takes; None when there is no such split.

    Pictures that would fill the memory go into the file ``keep`` where one is given, and are found there the next
    time (:func:`core.training.pixels.decoded_once`); its name must say what it holds.
    """
    from core.dataset.reader import read_split, splits_of
    from core.training.pixels import IN_MEMORY, decoded_once

    if split not in splits_of(folder):
        return None
    data = read_split(folder, split)
    store = decoded_once(
        len(data.image_ids),
        model.spec.resolution,
        lambda row: model.preprocess(normalised(data.image_bytes(data.image_ids[row]))),
        file=keep or folder,
        in_memory=IN_MEMORY if keep else sys.maxsize,
        progress=progress,
    )
    return with_pixels(data, store.pixels)


def with_pixels(data: "SplitData", pixels: NDArray[np.uint8]) -> Encoded:
    """A split whose pictures are these ``pixels``, in the order of its ``image_ids``."""
    rows = {image_id: row for row, image_id in enumerate(data.image_ids)}

    def rows_of(image_ids: Sequence[int]) -> list[int]:
        return [rows[image_id] for image_id in image_ids if image_id in rows]

    return Encoded(
        pixels,
        [text.text for text in data.texts],
        [rows_of(text.image_ids) for text in data.texts],
        [text.kind for text in data.texts],
        [text.passage_id for text in data.texts],
        list(data.image_ids),
        [rows_of(text.refused) for text in data.texts],
    )
