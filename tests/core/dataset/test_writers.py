import base64
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from core.dataset.lmdb_files import write_lmdb
from core.dataset.manifest import Excluded, changed_files, check_name, logical_hash, read_manifest
from core.dataset.reader import close_environments, read_split
from core.dataset.records import DatasetImage, DatasetSplit, DatasetText
from core.dataset.writers import write_dataset
from core.errors import InputError, NotFoundError, Stopped, StorageError
from core.progress import Silent

Make = Callable[..., DatasetSplit]


@pytest.fixture(autouse=True)
def closed() -> object:
    yield None
    close_environments()


def lmdb_items(path: Path) -> dict[bytes, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return dict(transaction.cursor())


def test_files_are_as_chinese_clip_describes_them(tmp_path: Path, make_split: Make) -> None:
    write_dataset(tmp_path / "临安", {"train": make_split()})
    rows = (tmp_path / "临安" / "train_imgs.tsv").read_text(encoding="ascii").splitlines()
    assert len(rows) == 12
    number, data = rows[3].split("\t")
    assert int(number) == 4
    assert base64.b64decode(data, validate=True) == make_split().images[3].data()
    lines = (tmp_path / "临安" / "train_texts.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert json.loads(lines[0]) == {
        "text_id": 1,
        "text": "德寿宫在望仙桥东，元系秦太师赐第。",
        "image_ids": [1, 12],
    }
    assert "德寿宫" in lines[0]
    pairs = lmdb_items(tmp_path / "临安" / "lmdb" / "train" / "pairs")
    assert pairs[b"num_samples"] == b"13"
    assert pickle.loads(pairs[b"1"]) == (12, 1, "德寿宫在望仙桥东，元系秦太师赐第。")
    images = lmdb_items(tmp_path / "临安" / "lmdb" / "train" / "imgs")
    assert images[b"num_images"] == b"12"
    assert images[b"4"].decode() == data
    assert not list(tmp_path.rglob("lock.mdb"))


def test_the_records_equal_those_of_chinese_clips_own_script(tmp_path: Path, make_split: Make) -> None:
    import cn_clip

    folder = tmp_path / "set"
    write_dataset(folder, {"train": make_split(), "valid": make_split(100)})
    script = Path(cn_clip.__file__).parent / "preprocess" / "build_lmdb_dataset.py"
    # Its map of 1 TiB is more than some machines grant; nothing else is changed.
    source = script.read_text(encoding="utf-8").replace("1024**4", "1024**3")
    (tmp_path / "build.py").write_text(source, encoding="utf-8")
    subprocess.run(
        [
            *(sys.executable, tmp_path / "build.py", "--data_dir", folder),
            *("--splits", "train,valid", "--lmdb_dir", tmp_path / "theirs"),
        ],
        check=True,
        capture_output=True,
    )
    for split in ("train", "valid"):
        for part in ("imgs", "pairs"):
            ours = lmdb_items(folder / "lmdb" / split / part)
            theirs = lmdb_items(tmp_path / "theirs" / split / part)
            assert ours.keys() == theirs.keys()
            if part == "imgs":
                assert ours == theirs
            else:
                number = ours.pop(b"num_samples")
                assert number == theirs.pop(b"num_samples")
                assert all(pickle.loads(ours[key]) == pickle.loads(theirs[key]) for key in ours)


def test_chinese_clips_own_readers_open_what_was_written(tmp_path: Path, make_split: Make) -> None:
    from cn_clip.eval.data import EvalImgDataset, EvalTxtDataset
    from cn_clip.training.data import LMDBDataset

    folder = tmp_path / "set"
    write_dataset(folder, {"train": make_split(), "test": make_split(100)})
    training = LMDBDataset(str(folder / "lmdb" / "train"), split="train", max_txt_length=52, resolution=32)
    assert (training.number_samples, training.number_images) == (13, 12)
    for index in range(13):
        pixels, tokens, end = training[index]
        assert pixels.shape == (3, 32, 32)
        assert tokens.shape == (52,)
        assert tokens[end] == 102
    del training
    gallery = EvalImgDataset(str(folder / "lmdb" / "test" / "imgs"), resolution=32)
    assert sorted(gallery[i][0] for i in range(len(gallery))) == list(range(100, 112))
    texts = EvalTxtDataset(str(folder / "test_texts.jsonl"), max_txt_length=52)
    assert [texts[i][0] for i in range(len(texts))] == [100, 101, 102]


def test_the_manifest_says_what_is_there(tmp_path: Path, make_split: Make) -> None:
    gone = (Excluded("passage:3:original", "excluded.no_picture"),)
    manifest = write_dataset(
        tmp_path / "set",
        {"train": make_split(), "valid": make_split(100)},
        excluded=gone,
        captions={"made": {"original": 2}},
        seed=5,
        statuses=("approved", "submitted"),
        settings={"valid": 0.1},
        versions={"pillow": "1"},
        created="2026-11-23T10:00:00Z",
        generated=True,
    )
    assert manifest.splits == {
        "train": {"images": 12, "texts": 3, "pairs": 13},
        "valid": {"images": 12, "texts": 3, "pairs": 13},
    }
    assert manifest.excluded == gone
    assert manifest.settings == {"max_side": 512, "valid": 0.1}
    assert read_manifest(tmp_path / "set") == manifest
    assert set(manifest.files) == {
        "records.jsonl",
        *(f"{s}_{f}" for s in ("train", "valid") for f in ("imgs.tsv", "texts.jsonl")),
        *(f"lmdb/{s}/{part}/data.mdb" for s in ("train", "valid") for part in ("imgs", "pairs")),
    }


def test_files_that_changed_since_they_were_written_are_named(tmp_path: Path, make_split: Make) -> None:
    folder = tmp_path / "set"
    manifest = write_dataset(folder, {"train": make_split()})
    data = read_split(folder, "train")
    assert all(data.image_bytes(number) for number in data.image_ids)
    assert changed_files(folder, manifest) == (), "reading changes nothing"
    close_environments()
    packed = folder / "lmdb/train/imgs/data.mdb"
    packed.write_bytes(packed.read_bytes()[:-1])
    (folder / "train_texts.jsonl").unlink()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert changed_files(folder, manifest) == ("lmdb/train/imgs/data.mdb", "train_texts.jsonl")
    earlier = replace(manifest, files={name: sha for name, sha in manifest.files.items() if "/" not in name})
    assert changed_files(folder, earlier) == ("train_texts.jsonl",)


@pytest.mark.parametrize("content", ['{"name": "set", "hash": "a", "splits": {}, "files": []}', "[]", "5", "{", '"x"'])
def test_a_manifest_that_is_none_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="dataset_damaged"):
        read_manifest(tmp_path)


def test_the_hash_follows_the_content_and_nothing_else(tmp_path: Path, make_split: Make) -> None:
    split = make_split()
    first = write_dataset(tmp_path / "a", {"train": split})
    shuffled = DatasetSplit(split.images[::-1], split.texts[::-1])
    assert write_dataset(tmp_path / "b", {"train": shuffled}, seed=9, created="later").hash == first.hash
    moved = DatasetSplit(
        tuple(replace(i, id=i.id + 500) for i in split.images),
        tuple(replace(t, id=t.id + 9, image_ids=tuple(i + 500 for i in t.image_ids)) for t in split.texts),
    )
    assert write_dataset(tmp_path / "c", {"train": moved}).hash == first.hash
    other = [
        {"valid": split},
        {"train": DatasetSplit(split.images, split.texts[:2])},
        {"train": DatasetSplit(split.images[:-1], split.texts)},
        {"train": DatasetSplit(split.images, (replace(split.texts[0], text="别的"), *split.texts[1:]))},
        {"train": DatasetSplit(split.images, (replace(split.texts[0], image_ids=(1,)), *split.texts[1:]))},
    ]
    hashes = {write_dataset(tmp_path / "d", splits).hash for splits in other}
    assert len(hashes) == 5
    assert first.hash not in hashes


def test_a_rebuilt_dataset_leaves_no_stale_keys(tmp_path: Path, make_split: Make) -> None:
    folder = tmp_path / "set"
    write_dataset(folder, {"train": make_split(), "valid": make_split(100)})
    before = read_split(folder, "train")
    before.image_bytes(1)
    split = make_split()
    small = DatasetSplit(split.images[:2], (replace(split.texts[1], image_ids=(2,)),))
    write_dataset(folder, {"train": small})
    after = read_split(folder, "train")
    assert after.image_ids == (1, 2)
    assert len(after.texts) == 1
    with pytest.raises(NotFoundError):
        read_split(folder, "valid")
    close_environments()
    assert set(lmdb_items(folder / "lmdb" / "train" / "imgs")) == {b"1", b"2", b"num_images"}
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def missing() -> bytes:
    raise NotFoundError("picture_missing", sha256="x")


def test_pictures_that_are_gone_or_broken_are_left_out_and_listed(tmp_path: Path, make_split: Make) -> None:
    split = make_split()
    images = (
        replace(split.images[0], data=missing),
        replace(split.images[1], data=lambda: b"no picture"),
        replace(split.images[2], data=lambda: Path(tmp_path / "nowhere").read_bytes()),
        *split.images[3:],
    )
    manifest = write_dataset(tmp_path / "set", {"train": DatasetSplit(images, split.texts)})
    assert manifest.splits["train"] == {"images": 9, "texts": 2, "pairs": 10}
    assert [(e.what, e.why) for e in manifest.excluded] == [
        ("image:1", "excluded.picture_missing"),
        ("image:2", "excluded.picture_broken"),
        ("image:3", "excluded.picture_missing"),
        ("passage:8:modern", "excluded.no_picture"),
    ]
    assert read_split(tmp_path / "set", "train").texts[0].image_ids == (12,)


def test_nothing_changes_when_building_fails(tmp_path: Path, make_split: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "set"
    first = write_dataset(folder, {"train": make_split()})

    class Stopping(Silent):
        asked = 0

        def should_stop(self) -> bool:
            self.asked += 1
            return self.asked > 4

    with pytest.raises(Stopped):
        write_dataset(folder, {"train": make_split(50)}, progress=Stopping())
    with pytest.raises(InputError, match="dataset_empty"):
        write_dataset(folder, {"train": DatasetSplit((), ())})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.dataset.writers.write_lmdb", full)
    with pytest.raises(StorageError, match="No space left"):
        write_dataset(folder, {"train": make_split(50)})
    assert read_manifest(folder) == first
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_replacement_that_was_cut_short_is_mended(tmp_path: Path, make_split: Make) -> None:
    folder = tmp_path / "set"
    write_dataset(folder, {"train": make_split()})
    folder.rename(tmp_path / ".set.old")
    (tmp_path / ".set.new-x").mkdir()
    with pytest.raises(InputError):
        write_dataset(folder, {"train": DatasetSplit((), ())})
    assert read_manifest(folder).name == "set"
    shutil.copytree(folder, tmp_path / ".set.old")
    write_dataset(folder, {"train": make_split(50)})
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert read_split(folder, "train").image_ids[0] == 50


def test_a_picture_cannot_be_in_two_splits(tmp_path: Path, make_split: Make) -> None:
    split = make_split()
    same = replace(split.images[0], id=900)
    leaking = DatasetSplit((same,), (DatasetText(900, "x", (900,)),))
    with pytest.raises(ValueError, match="two splits"):
        write_dataset(tmp_path / "set", {"train": split, "test": leaking})
    with pytest.raises(ValueError, match="twice"):
        write_dataset(tmp_path / "set", {"train": split, "test": split})
    assert list(tmp_path.iterdir()) == []


def test_large_pictures_become_small_ones(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.linear_gradient("L").resize((1200, 800)).convert("CMYK").save(buffer, "TIFF")
    image = DatasetImage(1, buffer.getvalue, "a" * 64)
    write_dataset(tmp_path / "set", {"train": DatasetSplit((image,), (DatasetText(1, "x", (1,)),))}, max_side=448)
    stored = Image.open(BytesIO(read_split(tmp_path / "set", "train").image_bytes(1)))
    assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", (448, 299))


def test_the_map_is_large_enough_for_any_mix_of_sizes_and_not_much_larger(tmp_path: Path) -> None:
    sizes = [1, 700, 1000, 1100, 2000, 2040, 3000, 4000, 4096, 5000, 30_000, 200_000] * 60
    tsv, jsonl = tmp_path / "i.tsv", tmp_path / "t.jsonl"
    with tsv.open("w", encoding="ascii") as images, jsonl.open("w", encoding="utf-8") as texts:
        for number, size in enumerate(sizes):
            images.write(f"{number}\t{'A' * size}\n")
            row = {"text_id": number, "text": "宫" * (size % 3000 + 1), "image_ids": [number] * 3}
            texts.write(json.dumps(row, ensure_ascii=False) + "\n")
    write_lmdb(tmp_path / "lmdb", tsv, jsonl)
    assert len(lmdb_items(tmp_path / "lmdb" / "imgs")) == len(sizes) + 1
    assert len(lmdb_items(tmp_path / "lmdb" / "pairs")) == 3 * len(sizes) + 1
    with lmdb.open(str(tmp_path / "lmdb" / "imgs"), readonly=True, lock=False) as environment:
        assert environment.info()["map_size"] < 1.5 * sum(sizes)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".set", "con", "NUL.x", "a" * 61, "x.", "a:b"])
def test_names_that_are_no_folder_everywhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="dataset_name"):
        check_name(name)


@pytest.mark.parametrize("name", ["临安画卷", "set-1", "v0.2_b", "console"])
def test_names_of_any_script_are_taken(name: str) -> None:
    assert check_name(name) == name


def test_refused_pictures_go_along_where_they_are_in_the_split(tmp_path: Path, make_split: Make) -> None:
    plain = write_dataset(tmp_path / "plain", {"train": make_split(), "valid": make_split(100)})
    splits = {"train": make_split(), "valid": make_split(100)}
    first, second, *rest = splits["train"].texts
    marked = (replace(first, refused=(3, 2, 1, 105, 999)), replace(second, refused=(1,)), *rest)
    splits["train"] = replace(splits["train"], texts=marked)
    manifest = write_dataset(tmp_path / "set", splits)
    assert manifest.splits["train"] == plain.splits["train"] | {"refused": 3}
    assert manifest.splits["valid"] == plain.splits["valid"]
    assert manifest.hash != plain.hash
    texts = read_split(tmp_path / "set", "train").texts
    assert [text.refused for text in texts] == [(2, 3), (1,), ()], "a picture it is paired with is no refused one"
    assert [text.refused for text in read_split(tmp_path / "plain", "train").texts] == [(), (), ()]
    for file in ("train_imgs.tsv", "train_texts.jsonl"):
        assert (tmp_path / "set" / file).read_bytes() == (tmp_path / "plain" / file).read_bytes()


def test_the_hash_of_a_dataset_without_refused_pairs_is_what_it_always_was() -> None:
    images = [("train", 1, "aa"), ("train", 2, "bb")]
    line = '["text", "train", "original", "\\u897f\\u6e56", ["aa"]]'
    lines = sorted(['["image", "train", "aa"]', '["image", "train", "bb"]', line])
    expected = hashlib.sha256("".join(f"{each}\n" for each in lines).encode()).hexdigest()
    assert logical_hash(images, [("train", "original", "西湖", (1,), ())]) == expected
    assert logical_hash(images, [("train", "original", "西湖", (1,), (2,))]) != expected
