"""Datasets: what would go in, and building them."""

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlite_utils import Database

from core.dataset.captions import KINDS, CaptionCount, Kind, captions_of
from core.dataset.manifest import Excluded, Manifest, changed_files, check_name, read_manifest
from core.dataset.records import DatasetImage, DatasetSplit, DatasetText
from core.dataset.splits import SPLITS, split_components
from core.dataset.writers import write_dataset
from core.errors import InputError
from core.imaging.fingerprint import near_duplicates
from core.imaging.store import ImageStore
from core.progress import Progress
from core.records import DatasetRecord, ImageRecord
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import Passage
from db.annotations import Annotations
from db.connection import now, transaction
from db.experiments import Datasets, Runs
from db.home import Home
from db.images import Images, Pairs
from db.made_from import changed_since
from db.suggestions import Suggestions
from workbench.jobs.kinds import JobContext

CAPTION_KINDS: tuple[Kind, ...] = (*KINDS, "english")
DEFAULT_KINDS: tuple[Kind, ...] = KINDS
MADE_OF: dict[Kind, tuple[str, ...]] = {
    "original": ("text", "entities"),
    "modern": ("modern_chinese", "entities"),
    "prompt": ("search_prompt", "entities"),
    "english": ("english", "entities"),
}
"""The parts of an annotation that each kind of caption is made of; entities decide where a long text is cut."""


def checked_name(name: str) -> str:
    """A name that is safe as a folder; InputError otherwise."""
    return check_name(name.strip())


def checked_kinds(kinds: Iterable[str]) -> list[Kind]:
    """The kinds of caption, each known; InputError ``caption_kind_unknown`` otherwise."""
    known = {kind: kind for kind in CAPTION_KINDS}
    for kind in kinds:
        if kind not in known:
            raise InputError("caption_kind_unknown", kind=kind, known=", ".join(CAPTION_KINDS))
    return [known[kind] for kind in kinds]  # type: ignore[index]


def checked_statuses(statuses: Iterable[str]) -> list[str]:
    """The statuses, each one that can hold a value; InputError ``status_unknown`` otherwise."""
    known = [status.value for status in Status if status not in (Status.NEW, Status.DISCARDED)]
    for status in statuses:
        if status not in known:
            raise InputError("status_unknown", status=status, known=", ".join(known))
    return list(statuses)


@dataclass
class Gathered:
    """What a dataset would be made of; ``used`` are passage, value and its pictures, ``excluded`` is left out.

    ``refused`` are by passage the pictures that somebody found not to belong to it.
    """

    used: list[tuple[Passage, AnnotationValue, list[ImageRecord]]] = field(default_factory=list)
    excluded: list[dict[str, str]] = field(default_factory=list)
    captions: CaptionCount = field(default_factory=CaptionCount)
    texts: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    revisions: dict[int, int] = field(default_factory=dict)
    refused: dict[int, list[int]] = field(default_factory=dict)

    @property
    def images(self) -> dict[int, ImageRecord]:
        """Every picture that goes in, by its id."""
        return {image.id: image for _, _, images in self.used for image in images}


def gather(db: Database, *, statuses: Sequence[str], kinds: Sequence[Kind]) -> Gathered:
    """Passages of the statuses with their pictures and captions, and what is left out with the reason."""
    gathered = Gathered()
    images = {image.id: image for image in Images(db).all()}
    linked: dict[int, list[ImageRecord]] = {}
    for pair in Pairs(db).all():
        linked.setdefault(pair.passage_id, []).append(images[pair.image_id])
    for pair in Pairs(db).all(refused=True):
        gathered.refused.setdefault(pair.passage_id, []).append(pair.image_id)
    wanted = [Status(status) for status in statuses]
    suggestions = Suggestions(db)
    used_passages = set()
    for passage, annotation in Annotations(db).with_status(wanted):
        what = f"passage:{passage.id}"
        value = annotation.value
        if annotation.status is Status.SUGGESTED:
            latest = suggestions.latest(passage)
            value = latest.value if latest and latest.value else value
        if passage.id not in linked:
            gathered.excluded.append({"what": what, "why": "excluded.no_image"})
            continue
        captions = captions_of(passage.id, passage.text, value, kinds, gathered.captions)
        if not captions:
            gathered.excluded.append({"what": what, "why": "excluded.no_caption"})
            continue
        used_passages.add(passage.id)
        gathered.used.append((passage, value, linked[passage.id]))
        gathered.revisions[passage.id] = annotation.revision
        gathered.texts[passage.id] = [(caption.kind, caption.text) for caption in captions]
    for passage_id in sorted(set(linked) - used_passages):
        gathered.excluded.append({"what": f"passage:{passage_id}", "why": "excluded.not_approved"})
    used_images = gathered.images
    for image in images.values():
        if image.id not in used_images:
            gathered.excluded.append({"what": f"image:{image.id}", "why": "excluded.no_passage"})
    return gathered


def splits_of(
    gathered: Gathered, store: ImageStore, *, valid: float, test: float, seed: int
) -> tuple[dict[str, DatasetSplit], str]:
    """Deal what was gathered into splits that share no picture, passage or wording; with the warning, if any."""
    groups: dict[int, list[str]] = {
        image.id: [f"work:{image.work}"] for image in gathered.images.values() if image.work
    }
    prints = {image.id: image.dhash for image in gathered.images.values() if image.dhash}
    for number, pair in enumerate(near_duplicates(prints)):
        for image_id in pair:
            groups.setdefault(image_id, []).append(f"near:{number}")
    result = split_components(
        [(passage.id, image.id) for passage, _, images in gathered.used for image in images],
        texts={
            passage.id: [passage.text, *(text for _, text in gathered.texts[passage.id])]
            for passage, _, _ in gathered.used
        },
        image_groups=groups,
        valid=valid,
        test=test,
        seed=seed,
    )
    return {name: _part(gathered, store, result.passages, name) for name in SPLITS}, result.warning


def _part(gathered: Gathered, store: ImageStore, places: Mapping[int, str], name: str) -> DatasetSplit:
    used = [row for row in gathered.used if places[row[0].id] == name]
    images = {image.id: image for _, _, linked in used for image in linked}
    texts = [
        DatasetText(
            id=passage.id * len(CAPTION_KINDS) + CAPTION_KINDS.index(kind),
            text=text,
            image_ids=tuple(image.id for image in linked),
            kind=kind,
            passage_id=passage.id,
            refused=tuple(gathered.refused.get(passage.id, ())),
        )
        for passage, _, linked in used
        for kind, text in gathered.texts[passage.id]
    ]
    lazy = (DatasetImage(image.id, partial(store.read, image.sha256), image.sha256) for image in images.values())
    return DatasetSplit(images=tuple(lazy), texts=tuple(texts))


def build(home: Home, db: Database, params: Mapping[str, Any], progress: Progress) -> Manifest:
    """Build ``datasets/NAME`` from what ``params`` ask for, and record it.

    Raises InputError ``dataset_empty`` when there is nothing to build from; an earlier dataset of the name stays then.
    """
    # In one transaction: a change that comes later is then in a revision of its own, which the dataset is older than.
    with transaction(db):
        Annotations(db).seal_all()
        gathered = gather(db, statuses=params["statuses"], kinds=params["kinds"])
    if not gathered.used:
        raise InputError("dataset_empty", name=params["name"])
    store = ImageStore(home.images)
    fractions = {"valid": float(params["valid"]), "test": float(params["test"])}
    splits, warning = splits_of(gathered, store, seed=params["seed"], **fractions)
    manifest = write_dataset(
        home.datasets / params["name"],
        splits,
        excluded=[Excluded(row["what"], row["why"]) for row in gathered.excluded],
        captions=gathered.captions.to_json(),
        seed=params["seed"],
        statuses=params["statuses"],
        settings={**fractions, "kinds": list(params["kinds"])},
        versions={
            name: importlib.metadata.version(name) for name in ("songclip-workbench", "cn-clip", "lmdb", "pillow")
        },
        created=now(),
        warning=warning,
        generated=home.marker(db) == "demo",
        made_from={str(passage_id): revision for passage_id, revision in gathered.revisions.items()},
        progress=progress,
    )
    Datasets(db).put(manifest.name, manifest.hash, manifest.to_json())
    return manifest


def record_of(home: Home, db: Database, name: str) -> DatasetRecord:
    """The record of a dataset as its files stand; a build that was killed between the two is recorded now.

    Raises NotFoundError for a dataset that is unknown or whose files are gone, InputError for damaged ones.
    """
    record = Datasets(db).get(name)
    manifest = read_manifest(home.datasets / name)
    if manifest.hash != record.hash:
        Datasets(db).put(name, manifest.hash, manifest.to_json())
        record = Datasets(db).get(name)
    return record


def verify(home: Home, db: Database, name: str) -> None:
    """Raise InputError ``dataset_changed`` unless the files of a dataset are those that were built; reads each once.

    Raises also as :func:`record_of`.
    """
    record_of(home, db, name)
    folder = home.datasets / name
    if changed := changed_files(folder, read_manifest(folder)):
        raise InputError("dataset_changed", name=name, files=", ".join(changed))


def stale_passages(db: Database, manifest: Mapping[str, Any]) -> list[int]:
    """The passages of a dataset that are no longer what it was made from, in order of their ids.

    Something its captions are made of changed after the revision that was used, the annotation left the statuses that
    were asked for, or the passage was deleted. Empty for a dataset that does not say what it was made from.
    """
    kinds = manifest.get("settings", {}).get("kinds", CAPTION_KINDS)
    parts = {part for kind in kinds for part in MADE_OF.get(kind, ())}
    return changed_since(db, manifest.get("made_from", {}), parts=parts, statuses=manifest.get("statuses", ()))


def made_before(db: Database, passage_id: int) -> tuple[list[str], list[str]]:
    """The datasets, and the runs trained on them, that were made from a passage as it is no longer."""
    datasets, runs = [], []
    for name, content_hash, manifest in Datasets(db).that_used(passage_id):
        if stale_passages(db, manifest):
            datasets.append(name)
            runs += Runs(db).trained_on(name, content_hash)
    return datasets, runs


def dataset_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: build a dataset."""
    manifest = build(context.home, context.db, params, context.progress).to_json()
    kept = {name: manifest[name] for name in ("name", "hash", "splits", "excluded", "warning", "captions")}
    return {"path": str(context.home.datasets / manifest["name"]), **kept}
