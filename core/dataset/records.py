"""What goes into a dataset and what comes out of it: plain records, no database."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """A picture to write. ``data`` gives the original's bytes when they are needed; ``sha256`` is theirs."""

    id: int
    data: Callable[[], bytes]
    sha256: str


@dataclass(frozen=True, slots=True)
class DatasetText:
    """A caption to write and the pictures it describes; ``passage_id`` and ``kind`` say where it is from.

    ``refused``: pictures that somebody found not to belong to it.
    """

    id: int
    text: str
    image_ids: tuple[int, ...]
    kind: str = ""
    passage_id: int = 0
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetSplit:
    """The pictures and captions of one split."""

    images: tuple[DatasetImage, ...]
    texts: tuple[DatasetText, ...]


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A caption as read; ``kind`` is empty and ``passage_id`` 0 in datasets that were not written here."""

    text_id: int
    text: str
    image_ids: tuple[int, ...]
    kind: str = ""
    passage_id: int = 0
    refused: tuple[int, ...] = ()
