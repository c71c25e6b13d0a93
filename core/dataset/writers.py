"""A dataset folder in Chinese-CLIP's formats, whole or not at all.

``{split}_imgs.tsv``: id TAB base64 of the file; ``{split}_texts.jsonl``: text_id, text, image_ids;
``lmdb/{split}`` made from both; beside them ``records.jsonl`` (where each text and picture comes from, and which
pictures were refused for a text: Chinese-CLIP's formats have no place for them) and ``manifest.json``.
"""

import base64
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb

from core.dataset.lmdb_files import write_lmdb
from core.dataset.manifest import FILE, Excluded, Manifest, check_name, file_hash, logical_hash
from core.dataset.reader import RECORDS, close_environments
from core.dataset.records import DatasetImage, DatasetSplit, DatasetText
from core.errors import InputError, NotFoundError, StorageError
from core.imaging.normalise import for_dataset
from core.progress import Progress, Silent, stop_if_asked

MAX_SIDE = 512
"""Pixels of the longer side in a dataset: above what any Chinese-CLIP reads (336), small enough to copy."""


def write_dataset(
    folder: Path,
    splits: Mapping[str, DatasetSplit],
    *,
    excluded: Sequence[Excluded] = (),
    captions: Mapping[str, dict[str, int]] | None = None,
    seed: int = 0,
    statuses: Sequence[str] = ("approved",),
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    created: str = "",
    warning: str = "",
    generated: bool = False,
    made_from: Mapping[str, int] | None = None,
    max_side: int = MAX_SIDE,
    progress: Progress | None = None,
) -> Manifest:
    """Write a dataset to ``folder``, whose name is its name; one that stands there is replaced as a whole.

    A picture that is gone or does not decode is left out, with its pairs and the texts that have no other,
    and listed as excluded. A split in which no pair is left is not written. Of the pictures refused for a text those
    of its own split are kept. Raises InputError
    ``dataset_name``, ``dataset_empty``; StorageError ``dataset_not_written``; ValueError for a picture in two
    splits. What stood there before stays when anything is raised.
    """
    folder = Path(folder)
    check_name(folder.name)
    _check_apart(splits)
    images: dict[str, list[DatasetImage]] = {}
    texts: dict[str, list[DatasetText]] = {}
    left_out = list(excluded)
    steps = _Steps(progress or Silent(), sum(len(split.images) for split in splits.values()))
    with _replacing(folder) as building:
        for name, split in splits.items():
            tsv, jsonl = building / f"{name}_imgs.tsv", building / f"{name}_texts.jsonl"
            stored, lost = _write_images(tsv, split.images, max_side, steps)
            kept, dropped = _with_images(split.texts, {image.id for image in stored})
            left_out += [*lost, *dropped]
            if not kept:
                tsv.unlink()
                continue
            rows = ({"text_id": text.id, "text": text.text, "image_ids": text.image_ids} for text in kept)
            _write_lines(jsonl, rows)
            write_lmdb(building / "lmdb" / name, tsv, jsonl)
            images[name], texts[name] = stored, kept
        if not texts:
            raise InputError("dataset_empty", name=folder.name)
        _write_lines(building / RECORDS, _origins(images, texts))
        manifest = Manifest(
            name=folder.name,
            hash=logical_hash(
                ((name, image.id, image.sha256) for name, stored in images.items() for image in stored),
                ((name, t.kind, t.text, t.image_ids, t.refused) for name, kept in texts.items() for t in kept),
            ),
            splits={
                name: {
                    "images": len(images[name]),
                    "texts": len(kept),
                    "pairs": sum(len(text.image_ids) for text in kept),
                    **({"refused": refused} if (refused := sum(len(text.refused) for text in kept)) else {}),
                }
                for name, kept in texts.items()
            },
            files={
                path.relative_to(building).as_posix(): file_hash(path)
                for path in sorted(building.rglob("*"))
                if path.is_file()
            },
            excluded=tuple(left_out),
            captions=dict(captions or {}),
            seed=seed,
            statuses=tuple(statuses),
            settings={"max_side": max_side, **(settings or {})},
            versions=dict(versions or {}),
            created=created,
            warning=warning,
            generated=generated,
            made_from=dict(made_from or {}),
        )
        content = json.dumps(manifest.to_json(), ensure_ascii=False, indent=2) + "\n"
        (building / FILE).write_text(content, encoding="utf-8", newline="\n")
        stop_if_asked(steps.progress)
    return manifest


class _Steps:
    """Counts pictures over all splits for the progress report."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def next(self) -> None:
        stop_if_asked(self.progress)
        self.done += 1
        self.progress.report(self.done, self.total, "progress.dataset_images")


def _write_images(
    path: Path, images: Iterable[DatasetImage], max_side: int, steps: _Steps
) -> tuple[list[DatasetImage], list[Excluded]]:
    stored: list[DatasetImage] = []
    lost: list[Excluded] = []
    with path.open("wb") as file:
        for image in images:
            steps.next()
            try:
                data = for_dataset(image.data(), max_side)
            except (InputError, NotFoundError) as error:
                lost.append(Excluded(f"image:{image.id}", f"excluded.{error.code}"))
                continue
            except OSError:
                lost.append(Excluded(f"image:{image.id}", "excluded.picture_missing"))
                continue
            file.write(f"{image.id}\t".encode() + base64.b64encode(data) + b"\n")
            stored.append(image)
    return stored, lost


def _with_images(texts: Iterable[DatasetText], stored: set[int]) -> tuple[list[DatasetText], list[Excluded]]:
    kept: list[DatasetText] = []
    dropped: list[Excluded] = []
    for text in texts:
        image_ids = tuple(dict.fromkeys(image_id for image_id in text.image_ids if image_id in stored))
        if image_ids:
            refused = tuple(sorted((stored & set(text.refused)) - set(image_ids)))
            kept.append(replace(text, image_ids=image_ids, refused=refused))
        else:
            dropped.append(Excluded(f"passage:{text.passage_id}:{text.kind}", "excluded.no_picture"))
    return kept, dropped


def _origins(
    images: Mapping[str, list[DatasetImage]], texts: Mapping[str, list[DatasetText]]
) -> Iterator[dict[str, Any]]:
    for name, stored in images.items():
        for image in stored:
            yield {"split": name, "image_id": image.id, "sha256": image.sha256}
        for text in texts[name]:
            row = {"split": name, "text_id": text.id, "kind": text.kind, "passage_id": text.passage_id}
            yield row | ({"refused": text.refused} if text.refused else {})


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _check_apart(splits: Mapping[str, DatasetSplit]) -> None:
    """A picture or text number twice, or the same picture in two splits, would make every figure a lie."""
    images = [image for split in splits.values() for image in split.images]
    texts = [text.id for split in splits.values() for text in split.texts]
    if len({image.id for image in images}) < len(images) or len(set(texts)) < len(texts):
        raise ValueError("an image or text id occurs twice")
    if len({(name, i.sha256) for name, split in splits.items() for i in split.images}) > len(
        {image.sha256 for image in images}
    ):
        raise ValueError("the same picture is in two splits")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` that takes its place when the block ends well; no trace of it else."""
    old = folder.with_name(f".{folder.name}.old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if old.exists():  # a replacement that was cut short: between the two renames, or before the removal
            old.rename(folder) if not folder.exists() else shutil.rmtree(old)
        for crumb in folder.parent.glob(f".{folder.name}.new-*"):
            shutil.rmtree(crumb, ignore_errors=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        try:
            yield building
            building.chmod(0o755)
            # Windows does not rename what is open, and an open LMDB would go on showing the old records.
            close_environments(folder)
            if folder.exists():
                folder.rename(old)
            try:
                building.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    except (OSError, lmdb.Error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StorageError("dataset_not_written", name=folder.name, reason=reason) from error
