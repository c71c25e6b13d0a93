"""Prompts as versioned records, and the calls that were made with them."""

from dataclasses import dataclass

from sqlite_utils import Database

from core.annotation.prompts import DEFAULT_PROMPT, Prompt, check_prompt
from core.errors import NotFoundError
from db.connection import now, transaction


class Prompts:
    """The prompts of one home: a change makes a new version, nothing is overwritten."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def all(self) -> list[Prompt]:
        """Every version of every prompt, newest first; the one that comes with the program stands last."""
        rows = self.db.execute(
            "SELECT name, version, system, instructions, created_at, created_by FROM prompts ORDER BY id DESC"
        ).fetchall()
        return [*(Prompt(*row) for row in rows), DEFAULT_PROMPT]

    def get(self, prompt_id: str) -> Prompt:
        """The prompt called ``name-vN``; without one the newest. NotFoundError otherwise."""
        for prompt in self.all():
            if not prompt_id or prompt.id == prompt_id:
                return prompt
        raise NotFoundError("prompt_not_found", prompt=prompt_id)

    def add(self, name: str, system: str, instructions: str, *, who: str) -> Prompt:
        """Store a prompt as the next version of its name; text that a version has already is that version.

        Raises InputError as :func:`core.annotation.prompts.check_prompt`.
        """
        with transaction(self.db):
            versions = [prompt for prompt in self.all() if prompt.name == name]
            for prompt in versions:
                if (prompt.system, prompt.instructions) == (system, instructions):
                    return prompt
            number = max((prompt.version for prompt in versions), default=0) + 1
            new = Prompt(name, number, system, instructions, now(), who)
            check_prompt(new)
            self.db.execute(
                "INSERT INTO prompts (name, version, system, instructions, created_at, created_by)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [name, number, system, instructions, new.created_at, who],
            )
        return new


@dataclass(frozen=True, slots=True)
class Call:
    """One answered or failed request; ``raw`` is what came, ``error`` the code of what went wrong."""

    key: str
    passage_id: int
    address: str
    model: str
    raw: str
    finish_reason: str = ""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    created_at: str = ""


class Calls:
    """Everything that was paid for, by the hash of its request."""

    _COLUMNS = "key, passage_id, address, model, raw, finish_reason, error, tokens_in, tokens_out, seconds, created_at"

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, call: Call, *, job_id: int | None) -> None:
        """Store a call before anything else is done with its reply."""
        with transaction(self.db):
            self.db.execute(
                "INSERT INTO calls (key, passage_id, job_id, address, model, raw, finish_reason, error, tokens_in,"
                " tokens_out, seconds, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    call.key,
                    call.passage_id,
                    job_id,
                    call.address,
                    call.model,
                    call.raw,
                    call.finish_reason,
                    call.error,
                    call.tokens_in,
                    call.tokens_out,
                    call.seconds,
                    now(),
                ],
            )

    def stored(self, key: str, *, since: str = "") -> Call | None:
        """The newest reply to this request, made at or after ``since``; failed calls without a reply are none."""
        row = self.db.execute(
            f"SELECT {self._COLUMNS} FROM calls WHERE key = ? AND raw <> '' AND created_at >= ?"
            " ORDER BY id DESC LIMIT 1",
            [key, since],
        ).fetchone()
        return Call(*row) if row else None

    def of_job(self, job_id: int) -> tuple[int, int, int]:
        """How many calls a job made, and their tokens in and out."""
        row = self.db.execute(
            "SELECT count(*), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0) FROM calls WHERE job_id = ?",
            [job_id],
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def last_of(self, passage_id: int, job_id: int) -> Call | None:
        """The newest call a job made for a passage: what a person looks at when it failed."""
        row = self.db.execute(
            f"SELECT {self._COLUMNS} FROM calls WHERE passage_id = ? AND job_id = ? ORDER BY id DESC LIMIT 1",
            [passage_id, job_id],
        ).fetchone()
        return Call(*row) if row else None
