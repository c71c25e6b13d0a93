"""One split of a dataset as a model sees it: pixels, texts, and which belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.normalise import normalised
from core.progress import Progress, stop_if_asked

if TYPE_CHECKING:
    from core.evaluation.report import Evaluation
    from core.model.loading import LoadedModel


@dataclass(frozen=True)
class Encoded:
    """``pixels`` uint8 [n, 3, r, r]; ``text_images[t]`` the rows of ``pixels`` that text t belongs to."""

    pixels: NDArray[np.uint8]
    texts: list[str]
    text_images: list[list[int]]
    kinds: list[str]
    passages: list[int]

    def evaluate(self, model: "LoadedModel") -> "Evaluation":
        """Full-gallery figures of the model as it stands."""
        from core.evaluation.report import evaluate
        from core.model.features import encode_images, encode_texts

        images = encode_images(model, self.pixels)
        texts = encode_texts(model, self.texts)
        return evaluate(texts, images, self.text_images, text_groups=self.passages)

    def figures(self, model: "LoadedModel") -> dict[str, Any]:
        """The figures of :meth:`evaluate` as JSON, with text→image for each kind of caption alone under ``kinds``.

        A scholar searches with the words of the sources, so the kind ``original`` is what matters to her most.
        """
        from core.evaluation.report import evaluate
        from core.model.features import encode_images, encode_texts

        images = encode_images(model, self.pixels)
        texts = encode_texts(model, self.texts)
        whole = evaluate(texts, images, self.text_images, text_groups=self.passages).to_json()
        whole["kinds"] = {}
        for kind in dict.fromkeys(kind for kind in self.kinds if kind):
            part = self.only((kind,))
            rows = [row for row, name in enumerate(self.kinds) if name == kind]
            found = evaluate(texts[rows], images, part.text_images, text_groups=part.passages)
            whole["kinds"][kind] = found.t2i.to_json()
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
        )


def read_encoded(folder: Path, split: str, model: "LoadedModel", progress: Progress) -> Encoded | None:
    """Read a split and decode each of its pictures once, to what the model takes; None when there is no such split."""
    from core.dataset.reader import read_split, splits_of

    if split not in splits_of(folder):
        return None
    data = read_split(folder, split)
    side = model.spec.resolution
    pixels = np.empty((len(data.image_ids), 3, side, side), dtype=np.uint8)
    for row, image_id in enumerate(data.image_ids):
        stop_if_asked(progress)
        pixels[row] = model.preprocess(normalised(data.image_bytes(image_id)))
        progress.report(row + 1, len(pixels), "progress.reading_pictures")
    rows = {image_id: row for row, image_id in enumerate(data.image_ids)}
    return Encoded(
        pixels,
        [text.text for text in data.texts],
        [[rows[image_id] for image_id in text.image_ids if image_id in rows] for text in data.texts],
        [text.kind for text in data.texts],
        [text.passage_id for text in data.texts],
    )
