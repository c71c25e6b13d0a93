"""Suggestions: the replies of providers, stored as they came and never changed."""

import json
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from sqlite_utils import Database

from core.annotation.agreement import entity_scores
from core.annotation.lint import lint
from core.annotation.provider import Reply
from core.records import Suggestion
from core.texts.annotation import Status, value_from_json, value_to_json
from core.texts.passage import Passage
from db.annotations import Annotations
from db.connection import now, transaction
from db.passages import text_hash

_WHOLE = "json_extract(parameters, '$.parts') IS NULL"
"""A reading of the whole passage, not a redraft of some texts."""


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
            if reply.value is not None:
                self._mark(passage, reply)
        return int(row[0])

    def _mark(self, passage: Passage, reply: Reply) -> None:
        """Say in the annotation's row that there is something to review, how doubtful it is and how disputed."""
        annotations = Annotations(self.db)
        current = annotations.get(passage.id)
        if current.status is Status.NEW:
            current = annotations.save(
                passage.id,
                current.value,
                Status.SUGGESTED,
                version=current.version,
                who=f"{reply.provider}:{reply.model}",
                why="suggested",
            )
        if current.status is Status.SUGGESTED and reply.value is not None:
            doubts = len(lint(reply.value, passage.text)) + len(reply.parameters.get("problems", ()))
            self.db.execute("UPDATE annotations SET problems = ? WHERE passage_id = ?", [doubts, passage.id])
        self.db.execute(
            "UPDATE annotations SET agreement = ? WHERE passage_id = ?", [self._agreement(passage), passage.id]
        )

    def _agreement(self, passage: Passage) -> float | None:
        """How far the newest readings of different models agree: mean F1 of each two; None where there is one only."""
        newest: dict[tuple[str, str, str], Suggestion] = {}
        for suggestion in self.of(passage.id):
            if suggestion.value is not None and suggestion.whole and suggestion.text_hash == text_hash(passage.text):
                newest.setdefault((suggestion.provider, suggestion.model, suggestion.prompt_version), suggestion)
        values = [suggestion.value for suggestion in newest.values() if suggestion.value is not None]
        scores = [entity_scores(one, other).loose.f1 for one, other in combinations(values, 2)]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if known else None

    def of(self, passage_id: int) -> list[Suggestion]:
        """All suggestions for a passage, newest first."""
        rows = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions WHERE passage_id = ? ORDER BY id DESC", [passage_id]
        ).fetchall()
        return [_suggestion(row) for row in rows]

    def latest(self, passage: Passage) -> Suggestion | None:
        """The newest readable suggestion of a whole reading made on the passage's present text."""
        row = self.db.execute(
            f"SELECT {self._COLUMNS} FROM suggestions WHERE passage_id = ? AND text_hash = ? AND value IS NOT NULL"
            f" AND {_WHOLE} ORDER BY id DESC LIMIT 1",
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
            f"SELECT {self._COLUMNS} FROM suggestions WHERE value IS NOT NULL AND {_WHOLE} AND passage_id IN"
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
            "SELECT passage_id, error FROM suggestions WHERE"
            f" id IN (SELECT max(id) FROM suggestions WHERE {_WHOLE} GROUP BY passage_id)"
            " AND error <> '' ORDER BY passage_id"
        ).fetchall()
        wanted = set(ids)
        return [(row[0], row[1]) for row in rows if not wanted or row[0] in wanted]
