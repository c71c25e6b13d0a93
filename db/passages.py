"""Passages: add, list, search, correct, delete and bring back."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from core.errors import ConflictError, InputError, NotFoundError
from core.records import PassageSummary
from core.texts.annotation import Status
from core.texts.passage import NewPassage, Passage
from core.texts.variants import search_key, work_key
from db import text_index
from db.connection import now, row_id, transaction
from db.queue import QUEUE, Order, PassageFilter, backwards, keys, marks, tables, where

PASSAGE_COLUMNS = (
    "p.id, p.source, p.chapter, p.text, p.work, p.file_id, p.edition, p.page, p.address, p.generated, p.created_at,"
    " p.deleted_at"
)


def text_hash(text: str) -> str:
    """SHA-256 of a text, by which duplicates and outdated suggestions are found."""
    return hashlib.sha256(text.encode()).hexdigest()


def passage_from(row: Sequence[Any]) -> Passage:
    """The passage of a row that begins with PASSAGE_COLUMNS."""
    fields: list[Any] = [*row[:9], bool(row[9]), *row[10:12]]
    return Passage(*fields)


def _key(source: str, chapter: str, text: str) -> str:
    return "\n".join(search_key(part) for part in (source, chapter, text))


@dataclass(frozen=True)
class Added:
    """What became of passages that were offered: the new ids, and those that were there already."""

    ids: tuple[int, ...]
    duplicates: tuple[NewPassage, ...]


EVERYTHING = PassageFilter()


class Passages:
    """The passages of one home."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, passages: Iterable[NewPassage], *, generated: bool = False) -> Added:
        """Store what is new; a passage whose source, chapter and text are there already is reported, not doubled."""
        ids: list[int] = []
        duplicates: list[NewPassage] = []
        with transaction(self.db):
            for new in passages:
                row = self.db.execute(
                    "INSERT INTO passages (source, work, chapter, text, text_hash, search_key, file_id, edition, page,"
                    " address, generated, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING RETURNING id",
                    [
                        new.source,
                        work_key(new.source),
                        new.chapter,
                        new.text,
                        text_hash(new.text),
                        _key(new.source, new.chapter, new.text),
                        new.file_id,
                        new.edition,
                        new.page,
                        new.address,
                        generated,
                        now(),
                    ],
                ).fetchone()
                if row:
                    ids.append(int(row[0]))
                else:
                    duplicates.append(new)
            if ids:
                # All at once: FTS5 writes a segment whenever another table is written between two of its rows.
                added = "SELECT id, search_key FROM passages WHERE id BETWEEN ? AND ?"
                text_index.enter(self.db, self.db.execute(added, [ids[0], ids[-1]]))
        return Added(tuple(ids), tuple(duplicates))

    def get(self, passage_id: int) -> Passage:
        """The passage, deleted or not; NotFoundError when there never was one."""
        row = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.id = ?", [row_id(passage_id)]
        ).fetchone()
        if row is None:
            raise NotFoundError("passage_not_found", id=passage_id)
        return passage_from(row)

    def count(self, wanted: PassageFilter = EVERYTHING) -> int:
        """How many passages match."""
        condition, values = where(wanted)
        return int(self.db.execute(f"SELECT count(*) {tables(wanted)} WHERE {condition}", values).fetchone()[0])

    def page(self, wanted: PassageFilter, *, offset: int = 0, limit: int = 50) -> list[PassageSummary]:
        """One page of the matching passages, in the order that is asked for."""
        condition, values = where(wanted)
        # The page is found in the indexes first, so that whole rows are read for it alone.
        rows = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS}, coalesce(a.status, 'new'),"
            " (SELECT count(*) FROM pairs JOIN images i ON i.id = pairs.image_id"
            "  WHERE pairs.passage_id = p.id AND i.deleted_at IS NULL)"
            f" FROM (SELECT p.id {tables(wanted)} WHERE {condition} ORDER BY {keys(wanted.order)} LIMIT ? OFFSET ?) f"
            " JOIN passages p ON p.id = f.id LEFT JOIN annotations a ON a.passage_id = p.id"
            f" ORDER BY {keys(wanted.order)}",
            [*values, limit, offset],
        ).fetchall()
        return [PassageSummary(passage_from(row), Status(row[12]), int(row[13])) for row in rows]

    def ids(self, wanted: PassageFilter = EVERYTHING) -> list[int]:
        """The ids of all matching passages, in the order that is asked for."""
        condition, values = where(wanted)
        query = f"SELECT p.id {tables(wanted)} WHERE {condition} ORDER BY {keys(wanted.order)}"
        return [int(row[0]) for row in self.db.execute(query, values).fetchall()]

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """The texts of passages by their ids, deleted ones too; what never was has none."""
        rows = self.db.execute(
            "SELECT id, text FROM passages WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))]
        ).fetchall()
        return {int(row[0]): str(row[1]) for row in rows}

    def _place(self, passage_id: int, order: Order) -> Sequence[Any] | None:
        """Where a passage stands in an order, whether it matches or not; None when there is no such passage."""
        query = f"SELECT {keys(order)} {QUEUE} WHERE p.id = ?"
        place: Sequence[Any] | None = self.db.execute(query, [row_id(passage_id)]).fetchone()
        return place

    def neighbours(self, passage_id: int, wanted: PassageFilter) -> tuple[int | None, int | None]:
        """The matching passages before and after this one's place in the order, which itself need not match.

        A passage that does not exist stands before all others.
        """
        condition, values = where(wanted)
        order = wanted.order
        place = self._place(passage_id, order)
        found: list[int | None] = []
        for sign, direction, nowhere in (("<", backwards(order), "0"), (">", keys(order), "1")):
            beyond = f"({keys(order)}) {sign} ({marks(order)})" if place else nowhere
            row = self.db.execute(
                f"SELECT p.id {tables(wanted)} WHERE {condition} AND {beyond} ORDER BY {direction} LIMIT 1",
                [*values, *(place or ())],
            ).fetchone()
            found.append(int(row[0]) if row else None)
        return found[0], found[1]

    def position(self, passage_id: int, wanted: PassageFilter) -> tuple[int, int]:
        """How many matching passages stand at or before this one's place in the order, and how many there are."""
        condition, values = where(wanted)
        order = wanted.order
        place = self._place(passage_id, order)
        if place is None:
            return 0, self.count(wanted)
        row = self.db.execute(
            f"SELECT count(*) FILTER (WHERE ({keys(order)}) <= ({marks(order)})), count(*)"
            f" {tables(wanted)} WHERE {condition}",
            [*place, *values],
        ).fetchone()
        return int(row[0]), int(row[1])

    def models(self) -> list[str]:
        """The models that made a suggestion which could be read."""
        rows = self.db.execute("SELECT DISTINCT model FROM suggestions WHERE value IS NOT NULL ORDER BY 1").fetchall()
        return [str(row[0]) for row in rows]

    def works(self) -> dict[str, tuple[str, int]]:
        """Each work's key with the title it is mostly written with and its number of passages."""
        rows = self.db.execute(
            "SELECT work, source, count(*) AS n FROM passages WHERE deleted_at IS NULL GROUP BY work, source ORDER BY n"
        ).fetchall()
        works: dict[str, tuple[str, int]] = {}
        for work, source, count in rows:
            works[work] = (source, works.get(work, ("", 0))[1] + count)
        return dict(sorted(works.items(), key=lambda item: -item[1][1]))

    def status_counts(self) -> dict[Status, int]:
        """How many passages stand at each status."""
        rows = self.db.execute(
            f"SELECT coalesce(a.status, 'new'), count(*) {QUEUE} WHERE p.deleted_at IS NULL GROUP BY 1"
        ).fetchall()
        found = {Status(row[0]): int(row[1]) for row in rows}
        return {status: found.get(status, 0) for status in Status}

    def by_text(self, text: str) -> list[Passage]:
        """The passages with exactly this text."""
        rows = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.text_hash = ? AND p.deleted_at IS NULL ORDER BY p.id",
            [text_hash(text)],
        ).fetchall()
        return [passage_from(row) for row in rows]

    def by_file_id(self, source: str, file_id: str) -> list[Passage]:
        """The passages of a work that carry this identifier of their file."""
        rows = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.work = ? AND p.file_id = ? AND p.deleted_at IS NULL"
            " ORDER BY p.id",
            [work_key(source), file_id],
        ).fetchall()
        return [passage_from(row) for row in rows]

    def find(self, reference: str) -> Passage | None:
        """The passage that a number of the list, or an identifier of its file, means; None when unclear."""
        reference = reference.strip()
        if reference.isdecimal() and len(reference) < 19:
            rows = self.db.execute(
                f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.id = ?", [int(reference)]
            ).fetchall()
        else:
            rows = self.db.execute(
                f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.file_id = ? AND p.deleted_at IS NULL LIMIT 2",
                [reference],
            ).fetchall()
        return passage_from(rows[0]) if len(rows) == 1 else None

    def update(self, changed: Passage, *, who: str) -> None:
        """Store a corrected text or citation, keeping what stood before; who reads it next sees the new one.

        Raises ConflictError when another passage has the same source, chapter and text.
        """
        with transaction(self.db):
            before = self.get(changed.id)
            if not changed.text.strip():
                raise InputError("text_empty", where=f"#{changed.id}")
            self.db.execute(
                "INSERT INTO passage_revisions (passage_id, source, chapter, text, edition, page, address, who, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    before.id,
                    before.source,
                    before.chapter,
                    before.text,
                    before.edition,
                    before.page,
                    before.address,
                    who,
                    now(),
                ],
            )
            self._refuse_duplicate(changed)
            key = _key(changed.source, changed.chapter, changed.text)
            stored = self.db.execute("SELECT search_key FROM passages WHERE id = ?", [changed.id]).fetchone()[0]
            text_index.replace(self.db, changed.id, stored, key)
            self.db.execute(
                "UPDATE passages SET source = ?, work = ?, chapter = ?, text = ?, text_hash = ?, search_key = ?,"
                " edition = ?, page = ?, address = ? WHERE id = ?",
                [
                    changed.source,
                    work_key(changed.source),
                    changed.chapter,
                    changed.text,
                    text_hash(changed.text),
                    key,
                    changed.edition,
                    changed.page,
                    changed.address,
                    changed.id,
                ],
            )

    def earlier_texts(self, passage_id: int) -> list[tuple[str, str, str]]:
        """Texts the passage had before, newest first, as (text, who, when)."""
        rows = self.db.execute(
            "SELECT text, who, at FROM passage_revisions WHERE passage_id = ? ORDER BY id DESC", [passage_id]
        ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def delete(self, ids: Iterable[int]) -> int:
        """Take passages out of every list; nothing of them is lost and :meth:`restore` brings them back."""
        with transaction(self.db):
            return sum(
                self.db.execute(
                    "UPDATE passages SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL",
                    [now(), passage_id],
                ).rowcount
                for passage_id in ids
            )

    def restore(self, ids: Iterable[int]) -> int:
        """Bring deleted passages back; ConflictError when the same passage was added again meanwhile."""
        with transaction(self.db):
            restored = 0
            for passage_id in ids:
                self._refuse_duplicate(self.get(passage_id))
                restored += self.db.execute(
                    "UPDATE passages SET deleted_at = NULL WHERE id = ? AND deleted_at IS NOT NULL",
                    [passage_id],
                ).rowcount
        return restored

    def _refuse_duplicate(self, passage: Passage) -> None:
        row = self.db.execute(
            "SELECT id FROM passages WHERE source = ? AND chapter = ? AND text_hash = ?"
            " AND deleted_at IS NULL AND id <> ?",
            [passage.source, passage.chapter, text_hash(passage.text), passage.id],
        ).fetchone()
        if row:
            raise ConflictError("passage_duplicate", id=passage.id, other=row[0])
