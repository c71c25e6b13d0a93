import time
from datetime import UTC, datetime, timedelta

import pytest

from core.annotation.provider import Reply
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.passages import Passages
from db.people import Day, People, PersonProgress
from db.suggestions import Suggestions


@pytest.fixture
def in_hangzhou(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set here")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def ids(db):
    passages = [NewPassage("梦粱录", "", str(number)) for number in range(4)]
    passages += [NewPassage("夢粱錄", "", "四"), NewPassage("武林旧事", "", "五"), NewPassage("武林旧事", "", "六")]
    return Passages(db).add(passages).ids


def save(db, passage_id, status, who, why="edited", at=None):
    annotations = Annotations(db)
    version = annotations.get(passage_id).version
    saved = annotations.save(passage_id, AnnotationValue(note=why), status, version=version, who=who, why=why)
    if at:
        place = [at.isoformat(timespec="milliseconds"), passage_id, saved.revision]
        db.execute("UPDATE annotation_revisions SET at = ? WHERE passage_id = ? AND revision = ?", place)


def test_persons_are_told_from_models_files_and_the_demo(db, ids):
    passage = Passages(db).get(ids[0])
    Suggestions(db).add(passage, Reply(AnnotationValue(), "{}", "local", "qwen3:8b"))
    save(db, ids[1], Status.SUBMITTED, "annotations.json", why="imported")
    save(db, ids[2], Status.APPROVED, "songclip demo", why="demo")
    assert People(db).names() == []
    assert People(db).progress() == []
    assert People(db).daily() == []
    save(db, ids[0], Status.DRAFT, "乙")
    save(db, ids[0], Status.DRAFT, "a:b")
    save(db, ids[3], Status.SUBMITTED, "丙", why="imported")
    assert People(db).names() == ["a:b", "丙", "乙"]
    assert {row.who for row in People(db).progress()} == {row.who for row in People(db).daily()} == {"a:b", "丙", "乙"}


def test_what_a_person_did_counts_passages_and_approvals_that_stand(db, ids):
    for passage_id in ids[:4]:
        save(db, passage_id, Status.DRAFT, "甲")
        save(db, passage_id, Status.DRAFT, "甲")
    save(db, ids[0], Status.APPROVED, "甲", why="approved")
    save(db, ids[1], Status.APPROVED, "甲", why="approved")
    save(db, ids[1], Status.DRAFT, "乙")
    save(db, ids[2], Status.APPROVED, "乙", why="approved")
    today = datetime.now().date().isoformat()
    progress = People(db).progress()
    assert progress == [PersonProgress("甲", 4, 1, today), PersonProgress("乙", 2, 1, today)]
    Passages(db).delete([ids[0]])
    assert [(row.passages, row.approved) for row in People(db).progress()] == [(3, 0), (2, 1)]


def test_each_work_with_its_statuses(db, ids):
    save(db, ids[0], Status.APPROVED, "甲", why="approved")
    save(db, ids[4], Status.DRAFT, "甲")
    save(db, ids[5], Status.DRAFT, "甲")
    Passages(db).delete([ids[6]])
    first, second = People(db).by_work()
    assert (first.title, first.passages) == ("梦粱录", 5)
    assert first.counts == {Status.NEW: 3, Status.APPROVED: 1, Status.DRAFT: 1}
    assert (second.work, second.title, second.counts) == ("武林旧事", "武林旧事", {Status.DRAFT: 1})


def test_a_day_is_that_of_the_place(db, ids, in_hangzhou):
    evening = (datetime.now(UTC) - timedelta(days=3)).replace(
        hour=20, minute=30
    )  # half past four of the next day there
    save(db, ids[0], Status.DRAFT, "甲", at=evening - timedelta(hours=8))
    save(db, ids[1], Status.DRAFT, "甲", at=evening)
    save(db, ids[1], Status.APPROVED, "甲", why="approved", at=evening)
    save(db, ids[1], Status.APPROVED, "乙", why="approved", at=evening)
    day, next_day = (evening + timedelta(days=more) for more in (0, 1))
    assert People(db).daily() == [
        Day(f"{day:%Y-%m-%d}", "甲", 1, 0),
        Day(f"{next_day:%Y-%m-%d}", "乙", 1, 1),
        Day(f"{next_day:%Y-%m-%d}", "甲", 2, 1),
    ]
    assert {row.who: row.last_day for row in People(db).progress()}["乙"] == f"{next_day:%Y-%m-%d}"


def test_as_many_days_as_were_asked_for(db, ids, in_hangzhou):
    noon = datetime.now(UTC).astimezone().replace(hour=12, minute=0)
    for number, days in enumerate((0, 6, 7, 400)):
        save(db, ids[number], Status.DRAFT, "甲", at=(noon - timedelta(days=days)).astimezone(UTC))
    assert len(People(db).daily(days=7)) == 2
    assert len(People(db).daily(days=8)) == 3
    assert len(People(db).daily()) == 3
