"""Encode pictures and texts to unit-length features, in the order given."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.errors import ModelError
from core.model.loading import LoadedModel
from core.model.preprocess import stack_pixels
from core.progress import Progress, Silent, stop_if_asked

Images = Iterable[Image.Image] | NDArray[np.uint8]


def encode_images(
    model: LoadedModel, images: Images, batch: int = 64, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Features of pictures, float32 [n, dim], each row of length 1; :class:`ModelError` ``features_no_number``.

    ``images`` are PIL pictures (decoded one batch at a time) or preprocessed pixels, uint8 [n, 3, r, r].
    """
    total = len(images) if isinstance(images, Sized) else 0
    batches = _batches(images, batch, model.spec.resolution)
    return _encode(model, (model.image_features(torch.from_numpy(b)) for b in batches), total, "images", progress)


def encode_texts(
    model: LoadedModel, texts: Sequence[str], batch: int = 128, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Features of texts, float32 [n, dim], each row of length 1; :class:`ModelError` ``features_no_number``."""
    tokens = model.tokenize(texts).split(batch) if len(texts) else ()
    return _encode(model, (model.text_features(part) for part in tokens), len(texts), "texts", progress)


def _encode(
    model: LoadedModel, parts: Iterator[torch.Tensor], total: int, what: str, progress: Progress | None
) -> NDArray[np.float32]:
    watcher = progress or Silent()
    training = model.clip.training
    model.clip.eval()
    rows: list[NDArray[np.float32]] = []
    done = 0
    try:
        with torch.inference_mode():
            for part in parts:
                rows.append(part.float().cpu().numpy())
                if not np.isfinite(rows[-1]).all():
                    raise ModelError("features_no_number", model=model.spec.name)
                done += len(part)
                watcher.report(done, max(total, done), f"progress.encode_{what}")
                stop_if_asked(watcher)
    finally:
        model.clip.train(training)
    return np.concatenate(rows) if rows else np.empty((0, model.spec.dim), dtype=np.float32)


def _batches(images: Images, size: int, resolution: int) -> Iterator[NDArray[np.uint8]]:
    if isinstance(images, np.ndarray):
        for start in range(0, len(images), size):
            # a copy, because torch wants a writable array and a memory-mapped one is not
            yield np.array(images[start : start + size], dtype=np.uint8)
        return
    waiting = iter(images)
    while chunk := list(islice(waiting, size)):
        yield stack_pixels(chunk, resolution)
