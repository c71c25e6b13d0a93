import base64
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from core.dataset.reader import close_environments, read_split, splits_of
from core.dataset.records import DatasetSplit, TextRecord
from core.dataset.writers import write_dataset
from core.errors import InputError, NotFoundError

Make = Callable[..., DatasetSplit]


@pytest.fixture(autouse=True)
def closed() -> object:
    yield None
    close_environments()


@pytest.fixture
def folder(tmp_path: Path, make_split: Make) -> Path:
    write_dataset(tmp_path / "set", {"test": make_split(100), "train": make_split()})
    return tmp_path / "set"


@pytest.mark.parametrize("source", ["both", "tsv", "lmdb"])
def test_what_was_written_comes_back_from_either_form(folder: Path, make_split: Make, source: str) -> None:
    if source == "tsv":
        shutil.rmtree(folder / "lmdb")
    if source == "lmdb":
        for path in folder.glob("*_*.*"):
            path.unlink()
    assert splits_of(folder) == ("train", "test")
    data, written = read_split(folder, "test"), make_split(100)
    assert data.image_ids == tuple(range(100, 112))
    assert data.texts == tuple(TextRecord(t.id, t.text, t.image_ids, t.kind, t.passage_id) for t in written.texts)
    assert {i.id: i.sha256 for i in written.images} == data.sha256
    for image in written.images:
        assert data.image_bytes(image.id) == image.data()
    with pytest.raises(NotFoundError, match="dataset_image_missing"):
        data.image_bytes(5)


def test_one_path_is_opened_once_and_a_split_travels_to_a_worker(folder: Path) -> None:
    first, second = read_split(folder, "train"), read_split(folder, "train")
    assert first.image_bytes(3) == second.image_bytes(3)
    travelled = pickle.loads(pickle.dumps(first))
    assert travelled.image_bytes(3) == first.image_bytes(3)


def test_a_dataset_from_elsewhere_is_read(tmp_path: Path) -> None:
    """URL-safe base64, texts without pictures, Windows line ends: all of which Chinese-CLIP's own data have."""
    data = bytes(range(248, 256)) * 5
    (tmp_path / "valid_imgs.tsv").write_bytes(b"7\t" + base64.urlsafe_b64encode(data) + b"\r\n8\tAAAA\r\n")
    rows = [{"text_id": 3, "text": "无图", "image_ids": []}, {"text_id": 4, "text": "有图", "image_ids": [7, 8]}]
    lines = "\r\n".join(json.dumps(row) for row in rows)
    (tmp_path / "valid_texts.jsonl").write_text(lines, encoding="utf-8", newline="")
    found = read_split(tmp_path, "valid")
    assert found.image_bytes(7) == data
    assert found.image_bytes(8) == b"\0\0\0"
    assert found.texts == (TextRecord(3, "无图", ()), TextRecord(4, "有图", (7, 8)))
    assert found.sha256 == {}


class Boom:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('ran')",)


def test_a_pickle_that_runs_code_is_refused(folder: Path) -> None:
    (folder / "train_texts.jsonl").unlink()
    with (
        lmdb.open(str(folder / "lmdb/train/pairs"), lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"0", pickle.dumps(Boom()))
    with pytest.raises(InputError, match="dataset_damaged"):
        read_split(folder, "train")


def test_what_is_missing_or_damaged_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="dataset_missing"):
        read_split(tmp_path / "none", "train")
    with pytest.raises(NotFoundError, match="split_missing"):
        read_split(folder, "valid")
    (folder / "train_texts.jsonl").write_text('{"text_id": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"train_texts\.jsonl:1"):
        read_split(folder, "train")
    (folder / "lmdb/test/imgs/data.mdb").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="dataset_damaged"):
        read_split(folder, "test")
    shutil.rmtree(folder / "lmdb")
    (folder / "test_imgs.tsv").write_text("no tab\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"test_imgs\.tsv:1"):
        read_split(folder, "test")
