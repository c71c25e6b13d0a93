"""Annotations: the scholar's value of each passage, every revision of it, and the suggestions beside it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from core.annotation.provider import Reply
from core.errors import ConflictError
from core.records import Annotation, Revision, Suggestion
from core.texts.annotation import AnnotationValue, Status, value_from_json, value_to_json
from core.texts.offsets import check_spans
from core.texts.passage import Passage
from db.connection import now, transaction
from db.passages import PASSAGE_COLUMNS, Passages, passage_from, text_hash


def _annotation(passage_id: int, row: Sequence[Any]) -> Annotation:
    return Annotation(passage_id, Status(row[0]), int(row[1]), value_from_json(row[2]), row[3], row[4])


class Annotations:
    """The annotations of one home; each change is a revision, and a save names the revision it was made on."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, passage_id: int) -> Annotation:
        """The annotation of a passage; one of revision 0 and status new when nothing was saved yet."""
        row = self.db.execute(
            "SELECT status, revision, value, updated_at, updated_by FROM annotations WHERE passage_id = ?",
            [passage_id],
        ).fetchone()
        if row is None:
            return Annotation(passage_id)
        return _annotation(passage_id, row)

    def save(
        self, passage_id: int, value: AnnotationValue, status: Status, *, revision: int, who: str, why: str
    ) -> Annotation:
        """Store a value as the next revision.

        ``revision`` is the one the person had before her. Raises ConflictError when it is no longer the current
        one, InputError when an offset does not lie in the text or a relation has no entity; nothing is saved then.
        """
        with transaction(self.db):
            text = Passages(self.db).get(passage_id).text
            current = self.get(passage_id)
            if current.revision != revision:
                raise ConflictError(
                    "annotation_changed", id=passage_id, who=current.updated_by, at=current.updated_at[:19]
                )
            check_spans(value, text)
            saved = Annotation(passage_id, status, revision + 1, value, now(), who)
            encoded = value_to_json(value)
            self.db.execute(
                "INSERT OR REPLACE INTO annotations (passage_id, status, revision, value, updated_at, updated_by)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [passage_id, status.value, saved.revision, encoded, saved.updated_at, who],
            )
            self.db.execute(
                "INSERT INTO annotation_revisions (passage_id, revision, status, value, who, why, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [passage_id, saved.revision, status.value, encoded, who, why, saved.updated_at],
            )
        return saved

    def history(self, passage_id: int) -> list[Revision]:
        """All revisions of a passage, newest first."""
        rows = self.db.execute(
            "SELECT passage_id, revision, status, value, who, why, at FROM annotation_revisions"
            " WHERE passage_id = ? ORDER BY revision DESC",
            [passage_id],
        ).fetchall()
        return [Revision(row[0], row[1], Status(row[2]), value_from_json(row[3]), *row[4:]) for row in rows]

    def approved_at(self, moment: str) -> list[tuple[str, AnnotationValue]]:
        """Text and value of each passage whose annotation was approved at that time, as it was then."""
        rows = self.db.execute(
            "SELECT p.text, r.value FROM annotation_revisions r JOIN passages p ON p.id = r.passage_id"
            " WHERE r.status = 'approved' AND p.deleted_at IS NULL AND r.revision ="
            " (SELECT max(s.revision) FROM annotation_revisions s WHERE s.passage_id = r.passage_id AND s.at <= ?)"
            " ORDER BY r.passage_id",
            [moment],
        ).fetchall()
        return [(row[0], value_from_json(row[1])) for row in rows]

    def with_status(self, statuses: Iterable[Status]) -> list[tuple[Passage, Annotation]]:
        """Passages whose annotation stands at one of the statuses, in order of their id."""
        wanted = [status.value for status in statuses]
        marks = ", ".join("?" for _ in wanted)
        rows = self.db.execute(
            f"SELECT {PASSAGE_COLUMNS}, a.status, a.revision, a.value, a.updated_at, a.updated_by"
            " FROM annotations a JOIN passages p ON p.id = a.passage_id"
            f" WHERE p.deleted_at IS NULL AND a.status IN ({marks}) ORDER BY p.id",
            wanted,
        )
        return [(passage_from(row), _annotation(row[0], row[12:])) for row in rows]


def _suggestion(row: Sequence[Any]) -> Suggestion:
    value = value_from_json(row[7]) if row[7] else None
    fields: list[Any] = [
        *row[:5],
        json.loads(row[5]),
        row[6],
        value,
        tuple(json.loads(row[8])),
        *row[9:15],
        json.loads(row[15]),
    ]
    return Suggestion(*fields)


class Suggestions:
    """The replies of providers, stored as they came and never changed."""

    _COLUMNS = (
        "id, passage_id, provider, model, prompt_version, parameters, raw, value, missing, error, text_hash,"
        " tokens_in, tokens_out, created_at, job_id, error_details"
    )

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, passage: Passage, reply: Reply, *, key: str = "", job_id: int | None = None) -> int | None:
        """Store a reply. A passage nobody touched yet becomes ``suggested``; a scholar's value stays as it is.

        A ``key`` names the requests it came from: the same reply is stored once, and None is returned the next time.
        """
        with transaction(self.db):
            row = self.db.execute(
                "INSERT INTO suggestions (passage_id, provider, model, prompt_version, parameters, raw, value, missing,"
                " error, error_details, text_hash, tokens_in, tokens_out, created_at, key, job_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                [
                    passage.id,
                    reply.provider,
                    reply.model,
                    reply.prompt_version,
                    json.dumps(dict(reply.parameters), ensure_ascii=False, sort_keys=True),
                    reply.raw,
                    value_to_json(reply.value) if reply.value is not None else None,
                    json.dumps(reply.missing),
                    reply.error.code if reply.error else "",
                    json.dumps(reply.error.details if reply.error else {}, ensure_ascii=False, default=str),
                    text_hash(passage.text),
                    reply.tokens_in,
                    reply.tokens_out,
                    now(),
                    key,
                    job_id,
                ],
            ).fetchone()
            if row is None:
                return None
            annotations = Annotations(self.db)
            if reply.value is not None and annotations.get(passage.id).status is Status.NEW:
                current = annotations.get(passage.id)
                annotations.save(
                    passage.id,
                    current.value,
                    Status.SUGGESTED,
                    revision=current.revision,
                    who=f"{reply.provider}:{reply.model}",
                    why="suggested",
                )
        return int(row[0])

    def of(self, passage_id: int) -> list[Suggestion]:
        """All suggestions for a passage, newest first."""
        rows = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions WHERE passage_id = ? ORDER BY id DESC", [passage_id]
        ).fetchall()
        return [_suggestion(row) for row in rows]

    def latest(self, passage: Passage) -> Suggestion | None:
        """The newest readable suggestion made on the passage's present text."""
        row = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions WHERE passage_id = ? AND text_hash = ? AND value IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            [passage.id, text_hash(passage.text)],
        ).fetchone()
        return _suggestion(row) if row else None

    def has(self, passage_id: int, key: str) -> bool:
        """Whether the reply to these requests is stored already."""
        row = self.db.execute(
            "SELECT 1 FROM suggestions WHERE passage_id = ? AND key = ? AND key <> ''", [passage_id, key]
        ).fetchone()
        return row is not None

    def of_job(self, job_id: int) -> list[Suggestion]:
        """What a job stored, the newest for each passage, in order of the passages."""
        rows = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions"
            " WHERE id IN (SELECT max(id) FROM suggestions WHERE job_id = ? GROUP BY passage_id) ORDER BY passage_id",
            [job_id],
        ).fetchall()
        return [_suggestion(row) for row in rows]

    def readable(self) -> dict[int, list[Suggestion]]:
        """Every suggestion with a value for passages that are approved, oldest first, by passage."""
        rows = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions WHERE value IS NOT NULL AND passage_id IN"
            " (SELECT passage_id FROM annotations WHERE status = 'approved') ORDER BY id"
        )
        found: dict[int, list[Suggestion]] = {}
        for row in rows:
            found.setdefault(row[1], []).append(_suggestion(row))
        return found

    def asked_about(self, prompt_version: str = "") -> set[int]:
        """The passages somebody was ever asked about, at all or with one version of a prompt."""
        rows = self.db.execute(
            "SELECT DISTINCT passage_id FROM suggestions WHERE ? IN ('', prompt_version)", [prompt_version]
        ).fetchall()
        return {int(row[0]) for row in rows}

    def prompt_versions(self) -> list[str]:
        """The prompt versions that suggestions were made with."""
        rows = self.db.execute("SELECT DISTINCT prompt_version FROM suggestions ORDER BY 1").fetchall()
        return [str(row[0]) for row in rows if row[0]]

    def failed(self, ids: Iterable[int]) -> list[tuple[int, str]]:
        """Of these passages, those whose newest suggestion could not be read, with the error's code."""
        rows = self.db.execute(
            "SELECT passage_id, error FROM suggestions"
            " WHERE id IN (SELECT max(id) FROM suggestions GROUP BY passage_id) AND error <> '' ORDER BY passage_id"
        ).fetchall()
        wanted = set(ids)
        return [(row[0], row[1]) for row in rows if not wanted or row[0] in wanted]
