"""Every older schema, with rows in it, is brought to the present one and loses nothing."""

import sqlite3
from dataclasses import replace

import pytest

from db.connection import connect
from db.jobs import Jobs
from db.migrations import migrations
from db.passages import PassageFilter, Passages
from db.text_index import enter

NAMES = [migration.name for migration in migrations._migrations]


@pytest.mark.parametrize("older", range(1, len(NAMES)))
def test_rows_of_an_older_schema_are_there_afterwards(home, older):
    home.path.mkdir()
    db = connect(home.database)
    migrations.apply(db, stop_before=NAMES[older])
    db.execute(
        "INSERT INTO passages (source, work, chapter, text, text_hash, search_key, created_at)"
        " VALUES ('梦粱录', '梦粱录', '卷八', '德寿宫在望仙桥东', 'h', '德寿宫在望仙桥东', '2026')"
    )
    if "passage_search" in db.table_names():  # as whoever adds a passage to that schema does
        enter(db, db.execute("SELECT id, search_key FROM passages"))
    db.execute(
        "INSERT INTO suggestions (passage_id, provider, model, prompt_version, parameters, raw, missing, text_hash,"
        " created_at) VALUES (1, 'offline', 'rules-1', '', '{}', '', '[]', 'h', '2026')"
    )
    db.execute(
        "INSERT INTO jobs (kind, lane, state, key, params, created_at)"
        " VALUES ('demo', 'disk', 'done', 'k', '{}', '2026')"
    )
    db.conn.close()
    opened = home.open()
    assert not migrations.pending(opened)
    assert [row.passage.text for row in Passages(opened).page(PassageFilter())] == ["德寿宫在望仙桥东"]
    assert Passages(opened).ids(PassageFilter(text="望僊橋")) == [1]
    Passages(opened).update(replace(Passages(opened).get(1), text="西湖"), who="甲")
    assert Passages(opened).ids(PassageFilter(text="望仙桥")) == []
    assert Passages(opened).ids(PassageFilter(text="西湖")) == [1]
    assert opened.execute("SELECT count(*) FROM suggestions").fetchone()[0] == 1
    assert not Jobs(opened).get(1).needs_key
    copy = sqlite3.connect(home.path / f"songclip.before-{NAMES[older]}.db")
    assert copy.execute("SELECT text FROM passages").fetchone() == ("德寿宫在望仙桥东",)
