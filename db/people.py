"""People: who worked on what, how far each work is, and what was done on which day."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlite_utils import Database

from core.texts.annotation import Status
from db.queue import QUEUE

_OF_PERSONS = "why NOT IN ('suggested', 'demo') AND who <> 'annotations.json'"
"""Revisions that a person made: not those of a model, of the demo or of a file."""


@dataclass(frozen=True, slots=True)
class PersonProgress:
    """What one person did: passages she changed, those she approved that stand approved, her last day (local time)."""

    who: str
    passages: int
    approved: int
    last_day: str


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How many passages of one work stand at each status; ``title`` is the one it is mostly written with."""

    work: str
    title: str
    counts: dict[Status, int]

    @property
    def passages(self) -> int:
        """All its passages that are not deleted."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Day:
    """One person's day (local time, ISO): revisions she made, and how many of them were approvals."""

    day: str
    who: str
    revisions: int
    approved: int


class People:
    """The people of one home, known by the revisions they made."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def names(self) -> list[str]:
        """Everybody who made a revision, by name."""
        rows = self.db.execute(
            f"SELECT DISTINCT who FROM annotation_revisions WHERE {_OF_PERSONS} ORDER BY 1"
        ).fetchall()
        return [str(row[0]) for row in rows]

    def progress(self) -> list[PersonProgress]:
        """What each person did on passages that are not deleted; who did most comes first."""
        rows = self.db.execute(
            "SELECT r.who, count(*), sum(r.approved AND a.status = 'approved'), date(max(r.at), 'localtime') FROM"
            " (SELECT who, passage_id, max(status = 'approved') AS approved, max(at) AS at FROM annotation_revisions"
            f"  WHERE {_OF_PERSONS} GROUP BY who, passage_id) r"
            " JOIN annotations a INDEXED BY annotations_queue ON a.passage_id = r.passage_id"
            " WHERE r.passage_id NOT IN (SELECT id FROM passages WHERE deleted_at IS NOT NULL)"
            " GROUP BY r.who ORDER BY 2 DESC, 1"
        ).fetchall()
        return [PersonProgress(*row) for row in rows]

    def by_work(self) -> list[WorkProgress]:
        """The statuses of each work's passages; the largest work comes first."""
        rows = self.db.execute(
            f"SELECT p.work, p.source, coalesce(a.status, 'new'), count(*) {QUEUE} WHERE p.deleted_at IS NULL"
            " GROUP BY 1, 2, 3"
        ).fetchall()
        counts: dict[str, Counter[Status]] = defaultdict(Counter)
        titles: dict[str, Counter[str]] = defaultdict(Counter)
        for work, source, status, count in rows:
            counts[work][Status(status)] += count
            titles[work][source] += count
        works = [WorkProgress(work, titles[work].most_common(1)[0][0], dict(counts[work])) for work in counts]
        return sorted(works, key=lambda progress: (-progress.passages, progress.work))

    def daily(self, days: int = 90) -> list[Day]:
        """What each person did on each of the last ``days`` days, oldest first; days without work are left out."""
        rows = self.db.execute(
            "SELECT date(at, 'localtime') AS day, who, count(*), sum(status = 'approved') FROM annotation_revisions"
            # One day more in UTC: cheap, and it saves working out the local day of all that is older.
            f" WHERE {_OF_PERSONS} AND at >= date('now', ?) AND day > date('now', 'localtime', ?)"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            [f"-{days + 1} days", f"-{days} days"],
        ).fetchall()
        return [Day(*row) for row in rows]
