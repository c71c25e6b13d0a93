"""Pictures and the pairs that connect them with passages."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from core.errors import NotFoundError
from core.records import ImageRecord, Pair
from core.texts.variants import search_key
from db.connection import now, row_id, transaction

_COLUMNS = (
    "id, sha256, file_name, extension, width, height, title, category, source, rights, note, work, dhash,"
    " generated, created_at, deleted_at"
)


def _image(row: Sequence[Any]) -> ImageRecord:
    fields: list[Any] = [*row[:13], bool(row[13]), *row[14:]]
    return ImageRecord(*fields)


def _key(image: ImageRecord) -> str:
    return "\n".join(search_key(part) for part in (image.title, image.file_name, image.source, image.note, image.work))


class Images:
    """The pictures of one home; the files themselves stand in the image store."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, image: ImageRecord) -> tuple[ImageRecord, bool]:
        """Store a picture's record (its ``id`` is ignored); returns it with whether it is new.

        A picture with the same SHA-256 is the same picture: its record stays as it was, and comes back if deleted.
        """
        with transaction(self.db):
            row = self.db.execute(
                "INSERT INTO images (sha256, file_name, extension, width, height, title, category, source, rights,"
                " note, work, dhash, search_key, generated, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                [
                    image.sha256,
                    image.file_name,
                    image.extension,
                    image.width,
                    image.height,
                    image.title,
                    image.category,
                    image.source,
                    image.rights,
                    image.note,
                    image.work,
                    image.dhash,
                    _key(image),
                    image.generated,
                    now(),
                ],
            ).fetchone()
            if row:
                return self.get(int(row[0])), True
            self.db.execute("UPDATE images SET deleted_at = NULL WHERE sha256 = ?", [image.sha256])
            found = self.find(image.sha256)
            assert found is not None
            return found, False

    def get(self, image_id: int) -> ImageRecord:
        """The picture's record, deleted or not; NotFoundError when there never was one."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM images WHERE id = ?", [row_id(image_id)]).fetchone()
        if row is None:
            raise NotFoundError("image_not_found", image=image_id)
        return _image(row)

    def find(self, reference: str) -> ImageRecord | None:
        """The picture that an id, a SHA-256 (or at least 8 digits of it) or a file name means; None when unclear."""
        reference = reference.strip()
        queries: list[tuple[str, str]] = [("file_name = ?", reference)]
        if len(reference) >= 8 and all(letter in "0123456789abcdef" for letter in reference.lower()):
            queries.insert(0, ("sha256 LIKE ? || '%'", reference.lower()))
        if reference.isdecimal():
            queries.insert(0, ("id = ?", reference))
        for where, value in queries:
            rows = self.db.execute(
                f"SELECT {_COLUMNS} FROM images WHERE {where} AND deleted_at IS NULL LIMIT 2", [value]
            ).fetchall()
            if len(rows) == 1:
                return _image(rows[0])
        return None

    def _where(self, text: str, category: str) -> tuple[str, list[Any]]:
        clauses, values = ["deleted_at IS NULL"], []
        for word in text.split():
            clauses.append("instr(search_key, ?) > 0")
            values.append(search_key(word))
        if category:
            clauses.append("category = ?")
            values.append(category)
        return " AND ".join(clauses), values

    def count(self, text: str = "", category: str = "") -> int:
        """How many pictures match."""
        where, values = self._where(text, category)
        return int(self.db.execute(f"SELECT count(*) FROM images WHERE {where}", values).fetchone()[0])

    def page(self, text: str = "", category: str = "", *, offset: int = 0, limit: int = 24) -> list[ImageRecord]:
        """One page of the matching pictures, newest first."""
        where, values = self._where(text, category)
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM images WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        ).fetchall()
        return [_image(row) for row in rows]

    def all(self, *, deleted: bool = False) -> list[ImageRecord]:
        """Every picture that is not deleted, or really every one, in order of its id."""
        there = "" if deleted else "WHERE deleted_at IS NULL"
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM images {there} ORDER BY id").fetchall()
        return [_image(row) for row in rows]

    def describe(self, image: ImageRecord) -> None:
        """Store the title, category, source, rights, note and work of a picture."""
        with transaction(self.db):
            self.db.execute(
                "UPDATE images SET title = ?, category = ?, source = ?, rights = ?, note = ?, work = ?, search_key = ?"
                " WHERE id = ?",
                [
                    image.title,
                    image.category,
                    image.source,
                    image.rights,
                    image.note,
                    image.work,
                    _key(image),
                    image.id,
                ],
            )

    def delete(self, image_id: int) -> None:
        """Take a picture out of every list; its file and pairs stay, and :meth:`restore` brings it back."""
        with transaction(self.db):
            self.db.execute("UPDATE images SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", [now(), image_id])

    def restore(self, image_id: int) -> None:
        """Bring a deleted picture back."""
        with transaction(self.db):
            self.db.execute("UPDATE images SET deleted_at = NULL WHERE id = ?", [image_id])


class Pairs:
    """Which passages and pictures belong together, many to many, and which do not: nothing is said of the rest."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, pairs: Iterable[tuple[int, int, str]], *, who: str) -> int:
        """Connect (passage id, image id, note), refused before or not; what is connected already stays.

        Returns how many are new.
        """
        return self._say("pairs", "refused_pairs", pairs, who)

    def remove(self, passage_id: int, image_id: int) -> str:
        """Take a connection away; returns its note, empty when there was none."""
        with transaction(self.db):
            return self._forget("pairs", passage_id, image_id)

    def refuse(self, pairs: Iterable[tuple[int, int, str]], *, who: str) -> int:
        """Note of (passage id, image id, note) that they do not belong together, connected before or not.

        What is refused already stays. Returns how many are new.
        """
        return self._say("refused_pairs", "pairs", pairs, who)

    def take_back(self, passage_id: int, image_id: int) -> None:
        """Refuse a pair no longer, without connecting it."""
        with transaction(self.db):
            self._forget("refused_pairs", passage_id, image_id)

    def _say(self, table: str, contrary: str, pairs: Iterable[tuple[int, int, str]], who: str) -> int:
        new = 0
        with transaction(self.db):
            for passage_id, image_id, note in pairs:
                self._forget(contrary, passage_id, image_id)
                new += self.db.execute(
                    f"INSERT INTO {table} (passage_id, image_id, note, created_at, created_by) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    [passage_id, image_id, note, now(), who],
                ).rowcount
        return new

    def _forget(self, table: str, passage_id: int, image_id: int) -> str:
        gone = self.db.execute(
            f"DELETE FROM {table} WHERE passage_id = ? AND image_id = ? RETURNING note", [passage_id, image_id]
        ).fetchone()
        return str(gone[0]) if gone else ""

    def count(self, *, refused: bool = False) -> int:
        """How many connections, or refused pairs, between passages and pictures that are not deleted."""
        return int(self.db.execute(f"SELECT count(*) {_living(refused)}").fetchone()[0])

    def ready(self, statuses: Iterable[str]) -> tuple[int, int]:
        """How many passages of these annotation statuses have pictures, and how many pictures those are."""
        wanted = list(statuses)
        marks = ", ".join("?" for _ in wanted)
        row = self.db.execute(
            f"SELECT count(DISTINCT pair.passage_id), count(DISTINCT pair.image_id) {_living()}"
            f" AND pair.passage_id IN (SELECT passage_id FROM annotations WHERE status IN ({marks}))",
            wanted,
        ).fetchone()
        return int(row[0]), int(row[1])

    def all(self, *, refused: bool = False) -> list[Pair]:
        """Every connection, or refused pair, between a passage and a picture that are not deleted, in order."""
        rows = self.db.execute(
            "SELECT pair.passage_id, pair.image_id, pair.note, pair.created_at, pair.created_by"
            f" {_living(refused)} ORDER BY 1, 2"
        ).fetchall()
        return [Pair(*row) for row in rows]

    def images_of(self, passage_id: int, *, refused: bool = False) -> list[ImageRecord]:
        """The pictures of a passage, or those refused for it."""
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM images WHERE deleted_at IS NULL"
            f" AND id IN (SELECT image_id FROM {_TABLES[refused]} WHERE passage_id = ?) ORDER BY id",
            [passage_id],
        ).fetchall()
        return [_image(row) for row in rows]

    def passages_of(self, image_id: int) -> list[int]:
        """The ids of the passages a picture belongs to."""
        rows = self.db.execute(
            "SELECT passage_id FROM pairs JOIN passages p ON p.id = passage_id"
            " WHERE image_id = ? AND p.deleted_at IS NULL ORDER BY 1",
            [image_id],
        ).fetchall()
        return [int(row[0]) for row in rows]


_TABLES = {False: "pairs", True: "refused_pairs"}


def _living(refused: bool = False) -> str:
    return (
        f"FROM {_TABLES[refused]} pair JOIN passages p ON p.id = pair.passage_id JOIN images i ON i.id = pair.image_id"
        " WHERE p.deleted_at IS NULL AND i.deleted_at IS NULL"
    )
