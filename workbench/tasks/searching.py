"""Searching the collection with words, a picture, or both."""

from dataclasses import dataclass

from sqlite_utils import Database

from core.errors import InputError, NotFoundError
from core.progress import Progress, Silent
from core.records import ImageRecord
from db.home import Home
from db.images import Images
from workbench.tasks.models import base_name, load_for_search


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
    top: int = 24,
    progress: Progress | None = None,
) -> list[Found]:
    """The nearest pictures of the collection, best first, exact.

    Pictures the model has not seen yet are encoded first and kept under the model's key. Raises InputError
    for an empty query, NotFoundError for an empty collection.
    """
    from PIL import Image

    from core.imaging.normalise import normalised
    from core.imaging.picture import read_picture
    from core.imaging.store import ImageStore
    from core.model.features import encode_images, encode_texts
    from core.retrieval.compose import compose
    from core.retrieval.features import FeatureStore

    if not text.strip() and not picture:
        raise InputError("search_empty")
    images = {image.id: image for image in Images(db).all()}
    if not images:
        raise NotFoundError("no_images")
    if picture:
        read_picture(picture, "query")
    loaded = load_for_search(home, db, model=model, run=run)
    store = ImageStore(home.images)

    def decoded(ids: list[int]) -> "list[Image.Image]":
        return [normalised(store.preview(images[i].sha256).read_bytes(), 512) for i in ids]

    def encode(ids: list[int]):  # type: ignore[no-untyped-def]
        import numpy as np

        parts = []
        for start in range(0, len(ids), 64):
            parts.append(encode_images(loaded, decoded(ids[start : start + 64])))
            (progress or Silent()).report(min(start + 64, len(ids)), len(ids), "progress.reading_pictures")
        return np.concatenate(parts)

    index = FeatureStore(home.features).refresh(loaded.key, list(images), encode)
    query = compose(
        encode_texts(loaded, [text])[0] if text.strip() else None,
        encode_images(loaded, [normalised(picture, 1024)])[0] if picture else None,
    )
    return [Found(rank, images[i], score) for rank, (i, score) in enumerate(index.search(query, top), 1)]


def model_name(home: Home, db: Database, model: str, run: str) -> str:
    """The base model that an answer came from."""
    from db.experiments import Runs

    return Runs(db).get(run).model if run else base_name(home, model)
