"""What a run learns from: pictures as pixels, texts, and which belong together."""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

log = logging.getLogger(__name__)

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """Pictures and texts, many to many, all by index.

    ``pixels`` uint8 [n_images, 3, r, r], an array or a memory map; ``text_images[t]`` lists the pictures of
    ``texts[t]``; ``rejected`` pairs (picture, text) that somebody found to be wrong: hard negatives. A rejected
    pair that is also given as right is taken to be right. Raises :class:`InputError` (``training_data``) when the
    parts do not fit together, and ``training_too_few`` when fewer than two pictures have a text, because there is
    nothing to contrast.
    """

    pixels: NDArray[np.uint8]
    texts: Sequence[str]
    text_images: Sequence[Sequence[int]]
    rejected: Sequence[tuple[int, int]] = ()
    image_texts: list[list[int]] = field(init=False, repr=False)
    wrong_texts: dict[int, list[int]] = field(init=False, repr=False)
    wrong_images: dict[int, list[int]] = field(init=False, repr=False)
    _wording_images: list[frozenset[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.text_images) or self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
            raise InputError("training_data")
        image_texts: list[list[int]] = [[] for _ in range(len(self.pixels))]
        by_wording: dict[str, set[int]] = defaultdict(set)
        for text, images in enumerate(self.text_images):
            for image in images:
                if not 0 <= image < len(self.pixels):
                    raise InputError("training_data")
                image_texts[image].append(text)
            by_wording[self.texts[text]].update(images)
        if sum(bool(texts) for texts in image_texts) < 2:
            raise InputError("training_too_few")
        wordings = {wording: frozenset(images) for wording, images in by_wording.items()}
        object.__setattr__(self, "image_texts", image_texts)
        object.__setattr__(self, "_wording_images", [wordings[text] for text in self.texts])
        self._index_rejected()

    def _index_rejected(self) -> None:
        """For a paired picture the texts that are wrong for it; for a text the wrong pictures that have no text
        of their own, since they would come into no batch otherwise.
        """
        wrong_texts: dict[int, list[int]] = defaultdict(list)
        wrong_images: dict[int, list[int]] = defaultdict(list)
        for image, text in self.rejected:
            if not (0 <= image < len(self.pixels) and 0 <= text < len(self.texts)):
                raise InputError("training_data")
            if image in self._wording_images[text]:
                log.warning("A rejected pair is also a pair of the dataset; it counts as right.")
            elif self.image_texts[image]:
                wrong_texts[image].append(text)
            else:
                wrong_images[text].append(image)
        object.__setattr__(self, "wrong_texts", dict(wrong_texts))
        object.__setattr__(self, "wrong_images", dict(wrong_images))

    @property
    def paired_images(self) -> Indices:
        """The pictures that have a text."""
        return np.array([i for i, texts in enumerate(self.image_texts) if texts], dtype=np.int64)

    def positives(self, images: Indices, texts: Indices) -> NDArray[np.bool_]:
        """Which texts belong to which pictures, bool [len(images), len(texts)].

        A text belongs to every picture that carries the same wording, under whatever text it was entered.
        """
        belongs = [self._wording_images[text] for text in texts]
        return np.array([[image in images_of for images_of in belongs] for image in images], dtype=bool)

    def signature(self) -> str:
        """A hash of texts, pairs and the pixels' shape, by which a resumed run knows its data again."""
        content = [
            list(self.pixels.shape),
            list(self.texts),
            [list(images) for images in self.text_images],
            [list(pair) for pair in self.rejected],
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
