"""LMDB as ``cn_clip`` reads it, made from the TSV and JSONL of a split as its own script makes it.

``pairs``: keys "0" … "n-1" hold ``pickle.dumps((image_id, text_id, text))``, one a text and image, and
``num_samples``; ``imgs``: the image id holds base64 text, and ``num_images``
(cn_clip/preprocess/build_lmdb_dataset.py, training/data.py).
"""

import json
import mmap
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lmdb

_BATCH = 1000
_PAGE = max(4096, mmap.PAGESIZE)


def write_lmdb(folder: Path, images_tsv: Path, texts_jsonl: Path) -> None:
    """Write ``folder/imgs`` and ``folder/pairs``; the folder must be new, so that no stale key can stay."""
    folder.mkdir(parents=True)
    # Every row is passed twice: once for the size of the map, once to be written.
    _write(folder / "imgs", lambda: _images(images_tsv), b"num_images")
    _write(folder / "pairs", lambda: _pairs(texts_jsonl), b"num_samples")


def _images(path: Path) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        for line in file:
            image_id, _, data = line.rstrip(b"\n").partition(b"\t")
            yield image_id, data


def _pairs(path: Path) -> Iterator[tuple[bytes, bytes]]:
    number = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            for image_id in row["image_ids"]:
                yield str(number).encode(), pickle.dumps((image_id, row["text_id"], row["text"]))
                number += 1


def _write(folder: Path, rows: Callable[[], Iterator[tuple[bytes, bytes]]], total: bytes) -> None:
    folder.mkdir()
    environment = lmdb.open(str(folder), map_size=_map_size(rows()), lock=False)
    try:
        count = 0
        transaction = environment.begin(write=True)
        for key, value in rows():
            transaction.put(key, value)
            count += 1
            if count % _BATCH == 0:
                transaction.commit()
                transaction = environment.begin(write=True)
        transaction.put(total, str(count).encode())
        transaction.commit()
        environment.sync(True)
    finally:
        environment.close()


def _map_size(rows: Iterable[tuple[bytes, bytes]]) -> int:
    """Bytes that hold the rows for certain: no fixed large number, as Windows allocates the map at once.

    A value of more than a quarter of a page is counted in pages of its own with one to spare; the others
    with twice their room, because a page can be half full.
    """
    size = 64 * _PAGE
    for key, value in rows:
        room = len(key) + len(value) + 32
        size += 2 * room if room <= _PAGE // 4 else (room // _PAGE + 2) * _PAGE
    return -(-size // _PAGE) * _PAGE
