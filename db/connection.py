"""One SQLite connection for one thread or one script run, and the write transaction all changes go through."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

BUSY_SECONDS = 30.0


def connect(path: Path) -> Database:
    """Open the database at ``path`` with WAL, foreign keys and full durability.

    The connection belongs to the thread that opened it. Raises ``sqlite3.Error`` when the file is no database.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return Database(connection)


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All or nothing: one ``BEGIN IMMEDIATE`` transaction; inside another one it joins that.

    Immediate, because a deferred transaction that reads first is refused at its first write when another writer
    came between, however long the busy timeout.
    """
    connection = db.conn
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def row_id(number: int) -> int:
    """The number as SQLite can look for it; one beyond 64 bits becomes 0, which no row has."""
    return number if 0 < number < 2**63 else 0
