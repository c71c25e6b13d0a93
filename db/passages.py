"""Passages: add, list, search, correct, delete and bring back."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from core.errors import ConflictError, InputError, NotFoundError
from core.records import PassageSummary
from core.texts.annotation import Status
from core.texts.passage import NewPassage, Passage
from core.texts.variants import search_key, work_key
from db.connection import now, row_id, transaction

PASSAGE_COLUMNS = (
    "p.id, p.source, p.chapter, p.text, p.work, p.file_id, p.edition, p.page, p.address, p.generated, p.created_at,"
    " p.deleted_at"
)
_JOINED = "FROM passages p LEFT JOIN annotations a ON a.passage_id = p.id"


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


@dataclass(frozen=True)
class PassageFilter:
    """Which passages a list shows; empty fields do not restrict. ``text`` is matched with variants folded."""

    text: str = ""
    work: str = ""
    status: Status | None = None
    deleted: bool = False


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
        return Added(tuple(ids), tuple(duplicates))

    def get(self, passage_id: int) -> Passage:
        """The passage, deleted or not; NotFoundError when there never was one."""
        row = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS} FROM passages p WHERE p.id = ?", [row_id(passage_id)]
        ).fetchone()
        if row is None:
            raise NotFoundError("passage_not_found", id=passage_id)
        return passage_from(row)

    def _where(self, wanted: PassageFilter) -> tuple[str, list[Any]]:
        clauses = ["p.deleted_at IS NOT NULL" if wanted.deleted else "p.deleted_at IS NULL"]
        values: list[Any] = []
        for word in wanted.text.split():
            clauses.append("instr(p.search_key, ?) > 0")
            values.append(search_key(word))
        if wanted.work:
            clauses.append("p.work = ?")
            values.append(wanted.work)
        if wanted.status is Status.NEW:
            clauses.append("(a.status IS NULL OR a.status = 'new')")
        elif wanted.status:
            clauses.append("a.status = ?")
            values.append(wanted.status.value)
        return " AND ".join(clauses), values

    def count(self, wanted: PassageFilter = PassageFilter()) -> int:
        """How many passages match."""
        where, values = self._where(wanted)
        query = f"SELECT count(*) FROM passages p LEFT JOIN annotations a ON a.passage_id = p.id WHERE {where}"
        return int(self.db.execute(query, values).fetchone()[0])

    def page(self, wanted: PassageFilter, *, offset: int = 0, limit: int = 50) -> list[PassageSummary]:
        """One page of the matching passages in order of their id."""
        where, values = self._where(wanted)
        rows = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS}, coalesce(a.status, 'new'),"
            " (SELECT count(*) FROM pairs JOIN images i ON i.id = pairs.image_id"
            "  WHERE pairs.passage_id = p.id AND i.deleted_at IS NULL)"
            f" {_JOINED} WHERE {where} ORDER BY p.id LIMIT ? OFFSET ?",
            [*values, limit, offset],
        ).fetchall()
        return [PassageSummary(passage_from(row), Status(row[12]), int(row[13])) for row in rows]

    def ids(self, wanted: PassageFilter = PassageFilter()) -> list[int]:
        """The ids of all matching passages, in order."""
        where, values = self._where(wanted)
        query = f"SELECT p.id {_JOINED} WHERE {where} ORDER BY p.id"
        return [int(row[0]) for row in self.db.execute(query, values).fetchall()]

    def neighbours(self, passage_id: int, wanted: PassageFilter) -> tuple[int | None, int | None]:
        """The matching passages before and after this one."""
        where, values = self._where(wanted)
        joined = f"{_JOINED} WHERE {where}"
        before = self.db.execute(f"SELECT max(p.id) {joined} AND p.id < ?", [*values, passage_id]).fetchone()[0]
        after = self.db.execute(f"SELECT min(p.id) {joined} AND p.id > ?", [*values, passage_id]).fetchone()[0]
        return before, after

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
            "SELECT coalesce(a.status, 'new'), count(*) FROM passages p LEFT JOIN annotations a ON a.passage_id = p.id"
            " WHERE p.deleted_at IS NULL GROUP BY 1"
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
            self.db.execute(
                "UPDATE passages SET source = ?, work = ?, chapter = ?, text = ?, text_hash = ?, search_key = ?,"
                " edition = ?, page = ?, address = ? WHERE id = ?",
                [
                    changed.source,
                    work_key(changed.source),
                    changed.chapter,
                    changed.text,
                    text_hash(changed.text),
                    _key(changed.source, changed.chapter, changed.text),
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
