"""A full disk, files that are in the way, names that steer terminals, builds that were killed."""

import errno
import sqlite3
import zipfile

import pytest

from core.dataset.manifest import FILE
from core.errors import InputError
from core.progress import Silent
from db.experiments import Datasets, Runs
from db.refusals import refusal
from workbench.commands.base import one_line
from workbench.log import log_to
from workbench.tasks.backups import read_backup, write_backup
from workbench.tasks.datasets import record_of
from workbench.tasks.evaluating import measure


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_says_so_and_leaves_no_half_backup(songclip, home, raw_texts, tmp_path, monkeypatch):
    songclip("passages", "import", raw_texts)
    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    assert songclip("backup", tmp_path / "b.zip").mistake("disk is full")
    assert not list(tmp_path.glob("b.zip*"))


def test_a_full_disk_is_not_called_a_bad_backup(songclip, home, raw_texts, tmp_path, monkeypatch):
    songclip("passages", "import", raw_texts)
    write_backup(home, home.open(), tmp_path / "b.zip", Silent())
    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    assert songclip("restore", tmp_path / "b.zip", at=tmp_path / "new").mistake("disk is full")
    monkeypatch.undo()
    read_backup(type(home)(tmp_path / "new"), tmp_path / "b.zip", Silent())


def test_a_database_that_cannot_grow_says_so(songclip, home, raw_texts):
    db = home.open()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError) as caught, db.conn:
        db.execute("INSERT INTO home VALUES ('x', ?)", ["x" * 100_000])
    assert refusal(caught.value, home.path).code == "disk_full"
    assert refusal(PermissionError(errno.EACCES, "denied", "f"), home.path).code == "access_refused"
    assert refusal(ValueError(), home.path) is None


def test_a_log_that_cannot_be_written_is_silent(home, monkeypatch, capsys):
    import logging

    home.open().conn.close()
    log_to(home.logs / "songclip.log")
    handler = logging.getLogger().handlers[-1]
    monkeypatch.setattr(handler, "_open", full)
    logging.getLogger("songclip").error("lost")
    assert "Traceback" not in capsys.readouterr().err


def test_exports_do_not_replace_a_folder(songclip, raw_texts, tmp_path):
    songclip("passages", "import", raw_texts)
    assert songclip("annotations", "export", tmp_path).mistake("cannot be written")


def test_a_name_cannot_steer_the_terminal(songclip, raw_texts):
    songclip("passages", "import", raw_texts)
    said = songclip("dataset", "build", "a\x1b[2J\nb")
    assert said.mistake() and "\x1b" not in said.err
    assert one_line("甲\t乙\x9b") == "甲\t乙�"


def test_absurd_numbers_are_a_mistake_and_no_breakdown(songclip, raw_texts, tmp_path):
    songclip("passages", "import", raw_texts)
    table = tmp_path / "pairs.csv"
    table.write_text("passage_id,image\n" + "9" * 5000 + ",1\n", encoding="utf-8")
    assert songclip("pairs", "import", table).mistake("no passage")
    assert songclip("jobs", "list", "--limit", "9" * 40, "--json").document == []
    assert songclip("train", "--dataset", "x", "--seed", "9" * 40).code == 2


def test_annotations_that_are_none_are_a_mistake(songclip, raw_texts, tmp_path):
    songclip("passages", "import", raw_texts)
    file = tmp_path / "annotations.json"
    file.write_text('{"a": 1}', encoding="utf-8")
    assert songclip("annotations", "import", file).mistake()


@pytest.fixture
def built(home):
    """A dataset whose record tells of an earlier build than its files: the build was killed between the two."""
    from core.dataset.manifest import Manifest

    db = home.open()
    splits = {"train": {"images": 2, "texts": 2, "pairs": 2}, "test": {"images": 1, "texts": 1, "pairs": 1}}
    old, new = (Manifest("d", name, splits, {}) for name in ("old", "new"))
    Datasets(db).put("d", "old", old.to_json())
    folder = home.datasets / "d"
    folder.mkdir(parents=True)
    import json

    (folder / FILE).write_text(json.dumps(new.to_json()), encoding="utf-8")
    return db


def test_a_build_killed_before_its_record_is_recorded_when_it_is_used(home, built):
    assert record_of(home, built, "d").hash == "new"
    assert Datasets(built).get("d").hash == "new"


def test_a_run_is_not_measured_on_another_build_of_its_data(home, built):
    record = Datasets(built).get("d")
    run = Runs(built).add(dataset=record, model="mini", method="lora", config={"extra": {}}, job_id=None)
    with pytest.raises(InputError, match="run_other_build"):
        measure(home, built, "d", run=run.name, progress=Silent())
