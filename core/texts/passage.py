"""A passage of a source text, with what a citation needs."""

from dataclasses import dataclass

MAX_TEXT = 60_000
"""Longest passage accepted, in code points; the longest paragraph known in the sources has 11,784."""


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage as it arrives from a file or a form, not stored yet.

    ``file_id`` is the file's own identifier, kept as text; ``where`` says where in the file it stood, for reports.
    """

    source: str
    chapter: str
    text: str
    file_id: str = ""
    edition: str = ""
    page: str = ""
    address: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored passage. ``work`` groups titles written differently (梦粱录, 夢粱錄); ``generated`` marks demo text."""

    id: int
    source: str
    chapter: str
    text: str
    work: str
    file_id: str = ""
    edition: str = ""
    page: str = ""
    address: str = ""
    generated: bool = False
    created_at: str = ""
    deleted_at: str | None = None
