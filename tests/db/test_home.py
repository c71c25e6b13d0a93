import sqlite3
import threading

import pytest
from sqlite_utils import Migrations

from core.errors import StorageError
from core.texts.passage import NewPassage
from db.home import Home, backup, check
from db.migrations import migrations
from db.passages import Passages

PASSAGE = NewPassage("梦粱录", "卷八", "德寿宫在望仙桥东")


def later_schema(name="m999_later", statement="ALTER TABLE passages ADD COLUMN colour TEXT"):
    """The migrations as they are, and one more."""
    later = Migrations(migrations.name)
    for migration in migrations._migrations:
        later(name=migration.name)(migration.fn)
    later(name=name)(lambda db: db.execute(statement))
    return later


def test_opening_makes_the_folders_and_the_schema(home):
    assert not home.exists()
    db = home.open()
    assert home.exists()
    folders = (home.images, home.weights, home.datasets, home.experiments, home.features, home.logs, home.locks)
    assert all(folder.is_dir() for folder in folders)
    assert {"passages", "annotations", "annotation_revisions", "images", "pairs", "jobs"} <= set(db.table_names())
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_opening_again_keeps_what_is_there(home):
    Passages(home.open()).add([PASSAGE])
    assert Passages(home.open()).count() == 1
    assert not list(home.path.glob("songclip.before-*"))


def test_many_open_a_new_home_at_once(tmp_path):
    failed = []

    def open_(home, barrier):
        barrier.wait()
        try:
            home.open()
        except StorageError as error:
            failed.append(error)

    for number in range(5):
        barrier = threading.Barrier(8)
        threads = [threading.Thread(target=open_, args=(Home(tmp_path / str(number)), barrier)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_database_of_a_newer_version_is_left_alone(home, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr("db.home.migrations", later_schema())
        home.open().conn.close()
    before = home.database.read_bytes()
    with pytest.raises(StorageError) as raised:
        home.open()
    assert raised.value.code == "database_newer"
    assert home.database.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(home):
    home.path.mkdir()
    home.database.write_bytes("德寿宫在望仙桥东\n".encode() * 100)
    before = home.database.read_bytes()
    with pytest.raises(StorageError) as raised:
        home.open()
    assert raised.value.code == "database_damaged"
    assert home.database.read_bytes() == before


@pytest.mark.parametrize("in_the_way", ["clip_data", "clip_data/images"])
def test_a_folder_that_cannot_be_made(tmp_path, home, in_the_way):
    file = tmp_path / in_the_way
    file.parent.mkdir(exist_ok=True)
    file.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StorageError) as raised:
        home.open()
    assert raised.value.code == "home_not_writable"
    assert not home.exists()


def test_a_database_that_cannot_be_opened(home):
    home.database.mkdir(parents=True)
    with pytest.raises(StorageError) as raised:
        home.open()
    assert raised.value.code == "home_not_writable"


def test_a_backup_stands_beside_before_a_later_migration(home, monkeypatch):
    db = home.open()
    Passages(db).add([PASSAGE])
    db.conn.close()
    monkeypatch.setattr("db.home.migrations", later_schema())
    db = home.open()
    assert "colour" in db["passages"].columns_dict
    assert Passages(db).count() == 1
    copy = sqlite3.connect(home.path / "songclip.before-m999_later.db")
    assert copy.execute("SELECT text FROM passages").fetchall() == [(PASSAGE.text,)]
    assert "colour" not in [row[1] for row in copy.execute("PRAGMA table_info(passages)")]
    copy.close()


def test_a_migration_that_breaks_changes_nothing(home, monkeypatch):
    db = home.open()
    Passages(db).add([PASSAGE])
    db.conn.close()
    with monkeypatch.context() as broken:
        broken.setattr("db.home.migrations", later_schema(statement="ALTER TABLE nowhere ADD COLUMN colour TEXT"))
        with pytest.raises(StorageError):
            home.open()
    assert Passages(home.open()).count() == 1


def test_a_home_is_marked_once_and_for_ever(home, db):
    assert home.marker(db) == ""
    home.mark(db, "person")
    home.mark(db, "person")
    with pytest.raises(StorageError) as raised:
        home.mark(db, "demo")
    assert raised.value.code == "home_of_other_kind"
    assert home.marker(db) == "person"


def test_a_synced_folder_is_doubtful(tmp_path):
    assert not Home(tmp_path / "clip_data").doubtful_place()
    assert Home(tmp_path / "OneDrive - 浙江大学" / "clip_data").doubtful_place()
    assert Home(tmp_path / "坚果云" / "clip_data").doubtful_place()


def test_backup_holds_what_was_written_last(home, db, tmp_path):
    Passages(db).add([PASSAGE])
    backup(db, tmp_path / "copy.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT count(*) FROM passages").fetchone() == (1,)
    copy.close()
    assert not (tmp_path / "copy.db.partial").exists()


def test_check_finds_a_reference_without_target(db, passage):
    assert check(db) == []
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(
        "INSERT INTO annotations (passage_id, status, revision, value, updated_at, updated_by)"
        " VALUES (?, 'draft', 1, '{}', '', '')",
        [passage.id + 7],
    )
    assert len(check(db)) == 1


def test_check_says_what_is_wrong_in_a_damaged_file(home):
    db = home.open()
    Passages(db).add([NewPassage("梦粱录", "卷八", f"第{number}段" * 300) for number in range(50)])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.conn.close()
    data = bytearray(home.database.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = b"\xa5" * 8192
    home.database.write_bytes(data)
    assert check(home.open()) != []
