"""Annotations: the scholar's value of each passage, every revision of it, and what was set aside."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from core.annotation.lint import disputed, lint
from core.annotation.staleness import stale_parts, stamp
from core.errors import ConflictError, NotFoundError
from core.records import Annotation, Revision, Unmerged
from core.texts.annotation import AnnotationValue, Status, value_from_json, value_to_json
from core.texts.offsets import check_spans
from core.texts.passage import Passage
from db.connection import now, transaction
from db.passages import PASSAGE_COLUMNS, Passages, passage_from

IDLE = timedelta(minutes=5)
"""After so long without a change, a person who goes on has begun a new sitting."""

_COLUMNS = "a.status, a.revision, a.value, a.updated_at, a.updated_by, a.version, a.sitting, a.seq, a.sealed, a.made"


def _annotation(passage_id: int, row: Sequence[Any]) -> Annotation:
    made = {part: (int(pair[0]), int(pair[1])) for part, pair in json.loads(row[9]).items()}
    fields: list[Any] = [Status(row[0]), int(row[1]), value_from_json(row[2]), *row[3:8], bool(row[8]), made]
    return Annotation(passage_id, *fields)


def _revision(row: Sequence[Any]) -> Revision:
    return Revision(row[0], row[1], Status(row[2]), value_from_json(row[3]), *row[4:])


def _unmerged(row: Sequence[Any]) -> Unmerged:
    fields: list[Any] = [*row[:4], value_from_json(row[4]), value_from_json(row[5]), *row[6:]]
    return Unmerged(*fields)


class Annotations:
    """The annotations of one home; every change is in a revision, and a save names the version it was made on."""

    _HISTORY = "SELECT passage_id, revision, status, value, who, why, at, began_at FROM annotation_revisions"

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, passage_id: int) -> Annotation:
        """The annotation of a passage; one of revision 0 and status new when nothing was saved yet."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM annotations a WHERE passage_id = ?", [passage_id]).fetchone()
        return _annotation(passage_id, row) if row else Annotation(passage_id)

    def save(
        self,
        passage_id: int,
        value: AnnotationValue,
        status: Status,
        *,
        version: int,
        who: str,
        why: str,
        sitting: str = "",
        seq: int = 0,
        confirmed: Collection[str] = (),
    ) -> Annotation:
        """Store a value, in the sitting's open revision where there is one, else as the next revision.

        ``version`` is the one the person had before her; ``seq`` numbers the actions of a ``sitting``; ``confirmed``
        are texts she found still right. Raises ConflictError when the version is no longer the current one,
        InputError when an offset does not lie in the text or a relation has no entity; nothing is saved then.
        """
        with transaction(self.db):
            text = Passages(self.db).get(passage_id).text
            current = self.get(passage_id)
            if current.version != version:
                raise ConflictError(
                    "annotation_changed", id=passage_id, who=current.updated_by, at=current.updated_at[:19]
                )
            check_spans(value, text)
            moment = now()
            goes_on = self._goes_on(current, status, who, why, sitting, moment)
            revision = current.revision if goes_on else current.revision + 1
            made = stamp(
                current.made or self._unstamped(current),
                current.value,
                value,
                revision,
                approved=status is Status.APPROVED and why != "text_corrected" and not confirmed,
                text_changed=why == "text_corrected",
                confirmed=confirmed,
            )
            encoded = value_to_json(value)
            self.db.execute(
                "INSERT INTO annotations (passage_id, status, revision, value, updated_at, updated_by, version,"
                " sitting, seq, made, stale, problems, disputed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (passage_id) DO UPDATE SET status = excluded.status, revision = excluded.revision,"
                " value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by,"
                " version = excluded.version, sitting = excluded.sitting, seq = excluded.seq, sealed = 0,"
                " made = excluded.made, stale = excluded.stale, problems = excluded.problems,"
                " disputed = excluded.disputed",
                [
                    passage_id,
                    status.value,
                    revision,
                    encoded,
                    moment,
                    who,
                    version + 1,
                    sitting,
                    seq,
                    json.dumps(made),
                    len(stale_parts(made, value)),
                    len(lint(value, text)),
                    disputed(value),
                ],
            )
            if goes_on:
                self.db.execute(
                    "UPDATE annotation_revisions SET value = ?, at = ? WHERE passage_id = ? AND revision = ?",
                    [encoded, moment, passage_id, revision],
                )
            else:
                self.db.execute(
                    "INSERT INTO annotation_revisions (passage_id, revision, status, value, who, why, at, began_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [passage_id, revision, status.value, encoded, who, why, moment, moment],
                )
        return Annotation(passage_id, status, revision, value, moment, who, version + 1, sitting, seq, made=made)

    @staticmethod
    def _goes_on(current: Annotation, status: Status, who: str, why: str, sitting: str, moment: str) -> bool:
        """Whether a save belongs to the revision that is still open: the same sitting, person and status."""
        same = (
            bool(sitting)
            and not current.sealed
            and (current.sitting, current.updated_by, current.status) == (sitting, who, status)
        )
        if not same or why != "edited" or status is not Status.DRAFT:
            return False
        return datetime.fromisoformat(moment) - datetime.fromisoformat(current.updated_at) < IDLE

    @staticmethod
    def _unstamped(current: Annotation) -> dict[str, tuple[int, int]]:
        """The stamps of an annotation that was stored before there were any."""
        approved = current.status is Status.APPROVED
        return stamp({}, current.value, current.value, current.revision, approved=approved) if current.revision else {}

    def seal(self, passage_id: int, sitting: str) -> None:
        """Close the sitting's revision: the person has left; what she changes when she is back is the next one."""
        with transaction(self.db):
            self.db.execute(
                "UPDATE annotations SET sealed = 1 WHERE passage_id = ? AND sitting = ?", [passage_id, sitting]
            )

    def seal_all(self) -> None:
        """Close every open revision, so that what is made from them now can name them."""
        with transaction(self.db):
            self.db.execute("UPDATE annotations SET sealed = 1 WHERE sealed = 0")

    def history(self, passage_id: int, *, limit: int = -1, before: int = 2**31) -> list[Revision]:
        """The revisions of a passage before the one of that number, newest first."""
        rows = self.db.execute(
            f"{self._HISTORY} WHERE passage_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?",
            [passage_id, before, limit],
        ).fetchall()
        return [_revision(row) for row in rows]

    def at(self, passage_id: int, revision: int) -> Revision:
        """One revision; NotFoundError ``revision_not_found``."""
        row = self.db.execute(
            f"{self._HISTORY} WHERE passage_id = ? AND revision = ?", [passage_id, revision]
        ).fetchone()
        if row is None:
            raise NotFoundError("revision_not_found", id=passage_id, revision=revision)
        return _revision(row)

    def set_aside(
        self, passage_id: int, *, sitting: str, who: str, base: AnnotationValue, value: AnnotationValue, seq: int = 0
    ) -> None:
        """Keep a value that could not be saved over another change, until somebody merges or drops it."""
        with transaction(self.db):
            self.db.execute(
                "INSERT INTO unmerged (passage_id, sitting, who, base, value, seq, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (passage_id, sitting) DO UPDATE SET base = excluded.base, who = excluded.who,"
                " value = excluded.value, seq = excluded.seq, at = excluded.at",
                [passage_id, sitting, who, value_to_json(base), value_to_json(value), seq, now()],
            )

    def unmerged(self, passage_id: int) -> list[Unmerged]:
        """What was set aside for a passage, oldest first."""
        rows = self.db.execute(
            "SELECT id, passage_id, sitting, who, base, value, seq, at FROM unmerged WHERE passage_id = ? ORDER BY id",
            [passage_id],
        ).fetchall()
        return [_unmerged(row) for row in rows]

    def settle(self, unmerged_id: int) -> None:
        """Forget what was set aside: it was merged or dropped."""
        with transaction(self.db):
            self.db.execute("DELETE FROM unmerged WHERE id = ?", [unmerged_id])

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
            f"SELECT {PASSAGE_COLUMNS}, {_COLUMNS}"
            " FROM annotations a JOIN passages p ON p.id = a.passage_id"
            f" WHERE p.deleted_at IS NULL AND a.status IN ({marks}) ORDER BY p.id",
            wanted,
        )
        return [(passage_from(row), _annotation(row[0], row[12:])) for row in rows]
