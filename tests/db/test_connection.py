import sqlite3
import threading

import pytest

from core.texts.passage import NewPassage
from db.connection import now, transaction
from db.passages import Passages


def write(db, key):
    db.execute("INSERT INTO home (key, value) VALUES (?, '')", [key])


def test_eight_threads_lose_no_write(home):
    home.open()
    failed = []

    def work(name):
        try:
            passages = Passages(home.open())
            for number in range(50):
                # reads first, as most writes do: a deferred transaction would be refused here
                with transaction(passages.db):
                    passages.count()
                    passages.add([NewPassage("梦粱录", name, str(number))])
        except sqlite3.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(str(name),)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert Passages(home.open()).count() == 400


def test_an_error_takes_everything_back(db):
    with pytest.raises(ZeroDivisionError), transaction(db):
        write(db, "one")
        raise ZeroDivisionError
    assert db["home"].count == 0
    write(db, "two")
    assert db["home"].count == 1


def test_an_inner_transaction_joins_the_outer_one(db):
    with pytest.raises(ZeroDivisionError), transaction(db):
        with transaction(db):
            write(db, "inner")
        write(db, "outer")
        raise ZeroDivisionError
    assert db["home"].count == 0
    with transaction(db):
        with transaction(db):
            write(db, "inner")
        write(db, "outer")
    assert db["home"].count == 2


def test_nothing_is_seen_before_it_is_whole(home, db):
    other = home.open()
    with transaction(db):
        write(db, "one")
        assert other["home"].count == 0
    assert other["home"].count == 1


def test_times_sort_as_text():
    times = [now() for _ in range(50)]
    assert times == sorted(times)
    assert times[0].endswith("+00:00")
