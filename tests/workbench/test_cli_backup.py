"""backup, restore and check of a whole home."""

import zipfile

import pytest
from sqlite_utils import Migrations

from core.texts.annotation import AnnotationValue, Entity, Status
from db.annotations import Annotations
from db.home import Home
from db.images import Images, Pairs
from db.migrations import migrations
from db.passages import Passages


@pytest.fixture
def filled(songclip, home, raw_texts, picture_file):
    """A home with passages, an annotation, a picture, a pair and a run's file."""
    songclip("passages", "import", raw_texts)
    songclip("images", "import", picture_file("lake.png", (20, 90, 160)))
    db = home.open()
    palace = AnnotationValue(entities=(Entity("e1", "德寿宫", mentions=((0, 3),)),))
    Annotations(db).save(1, palace, Status.APPROVED, version=0, who="甲", why="approved")
    Pairs(db).add([(1, 1, "")], who="甲")
    run = home.experiments / "0001-lora"
    run.mkdir()
    (run / "adapter.safetensors").write_bytes(b"weights")
    (home.path / "songclip.toml").write_text('language = "zh"', encoding="utf-8")
    (home.weights / "clip_cn_vit-b-16.pt").write_bytes(b"can be fetched again")
    return db


@pytest.fixture
def backup(songclip, filled, tmp_path):
    file = tmp_path / "backup.zip"
    assert songclip("backup", file).code == 0
    return file


def files(folder):
    """Every file with its content, but for the logs and the locks."""
    found = [file for file in folder.rglob("*") if file.is_file() and file.parent.name not in ("logs", "locks")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}


def test_what_was_backed_up_comes_back(songclip, home, tmp_path, filled):
    file = tmp_path / "backup.zip"
    made = songclip("backup", file, "--json").document
    assert made["file"] == str(file) and made["bytes"] == file.stat().st_size
    other = Home(tmp_path / "other")
    restored = songclip("restore", file, "--json", at=other.path).document
    assert restored == {"path": str(other.path), "files": made["files"]}
    db = other.open()
    assert Passages(db).get(1) == Passages(filled).get(1)
    assert Annotations(db).history(1) == Annotations(filled).history(1)
    assert Pairs(db).all() == Pairs(filled).all()
    assert files(other.images) == files(home.images) != {}
    assert (other.experiments / "0001-lora" / "adapter.safetensors").read_bytes() == b"weights"
    assert (other.path / "songclip.toml").is_file() and files(other.weights) == {}
    assert songclip("check", "--json", at=other.path).document == {"problems": []}


def test_a_backup_may_be_made_while_somebody_writes(songclip, filled, home, tmp_path):
    filled.execute("BEGIN IMMEDIATE")
    filled.execute("DELETE FROM pairs")
    assert songclip("backup", tmp_path / "b.zip").code == 0
    filled.rollback()
    songclip("restore", tmp_path / "b.zip", at=tmp_path / "other")
    assert Pairs(Home(tmp_path / "other").open()).count() == 1


def test_where_a_backup_cannot_be_written(songclip, filled, tmp_path):
    assert songclip("backup", tmp_path / "nowhere" / "b.zip").mistake("nowhere")
    assert songclip("backup", tmp_path).mistake()
    assert list(tmp_path.glob("*.partial")) == []


def test_nothing_is_restored_over_a_project(songclip, home, backup):
    before = files(home.path)
    assert songclip("restore", backup).mistake("holds a project already")
    assert files(home.path) == before


def test_nothing_is_restored_over_pictures_without_a_project(songclip, backup, tmp_path):
    mine = tmp_path / "documents" / "images" / "mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert songclip("restore", backup, at=tmp_path / "documents").mistake()
    assert files(tmp_path / "documents") == {"images/mine.jpg": b"mine"}


def rewritten(backup, change):
    """The backup with its members changed: ``change`` gets and returns a dict of names and contents."""
    with zipfile.ZipFile(backup) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(backup, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in change(members).items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "images/../../evil.txt", "/tmp/evil.txt", "C:/evil", "images\\..\\e", "."]
)
def test_a_zip_that_reaches_outside_is_refused(songclip, backup, tmp_path, name):
    rewritten(backup, lambda members: members | {name: b"evil"})
    before = files(tmp_path)
    assert songclip("restore", backup, at=tmp_path / "other").mistake("not a backup")
    assert files(tmp_path) == before
    assert not Home(tmp_path / "other").exists()


def newer_database(tmp_path, monkeypatch):
    later = Migrations(migrations.name)
    for migration in migrations._migrations:
        later(name=migration.name)(migration.fn)
    later(name="m999")(lambda db: None)
    with monkeypatch.context() as newer:
        newer.setattr("db.home.migrations", later)
        db = Home(tmp_path / "newer").open()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.conn.close()
    return (tmp_path / "newer" / "songclip.db").read_bytes()


def test_a_database_of_a_newer_version_is_not_restored(songclip, backup, tmp_path, monkeypatch):
    data = newer_database(tmp_path, monkeypatch)
    rewritten(backup, lambda members: members | {"songclip.db": data})
    assert songclip("restore", backup, at=tmp_path / "other").mistake("newer version")
    assert files(tmp_path / "other") == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda members: {name: data for name, data in members.items() if name != "songclip.db"},
        lambda members: members | {"songclip.db": b"not a database" * 100},
        lambda members: members | {"notes.docx": b"not ours"},
    ],
)
def test_another_zip_leaves_nothing_half_restored(songclip, backup, tmp_path, change):
    rewritten(backup, change)
    assert songclip("restore", backup, at=tmp_path / "other").mistake("not a backup")
    assert files(tmp_path / "other") == {}


def test_a_damaged_zip_leaves_nothing_half_restored(songclip, backup, tmp_path):
    whole = backup.read_bytes()
    middle = len(whole) // 2
    for data in (whole[:middle], whole[: middle - 500] + b"\xa5" * 1000 + whole[middle + 500 :], b"", b"PK"):
        backup.write_bytes(data)
        assert songclip("restore", backup, at=tmp_path / "other").mistake("not a backup")
        assert files(tmp_path / "other") == {}
    assert songclip("restore", tmp_path / "nowhere.zip", at=tmp_path / "other").mistake("nowhere.zip")


def test_check_finds_a_damaged_picture(songclip, home, filled):
    image = Images(filled).get(1)
    (home.images / image.sha256[:2] / f"{image.sha256}.png").write_bytes(b"something else")
    said = songclip("check", "--json")
    assert said.code == 1 and '"what": "picture"' in said.out
    assert "lake.png" in songclip("check").out


def test_check_finds_an_annotation_that_does_not_fit_its_text(songclip, filled):
    filled.execute("UPDATE passages SET text = '德' WHERE id = 1")
    assert '"what": "offsets", "id": 1' in songclip("check", "--json").out


def test_check_names_the_files_of_a_dataset_that_changed(songclip, home, filled):
    for name in ("first", "second", "third"):
        assert songclip("dataset", "build", name).code == 0
    assert songclip("check", "--json").document == {"problems": []}
    texts, records = (home.datasets / "first" / file for file in ("train_texts.jsonl", "records.jsonl"))
    texts.write_text(texts.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    records.unlink()
    packed = home.datasets / "second/lmdb/train/imgs/data.mdb"
    packed.write_bytes(packed.read_bytes()[:5000])
    said = songclip("check")
    assert said.code == 1 and len(said.out.splitlines()) == 2
    assert "records.jsonl, train_texts.jsonl" in said.out and "lmdb/train/imgs/data.mdb" in said.out
    (home.datasets / "third/manifest.json").write_text("{", encoding="utf-8")
    assert '"name": "third", "files": "manifest.json"' in songclip("check", "--json").out


def test_check_says_so_of_a_damaged_database(songclip, home, filled):
    (page,) = filled.execute("SELECT rootpage FROM sqlite_master WHERE name = 'passages'").fetchone()
    filled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filled.conn.close()
    data = bytearray(home.database.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    home.database.write_bytes(data)
    said = songclip("check", "--json")
    assert said.code == 1 and '"what": "database"' in said.out
