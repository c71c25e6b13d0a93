"""Whether two datasets have something in common, so that nobody is examined in what she has learned."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from sqlite_utils import Database

from core.dataset.splits import SPLITS, text_key
from db.home import Home
from db.images import Images
from db.passages import Passages
from workbench.tasks.datasets import record_of

Trace = tuple[str, str]
"""One thing that two datasets can have in common: ``("picture", SHA-256)``, ``("passage", id)``, ``("work", title)``,
``("text", words)`` of a caption or of the passage it is made from, whatever the script and the punctuation."""

_NOTHING: Trace = ("text", "")
"""Punctuation alone is no wording that two texts share."""

# a page asks for the same passages at each of its runs
_wording = lru_cache(maxsize=100_000)(text_key)


def shared(
    home: Home,
    db: Database,
    dataset: str,
    other: str,
    *,
    splits: Collection[str] = SPLITS,
    other_splits: Collection[str] = SPLITS,
) -> bool:
    """Whether splits of two datasets have something in common.

    That is a picture, a nearly equal picture, a work of art, a passage or a wording: so strict are the splits of one
    dataset too. A dataset that does not say where its records are from shares, for all that is known.
    """
    from core.imaging.fingerprint import near_duplicates

    known = Images(db).all(deleted=True)  # what was learned from is not unlearned by a deletion
    works = {image.sha256: image.work for image in known if image.work}
    first = _traces(home, db, dataset, splits, works)
    second = _traces(home, db, other, other_splits, works)
    if first is None or second is None or first & second:
        return True
    both = {value for kind, value in first | second if kind == "picture"}
    prints = {image.sha256: image.dhash for image in known if image.dhash and image.sha256 in both}
    return any((("picture", a) in first) != (("picture", b) in first) for a, b in near_duplicates(prints))


def _traces(
    home: Home, db: Database, name: str, splits: Collection[str], works: Mapping[str, str]
) -> set[Trace] | None:
    recorded = _recorded(home.datasets / name, record_of(home, db, name).hash)
    if recorded is None:
        return None
    found = {trace for split, traces in recorded.items() if split in splits for trace in traces}
    found |= {("work", works[sha]) for kind, sha in found if kind == "picture" and sha in works}
    passages = [int(value) for kind, value in found if kind == "passage"]
    return found | {("text", _wording(text)) for text in Passages(db).texts(passages).values()} - {_NOTHING}


@lru_cache(maxsize=32)
def _recorded(folder: Path, content_hash: str) -> dict[str, frozenset[Trace]] | None:
    """By split the traces in the files of a dataset as it was built once; None where some record has no origin."""
    from core.dataset.reader import read_split, splits_of

    found: dict[str, frozenset[Trace]] = {}
    for split in splits_of(folder):
        data = read_split(folder, split)
        if set(data.sha256) != set(data.image_ids) or not all(text.passage_id for text in data.texts):
            return None
        traces: set[Trace] = {("picture", sha) for sha in data.sha256.values()}
        for text in data.texts:
            traces |= {("passage", str(text.passage_id)), ("text", _wording(text.text))} - {_NOTHING}
        found[split] = frozenset(traces)
    return found
