"""The rows of long work: submitted, claimed in order lane by lane, watched, and ended exactly once."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from core.errors import ConflictError, NotFoundError
from core.records import Job, JobState
from db.connection import now, row_id, transaction

_COLUMNS = (
    "id, kind, lane, state, params, done, total, message, details, result, error, error_details, stop_requested,"
    " attempt, created_at, started_at, heartbeat_at, finished_at, needs_key"
)
_ACTIVE = "('queued', 'starting', 'running')"


def _encode(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _job(row: Sequence[Any]) -> Job:
    fields: list[Any] = list(row)
    for number, name in enumerate(_COLUMNS.replace(" ", "").split(",")):
        if name in ("params", "details", "result", "error_details"):
            fields[number] = json.loads(row[number])
        elif name == "state":
            fields[number] = JobState(row[number])
        elif name in ("stop_requested", "needs_key"):
            fields[number] = bool(row[number])
    return Job(*fields)


class Jobs:
    """The jobs of one home. A key, where one is given, allows one active job of that key at a time."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def submit(
        self,
        kind: str,
        lane: str,
        params: dict[str, Any],
        *,
        key: str = "",
        running: bool = False,
        needs_key: bool = False,
    ) -> Job:
        """Queue a job, or record one that runs in this very process.

        Raises ConflictError when an active job has the same key: a double click starts one job. A job that
        ``needs_key`` waits for a process that holds its key, see :meth:`claim_with_key`.
        """
        with transaction(self.db):
            row = self.db.execute(
                "INSERT INTO jobs (kind, lane, state, key, params, created_at, needs_key) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING RETURNING id",
                [
                    kind,
                    lane,
                    "starting" if running else "queued",
                    key or uuid.uuid4().hex,
                    _encode(params),
                    now(),
                    needs_key,
                ],
            ).fetchone()
            if row is None:
                raise ConflictError("job_already_active", kind=kind)
        return self.get(int(row[0]))

    def get(self, job_id: int) -> Job:
        """The job with that id; NotFoundError otherwise."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", [row_id(job_id)]).fetchone()
        if row is None:
            raise NotFoundError("job_not_found", id=job_id)
        return _job(row)

    def page(self, *, kind: str = "", active: bool = False, offset: int = 0, limit: int = 50) -> list[Job]:
        """Jobs, newest first."""
        clauses, values = ["1"], []
        if kind:
            clauses.append("kind = ?")
            values.append(kind)
        if active:
            clauses.append(f"state IN {_ACTIVE}")
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE {' AND '.join(clauses)} ORDER BY id DESC LIMIT ? OFFSET ?",
            [*values, min(limit, 2**62), offset],
        ).fetchall()
        return [_job(row) for row in rows]

    def newest(self, kind: str, *, having: str) -> Job | None:
        """The newest job of a kind whose parameters hold that name."""
        row = self.db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE kind = ? AND json_extract(params, ?) IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            [kind, f'$."{having}"'],
        ).fetchone()
        return _job(row) if row else None

    def claim(self) -> list[Job]:
        """Take the lowest queued id of each lane in which nothing works, in one transaction."""
        with transaction(self.db):
            rows = self.db.execute(
                "UPDATE jobs SET state = 'starting', heartbeat_at = ? WHERE id IN"
                " (SELECT min(id) FROM jobs WHERE state = 'queued'"
                " AND NOT needs_key AND lane NOT IN"
                " (SELECT lane FROM jobs WHERE state IN ('starting', 'running')) GROUP BY lane)"
                " RETURNING id",
                [now()],
            ).fetchall()
        return [self.get(int(row[0])) for row in rows]

    def claim_with_key(self, job_id: int) -> bool:
        """Take one job that waits for its key, for a process that holds the key; False while its lane works."""
        with transaction(self.db):
            changed = self.db.execute(
                "UPDATE jobs SET state = 'starting', heartbeat_at = ? WHERE id = ? AND state = 'queued' AND needs_key"
                " AND lane NOT IN (SELECT lane FROM jobs WHERE state IN ('starting', 'running'))",
                [now(), row_id(job_id)],
            ).rowcount
        return changed == 1

    def begin(self, job_id: int) -> bool:
        """Say that the process of this job lives; False when the job is not waiting to begin (any more)."""
        with transaction(self.db):
            changed = self.db.execute(
                "UPDATE jobs SET state = 'running', started_at = ?, heartbeat_at = ?, finished_at = '', error = '',"
                " error_details = '{}' WHERE id = ? AND state IN ('queued', 'starting')",
                [now(), now(), job_id],
            ).rowcount
        return changed == 1

    def report(self, job_id: int, done: int, total: int, message: str, details: dict[str, Any]) -> None:
        """Write progress and heartbeat."""
        with transaction(self.db):
            self.db.execute(
                "UPDATE jobs SET done = ?, total = ?, message = ?, details = ?, heartbeat_at = ?"
                " WHERE id = ? AND state = 'running'",
                [done, total, message, _encode(details), now(), job_id],
            )

    def beat(self, job_id: int) -> bool:
        """Write the heartbeat and read whether the job was asked to stop."""
        with transaction(self.db):
            self.db.execute("UPDATE jobs SET heartbeat_at = ? WHERE id = ? AND state = 'running'", [now(), job_id])
            row = self.db.execute("SELECT stop_requested FROM jobs WHERE id = ?", [row_id(job_id)]).fetchone()
        return bool(row and row[0])

    def end(
        self,
        job_id: int,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        error: str = "",
        error_details: dict[str, Any] | None = None,
    ) -> bool:
        """Bring an active job to a terminal state; False when it had ended before."""
        with transaction(self.db):
            changed = self.db.execute(
                "UPDATE jobs SET state = ?, result = ?, error = ?, error_details = ?, finished_at = ?"
                f" WHERE id = ? AND state IN {_ACTIVE}",
                [state.value, _encode(result or {}), error, _encode(error_details or {}), now(), job_id],
            ).rowcount
        return changed == 1

    def cancel(self, job_id: int) -> Job:
        """Take a queued job back at once; ask a running one to stop at its next safe point."""
        with transaction(self.db):
            job = self.get(job_id)
            if job.state is JobState.QUEUED:
                self.end(job_id, JobState.CANCELLED)
            elif job.state.active:
                self.db.execute("UPDATE jobs SET stop_requested = 1 WHERE id = ?", [job_id])
        return self.get(job_id)

    def resume(self, job_id: int) -> Job:
        """Queue a job again that was cancelled, interrupted or failed; its task goes on where it can.

        Raises ConflictError for a job that is active or done.
        """
        with transaction(self.db):
            job = self.get(job_id)
            if job.state.active or job.state is JobState.DONE:
                raise ConflictError("job_not_resumable", id=job_id)
            self._requeue(job_id, "attempt = attempt + 1, stop_requested = 0, error = '', error_details = '{}',")
        return self.get(job_id)

    def unclaim(self, job_id: int) -> None:
        """Put a claimed job back whose process never began."""
        with transaction(self.db):
            if self.get(job_id).state is JobState.STARTING:
                self._requeue(job_id, "")

    def _requeue(self, job_id: int, also: str) -> None:
        changed = self.db.execute(
            f"UPDATE OR IGNORE jobs SET {also} state = 'queued', finished_at = '' WHERE id = ?", [job_id]
        ).rowcount
        if not changed:
            raise ConflictError("job_already_active", kind=self.get(job_id).kind)
