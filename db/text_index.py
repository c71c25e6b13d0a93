"""The text index: a search for any run of characters without reading the texts.

An FTS5 table whose tokens are code points in hexadecimal, so that a phrase of tokens is a run of characters: of any
length, and of characters younger than the Unicode tables of SQLite as well. It stores no text, only where each
character stands, and is kept in step by whoever writes a passage's search key.
"""

from collections.abc import Iterable

from sqlite_utils import Database

LONGEST, MOST = 40, 20
"""Characters of a word and words of a query that the index is asked; over 50,000 passages it needs 8 s for 12,000."""


def tokens(key: str) -> str:
    """A search key as the index reads it: 8 hexadecimal digits a code point."""
    return key.encode("utf-32-be", "surrogatepass").hex(" ", 4)


def enter(db: Database, keys: Iterable[tuple[int, str]]) -> None:
    """Put passages that are not in the index into it, as ``(id, search key)``."""
    db.conn.executemany(
        "INSERT INTO passage_search (rowid, text) VALUES (?, ?)",
        ((passage_id, tokens(key)) for passage_id, key in keys),
    )


def replace(db: Database, passage_id: int, before: str, after: str) -> None:
    """Exchange the search key of a passage; ``before`` must be the one it was entered with."""
    db.execute(
        "INSERT INTO passage_search (passage_search, rowid, text) VALUES ('delete', ?, ?)",
        [passage_id, tokens(before)],
    )
    enter(db, [(passage_id, after)])


def matching(words: list[str]) -> tuple[list[str], list[str]]:
    """Clauses and their values for passages ``p`` in whose search key every word stands; words are search keys.

    The index is exact; what is too long for it is narrowed by it and then compared with the key itself.
    """
    phrases = " ".join(f'"{tokens(word[:LONGEST])}"' for word in words[:MOST])
    clauses = ["p.id IN (SELECT rowid FROM passage_search WHERE passage_search MATCH ?)"] if words else []
    rest = [word for number, word in enumerate(words) if number >= MOST or len(word) > LONGEST]
    return clauses + ["instr(p.search_key, ?) > 0"] * len(rest), [phrases] * len(clauses) + rest
