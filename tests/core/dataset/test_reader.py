import base64
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
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


READ_ALL = """
import sys
from pathlib import Path
from core.dataset.reader import read_split
from core.errors import InputError
try:
    data = read_split(Path(sys.argv[1]), "train")
    print(len(data.texts), sum(len(data.image_bytes(number)) for number in data.image_ids))
except InputError as error:
    print(error.code)
"""


@pytest.mark.parametrize("part", ["imgs", "pairs"])
def test_an_lmdb_cut_short_anywhere_is_said_and_ends_no_process(folder: Path, part: str) -> None:
    (folder / "train_texts.jsonl").unlink()  # so that the texts come from LMDB too

    def said() -> tuple[int, str]:
        ran = subprocess.run([sys.executable, "-c", READ_ALL, folder], capture_output=True, text=True)
        return ran.returncode, ran.stdout.strip()

    whole, file = said(), folder / "lmdb/train" / part / "data.mdb"
    assert whole[0] == 0 and whole[1].startswith("3 ")
    data = file.read_bytes()
    page = 4096
    lengths = (0, 100, page, page + 200, 2 * page, 3 * page, len(data) // 4, len(data) // 2, len(data) - page)
    for length in sorted(length for length in lengths if length < len(data)):
        file.write_bytes(data[:length])
        assert said() == (0, "dataset_damaged"), length
    file.write_bytes(data)
    assert said() == whole


def test_an_lmdb_that_is_cut_while_it_is_held_open_is_said_and_read_again_once_mended(folder: Path) -> None:
    data, file = read_split(folder, "train"), folder / "lmdb/train/imgs/data.mdb"
    whole, picture = file.read_bytes(), data.image_bytes(3)
    file.write_bytes(whole[:12288])
    for _ in range(2):
        with pytest.raises(InputError, match="dataset_damaged"):
            data.image_bytes(3)
    file.write_bytes(whole)
    assert data.image_bytes(3) == picture


def test_reading_leaves_the_files_as_they_are(folder: Path) -> None:
    def files() -> dict[Path, str]:
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}

    before = files()
    (folder / "train_texts.jsonl").rename(folder / "aside")
    data = read_split(folder, "train")
    assert all(data.image_bytes(number) for number in data.image_ids)
    close_environments()
    (folder / "aside").rename(folder / "train_texts.jsonl")
    assert files() == before


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "5",
        "[]",
        "{}",
        '{"split": "train", "text_id": 1}',
        '{"split": "train", "text_id": [1], "kind": "original", "passage_id": 7}',
        '{"split": "train", "text_id": 1, "kind": "original", "passage_id": "7"}',
        '{"split": "train", "text_id": 1, "kind": "original", "passage_id": 7, "refused": 3}',
        '{"split": "train", "text_id": 1, "kind": "original", "passage_id": 7, "refused": [1e999]}',
        '{"split": "train", "image_id": {}, "sha256": "aa"}',
        '{"split": "train", "image_id": 1}',
        "\udcff",
    ],
)
def test_broken_records_are_said_with_their_line(folder: Path, line: str) -> None:
    good = '{"split": "train", "image_id": 1, "sha256": "aa"}\n'
    (folder / "records.jsonl").write_bytes((good + line).encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"dataset_damaged.*records\.jsonl:2"):
        read_split(folder, "train")


@pytest.mark.parametrize(
    "line",
    [
        "\udcff",
        '{"text_id": 1, "text": ["x"], "image_ids": [1]}',
        '{"text_id": 1, "text": "x", "image_ids": "12"}',
        '{"text_id": 1e999, "text": "x", "image_ids": []}',
    ],
)
def test_broken_texts_are_said_with_their_line(folder: Path, line: str) -> None:
    (folder / "train_texts.jsonl").write_bytes(line.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"dataset_damaged.*train_texts\.jsonl:1"):
        read_split(folder, "train")


@pytest.mark.parametrize(("part", "key"), [("imgs", b"one"), ("pairs", b"one"), ("pairs", b"0")])
def test_rows_of_an_lmdb_that_are_none_are_said(folder: Path, part: str, key: bytes) -> None:
    (folder / "train_texts.jsonl").unlink()
    with (
        lmdb.open(str(folder / "lmdb/train" / part), lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(key, b"\x80\x04h\x09.")
    with pytest.raises(InputError, match="dataset_damaged"):
        read_split(folder, "train")
