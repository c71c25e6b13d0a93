"""Datasets as they stand on disk, written here or by Chinese-CLIP's own scripts."""

import base64
import binascii
import io
import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from core.dataset.records import TextRecord
from core.errors import InputError, NotFoundError

RECORDS = "records.jsonl"
# What a row that is not as it was written raises, from JSON that is none to a number that is text.
_BROKEN = (ValueError, KeyError, TypeError, OverflowError, RecursionError)

_Kind = TypeVar("_Kind")
_lock = threading.Lock()
_environments: dict[str, tuple[tuple[int, int, int], lmdb.Environment]] = {}


@dataclass(frozen=True)
class SplitData:
    """One split: texts in memory, pictures read when asked for, so it can be sent to a worker process."""

    folder: Path
    split: str
    image_ids: tuple[int, ...]
    texts: tuple[TextRecord, ...]
    sha256: dict[int, str] = field(default_factory=dict, repr=False)
    _offsets: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)

    def image_bytes(self, image_id: int) -> bytes:
        """The file of one picture; raises NotFoundError ``dataset_image_missing``."""
        if self._offsets:
            if image_id not in self._offsets:
                raise NotFoundError("dataset_image_missing", image=image_id, name=self.folder.name)
            start, length = self._offsets[image_id]
            with (self.folder / f"{self.split}_imgs.tsv").open("rb") as file:
                file.seek(start)
                return _decoded(file.read(length), self.folder.name)
        value = _get(self.folder / "lmdb" / self.split / "imgs", str(image_id).encode())
        if value is None:
            raise NotFoundError("dataset_image_missing", image=image_id, name=self.folder.name)
        return _decoded(value, self.folder.name)


def splits_of(folder: Path) -> tuple[str, ...]:
    """The splits a dataset folder holds, train, valid, test first."""
    found = {path.name.removesuffix("_texts.jsonl") for path in folder.glob("*_texts.jsonl")}
    found |= {path.parent.name for path in folder.glob("lmdb/*/pairs")}
    usual = ("train", "valid", "test")
    return (*(name for name in usual if name in found), *sorted(found.difference(usual)))


def read_split(folder: Path, split: str) -> SplitData:
    """Read one split from LMDB or, where there is none, from TSV and JSONL.

    Texts come from the JSONL where it stands (it also has texts without pictures). Raises NotFoundError
    ``dataset_missing`` or ``split_missing``, InputError ``dataset_damaged``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotFoundError("dataset_missing", name=folder.name)
    packed, jsonl = folder / "lmdb" / split, folder / f"{split}_texts.jsonl"
    tsv = folder / f"{split}_imgs.tsv"
    offsets: dict[int, tuple[int, int]] = {}
    if (packed / "imgs").is_dir():
        image_ids = sorted(_image_keys(packed / "imgs"))
    elif tsv.is_file():
        offsets = _tsv_offsets(tsv)
        image_ids = sorted(offsets)
    else:
        raise NotFoundError("split_missing", split=split, name=folder.name)
    if jsonl.is_file():
        texts = _jsonl_texts(jsonl)
    elif (packed / "pairs").is_dir():
        texts = _lmdb_texts(packed / "pairs")
    else:
        raise NotFoundError("split_missing", split=split, name=folder.name)
    origin, sha256 = _origins(folder, split)
    return SplitData(
        folder=folder,
        split=split,
        image_ids=tuple(image_ids),
        texts=tuple(TextRecord(text_id, text, ids, *origin.get(text_id, ())) for text_id, text, ids in texts),
        sha256=sha256,
        _offsets=offsets,
    )


def close_environments(folder: Path | None = None) -> None:
    """Close the LMDB files held open, all or those under ``folder``: before they are replaced or moved."""
    with _lock:
        for path in list(_environments):
            if folder is None or Path(path).is_relative_to(Path(folder).resolve()):
                _environments.pop(path)[1].close()


def _damaged(path: Path) -> InputError:
    """What is said of an LMDB in ``NAME/lmdb/SPLIT/PART``."""
    return InputError("dataset_damaged", name=path.parents[2].name, where=path.name)


def _environment(path: Path) -> lmdb.Environment:
    """The one open environment of a path (LMDB refuses a second in a process); new when the file is."""
    key = str(path.resolve())
    stat = (path / "data.mdb").stat()
    identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    held = _environments.get(key)
    if held is not None and held[0] == identity:
        return held[1]
    if held is not None:
        _environments.pop(key)[1].close()
    opened = lmdb.open(key, readonly=True, create=False, lock=False, readahead=False, meminit=False)
    # To read a page that a cut file has lost ends the process (SIGBUS). Opening reads the two head pages alone, and
    # refuses a file that is shorter than they are.
    if stat.st_size < (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]:
        opened.close()
        raise _damaged(path)
    _environments[key] = (identity, opened)
    return opened


@contextmanager
def _reading(path: Path) -> Iterator["lmdb.Transaction[bytes]"]:
    """A transaction for one thread at a time; raises InputError ``dataset_damaged`` for what LMDB cannot read."""
    try:
        with _lock, _environment(path).begin() as transaction:
            yield transaction
    except (lmdb.Error, FileNotFoundError) as error:
        raise _damaged(path) from error


def _get(path: Path, key: bytes) -> bytes | None:
    with _reading(path) as transaction:
        value: bytes | None = transaction.get(key)
        return value


def _items(path: Path) -> list[tuple[bytes, bytes]]:
    with _reading(path) as transaction:
        return list(transaction.cursor())


def _image_keys(path: Path) -> list[int]:
    with _reading(path) as transaction:
        keys = list(transaction.cursor().iternext(keys=True, values=False))
    try:
        return [int(key) for key in keys if key != b"num_images"]
    except ValueError as error:
        raise _damaged(path) from error


class _Plain(pickle.Unpickler):
    """Reads numbers and text only: a dataset from elsewhere must not run code."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} in a dataset")


def _lmdb_texts(path: Path) -> list[tuple[int, str, tuple[int, ...]]]:
    items = _items(path)
    texts: dict[int, tuple[str, list[int]]] = {}
    try:
        for _, value in sorted((int(key), value) for key, value in items if key != b"num_samples"):
            image_id, text_id, text = _Plain(io.BytesIO(value)).load()
            texts.setdefault(int(text_id), (str(text), []))[1].append(int(image_id))
    except Exception as error:  # a damaged pickle may raise anything
        raise _damaged(path) from error
    return [(text_id, text, tuple(ids)) for text_id, (text, ids) in texts.items()]


def _field(row: dict[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    """The value of a field, of that type; raises KeyError or TypeError."""
    value = row[name]
    if type(value) is not kind:
        raise TypeError(name)
    return value


def _rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """The lines of a file that are not blank, as bytes, each with the name and number to say where it is."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path.name}:{number}", line


def _jsonl_texts(path: Path) -> list[tuple[int, str, tuple[int, ...]]]:
    texts: list[tuple[int, str, tuple[int, ...]]] = []
    for where, line in _rows(path):
        try:
            row = json.loads(line.decode())
            image_ids = tuple(map(int, _field(row, "image_ids", list)))
            texts.append((int(row["text_id"]), _field(row, "text", str), image_ids))
        except _BROKEN as error:
            raise InputError("dataset_damaged", name=path.parent.name, where=where) from error
    return texts


def _tsv_offsets(path: Path) -> dict[int, tuple[int, int]]:
    """For each picture where its base64 begins in the file and how long it is."""
    offsets: dict[int, tuple[int, int]] = {}
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            image_id, tab, data = line.rstrip(b"\r\n").partition(b"\t")
            if not tab or not image_id.strip().isdigit():
                where = f"{path.name}:{number}"
                raise InputError("dataset_damaged", name=path.parent.name, where=where)
            offsets[int(image_id)] = (start + len(image_id) + 1, len(data))
            start += len(line)
    return offsets


def _origins(folder: Path, split: str) -> tuple[dict[int, tuple[str, int, tuple[int, ...]]], dict[int, str]]:
    """Kind, passage and refused pictures of each text, and SHA-256 of each original, from the file written beside."""
    texts: dict[int, tuple[str, int, tuple[int, ...]]] = {}
    images: dict[int, str] = {}
    path = folder / RECORDS
    if not path.is_file():
        return texts, images
    for where, line in _rows(path):
        try:
            row = json.loads(line.decode())
            if _field(row, "split", str) != split:
                continue
            if "text_id" in row:
                refused = tuple(map(int, _field({"refused": [], **row}, "refused", list)))
                origin = (_field(row, "kind", str), _field(row, "passage_id", int), refused)
                texts[_field(row, "text_id", int)] = origin
            else:
                images[_field(row, "image_id", int)] = _field(row, "sha256", str)
        except _BROKEN as error:
            raise InputError("dataset_damaged", name=folder.name, where=where) from error
    return texts, images


def _decoded(data: bytes, name: str) -> bytes:
    """Base64 as Chinese-CLIP takes it: standard or with the URL alphabet."""
    try:
        return base64.b64decode(data.replace(b"-", b"+").replace(b"_", b"/"), validate=True)
    except binascii.Error as error:
        raise InputError("dataset_damaged", name=name, where="base64") from error
