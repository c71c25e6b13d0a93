"""The queue against a plain sort in Python: every order, every filter, every passage."""

import re

import pytest

from core.annotation.provider import Reply
from core.errors import SongclipError
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.images import Images, Pairs
from db.passages import Passages
from db.queue import ORDERS, PassageFilter
from db.suggestions import Suggestions

STATUSES = (None, Status.DRAFT, Status.APPROVED, Status.SUGGESTED, Status.NEW)
FILTERS = (
    {},
    {"text": "西湖"},
    {"text": "西 一"},
    {"work": "武林旧事"},
    {"status": Status.NEW},
    {"status": Status.DRAFT},
    {"deleted": True},
    {"who": "甲"},
    {"who": "无人"},
    {"model": "m1"},
    {"model": "m2"},
    {"problems": True},
    {"disputed": True},
    {"stale": True},
    {"unpaired": True},
    {"unpaired": True, "status": Status.DRAFT},
    {"text": "湖", "status": Status.DRAFT, "problems": True},
    {"who": "乙", "stale": True, "work": "梦粱录"},
)


@pytest.fixture
def rows(db, new_image):
    """Twenty-four passages of three works, as dictionaries of what the queue asks about; two are deleted."""
    passages, annotations = Passages(db), Annotations(db)
    there, gone = new_image(1), new_image(2)
    Images(db).delete(gone.id)
    rows = []
    for number in range(24):
        source = ("武林旧事", "夢粱錄", "梦粱录", "都城纪胜")[number * 5 % 4]
        text = f"{'西湖' if number % 3 else '断桥'}{'一' if number % 2 else '二'}{number}"
        (passage_id,) = passages.add([NewPassage(source, "", text)]).ids
        passage = passages.get(passage_id)
        row = {
            "id": passage_id,
            "work": passage.work,
            "text": text,
            "who": set(),
            "models": set(),
            "status": Status.NEW,
            "paired": number % 4 == 1,
        }
        if number % 2:
            Pairs(db).add([(passage_id, (there if row["paired"] else gone).id, "")], who="甲")
        row |= {"problems": 0, "disputed": False, "stale": 0, "agreement": None, "deleted": False}
        for model, broken in (("m1", number % 4 == 0), ("m2", number % 5 != 0)):
            value = None if broken else AnnotationValue(english=text)
            error = SongclipError("reply_unreadable") if broken else None
            Suggestions(db).add(passage, Reply(value, "{}", "local", model, error=error))
            row["models"] |= set() if broken else {model}
        status = STATUSES[number % 5]
        for who in ("甲", "乙")[: number % 3] if status else ():
            version = annotations.get(passage_id).version
            annotations.save(passage_id, AnnotationValue(), status, version=version, who=who, why="edited")
            row["who"].add(who)
        row["status"] = annotations.get(passage_id).status
        if row["status"] is not Status.NEW:
            changed = {"problems": number * 7 % 4, "disputed": number % 7 == 0, "stale": number % 4 == 1}
            changed["agreement"] = None if number % 3 == 0 else number * 3 % 5 / 4
            row |= changed
            db.execute(
                "UPDATE annotations SET problems = ?, disputed = ?, stale = ?, agreement = ? WHERE passage_id = ?",
                [*changed.values(), passage_id],
            )
        rows.append(row)
    passages.delete([rows[5]["id"], rows[10]["id"]])
    for gone in (5, 10):
        rows[gone]["deleted"] = True
    assert {row["status"] for row in rows} >= {Status.NEW, Status.DRAFT, Status.APPROVED, Status.SUGGESTED}
    return rows


def matches(row, wanted):
    return (
        row["deleted"] == wanted.deleted
        and all(word in row["text"] for word in wanted.text.split())
        and wanted.work in ("", row["work"])
        and wanted.status in (None, row["status"])
        and (not wanted.who or wanted.who in row["who"])
        and (not wanted.model or wanted.model in row["models"])
        and all(row[flag] for flag in ("problems", "disputed", "stale") if getattr(wanted, flag))
        and not (wanted.unpaired and row["paired"])
    )


def place(row, order):
    """Most problems first, or least agreement first and unknown last; work and id where those are equal."""
    first = {
        "source": (),
        "problems": (-row["problems"],),
        "agreement": (row["agreement"] is None, row["agreement"] or 0),
    }[order]
    return (*first, row["work"], row["id"])


@pytest.mark.parametrize("order", ORDERS)
def test_the_queue_is_what_a_plain_sort_gives(db, rows, order):
    passages = Passages(db)
    kinds = set()
    for restriction in FILTERS:
        wanted = PassageFilter(**restriction, order=order)
        expected = sorted((row for row in rows if matches(row, wanted)), key=lambda row: place(row, order))
        ids = [row["id"] for row in expected]
        kinds.add(len(ids))
        assert passages.ids(wanted) == ids, wanted
        assert passages.count(wanted) == len(ids)
        assert [summary.passage.id for summary in passages.page(wanted, offset=1, limit=4)] == ids[1:5]
        assert [s.status for s in passages.page(wanted)] == [row["status"] for row in expected]
        for row in rows:
            here = place(row, order)
            before = [other["id"] for other in expected if place(other, order) < here]
            after = [other["id"] for other in expected if place(other, order) > here]
            assert passages.neighbours(row["id"], wanted) == (
                before[-1] if before else None,
                after[0] if after else None,
            ), (row, wanted)
            at = len(before) + (row["id"] in ids)
            assert passages.position(row["id"], wanted) == (at, len(ids)), (row, wanted)
        for nothing in (0, -3, 10**6, 10**30):
            assert passages.neighbours(nothing, wanted) == (None, ids[0] if ids else None)
            assert passages.position(nothing, wanted) == (0, len(ids))
    assert len(kinds) > 6  # the filters differ in what they find


def test_after_an_approval_the_next_draft_is_the_one_that_followed(db, rows):
    passages, annotations = Passages(db), Annotations(db)
    wanted = PassageFilter(status=Status.DRAFT, order="problems")
    first, second, *_ = passages.ids(wanted)
    current = annotations.get(first)
    annotations.save(first, current.value, Status.APPROVED, version=current.version, who="甲", why="approved")
    db.execute("UPDATE annotations SET problems = 9 WHERE passage_id = ?", [first])
    assert first not in passages.ids(wanted)
    assert passages.neighbours(first, wanted) == (None, second)


@pytest.mark.parametrize("order", ORDERS)
def test_no_query_of_the_queue_reads_whole_rows_of_all_passages(db, rows, order):
    """Rows of passages and annotations are long; what the queue asks stands in its indexes."""
    executed = []
    db.conn.set_trace_callback(executed.append)
    passages = Passages(db)
    for restriction in FILTERS:
        wanted = PassageFilter(**restriction, order=order)
        for act in (passages.count, passages.ids, passages.page):
            act(wanted)
        passages.neighbours(rows[3]["id"], wanted)
        passages.position(rows[3]["id"], wanted)
    passages.works()
    passages.status_counts()
    passages.models()
    db.conn.set_trace_callback(None)
    queries = {query for query in executed if query.startswith("SELECT")}
    assert len(queries) > 50
    for query in queries:
        steps = [step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
        assert not [step for step in steps if re.match("(SCAN|SEARCH) [pars]$", step)], query
        of_a_page = "JOIN passages p ON p.id = f.id" in query  # whole rows, but of one page
        assert sum("SEARCH a USING INTEGER PRIMARY KEY" in step for step in steps) == of_a_page, query


def test_the_models_are_those_whose_suggestions_could_be_read(db, rows):
    assert Passages(db).models() == ["m1", "m2"]
    Suggestions(db).add(
        Passages(db).get(rows[0]["id"]), Reply(None, "?", "local", "m3", error=SongclipError("reply_unreadable"))
    )
    assert Passages(db).models() == ["m1", "m2"]
