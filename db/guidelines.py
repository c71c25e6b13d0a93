"""The project's guidelines for annotation: one Markdown text, every version of it kept."""

from dataclasses import dataclass

from sqlite_utils import Database

from db.connection import now, transaction


@dataclass(frozen=True, slots=True)
class Guideline:
    """One version of the text: who wrote it and when."""

    id: int
    text: str
    who: str
    at: str


class Guidelines:
    """The guidelines of one home."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def versions(self, limit: int = 20) -> list[Guideline]:
        """What was written, newest first; empty while nobody wrote any."""
        rows = self.db.execute("SELECT id, text, who, at FROM guidelines ORDER BY id DESC LIMIT ?", [limit]).fetchall()
        return [Guideline(*row) for row in rows]

    def write(self, text: str, *, who: str) -> None:
        """Store a new version; the same words again are none."""
        with transaction(self.db):
            newest = self.versions(1)
            if not newest or newest[0].text != text:
                self.db.execute("INSERT INTO guidelines (text, who, at) VALUES (?, ?, ?)", [text, who, now()])
