"""Searching the collection with words, a picture, or both."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlite_utils import Database

from core.errors import InputError, NotFoundError
from core.progress import Progress, Silent
from core.records import ImageRecord
from db.home import Home
from db.images import Images
from workbench.tasks.models import base_name, load_for_search, picture_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.model.loading import LoadedModel
    from core.retrieval.index import VectorIndex

BETWEEN = "between"
KEPT_BETWEEN = 4
"""Whoever moves the slider about leaves features of a whole collection at each stop; all can be made again."""


@dataclass(frozen=True)
class Found:
    """One picture of an answer; ``score`` is the cosine of the two embeddings, -1 to 1."""

    rank: int
    image: ImageRecord
    score: float


def search(
    home: Home,
    db: Database,
    text: str,
    *,
    picture: bytes = b"",
    model: str = "",
    run: str = "",
    strength: float = 1.0,
    top: int = 24,
    progress: Progress | None = None,
) -> list[Found]:
    """The nearest pictures of the collection, best first, exact.

    ``strength`` is how much a run's tuning counts, 0 to 1. Pictures the model has not seen yet are encoded first and
    kept under the model's key. Raises InputError for an empty query, NotFoundError for an empty collection.
    """
    from core.imaging.normalise import normalised
    from core.imaging.picture import read_picture
    from core.model.features import encode_images, encode_texts
    from core.retrieval.compose import compose

    if not text.strip() and not picture:
        raise InputError("search_empty")
    images = {image.id: image for image in Images(db).all()}
    if not images:
        raise NotFoundError("no_images")
    if picture:
        read_picture(picture, "query")
    with load_for_search(home, db, model=model, run=run, strength=strength) as loaded:
        index = _index(home, loaded, strength, images, progress or Silent())
        query = compose(
            encode_texts(loaded, [text])[0] if text.strip() else None,
            encode_images(loaded, [normalised(picture, 1024)])[0] if picture else None,
        )
    return [Found(rank, images[i], score) for rank, (i, score) in enumerate(index.search(query, top), 1)]


def _index(
    home: Home, model: "LoadedModel", strength: float, images: Mapping[int, ImageRecord], progress: Progress
) -> "VectorIndex[int]":
    """The features of all pictures; at strengths between base and tuned those of the last few are kept."""
    from core.imaging.normalise import normalised
    from core.imaging.store import ImageStore
    from core.model.features import encode_images
    from core.retrieval.features import FeatureStore

    store = ImageStore(home.images)

    def encode(ids: list[int]) -> "NDArray[np.floating]":
        import numpy as np

        parts = []
        for start in range(0, len(ids), 64):
            chunk = ids[start : start + 64]
            pictures = [normalised(store.preview(images[i].sha256).read_bytes(), 512) for i in chunk]
            parts.append(encode_images(model, pictures))
            progress.report(start + len(chunk), len(ids), "progress.reading_pictures")
        return np.concatenate(parts)

    key = picture_key(model)
    untouched = bool(model.adapter) and key == model.fingerprint  # text tower only: the base's pictures serve
    if strength in (0, 1) or untouched:
        return FeatureStore(home.features).refresh(key, list(images), encode)
    features = FeatureStore(home.features / BETWEEN)
    index = features.refresh(key, list(images), encode)
    _keep_latest(features.folder, key)
    return index


def _keep_latest(folder: Path, key: str) -> None:
    """Note that these features were used now, and remove those used longest ago."""
    with suppress(OSError):  # another process tidies up at this moment, or reads on Windows
        os.utime(folder / f"{key}.npz")
        latest_first = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for file in latest_first[KEPT_BETWEEN:]:
            file.unlink(missing_ok=True)


def model_name(home: Home, db: Database, model: str, run: str) -> str:
    """The base model that an answer came from."""
    from db.experiments import Runs

    return Runs(db).get(run).model if run else base_name(home, model)
