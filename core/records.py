"""What a home holds, as the repositories give it back: frozen records without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import Passage


@dataclass(frozen=True, slots=True)
class PassageSummary:
    """A passage with what a list shows beside it."""

    passage: Passage
    status: Status
    images: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """The scholar's value for one passage; ``revision`` 0 means nothing was saved yet.

    ``version`` counts the saves, and a save must name the one it was made on: within a sitting the revision stays.
    ``sitting`` names the sitting that saved last, ``seq`` its last action that is saved, ``sealed`` that it is over.
    ``made`` are the revisions each part changed and was made in (:mod:`core.annotation.staleness`).
    """

    passage_id: int
    status: Status = Status.NEW
    revision: int = 0
    value: AnnotationValue = field(default_factory=AnnotationValue)
    updated_at: str = ""
    updated_by: str = ""
    version: int = 0
    sitting: str = ""
    seq: int = 0
    sealed: bool = False
    made: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revision:
    """One step in the history of an annotation: what it was, who made it so, from when to when, and why."""

    passage_id: int
    revision: int
    status: Status
    value: AnnotationValue
    who: str
    why: str
    at: str
    began_at: str


@dataclass(frozen=True, slots=True)
class Unmerged:
    """A value that somebody's change came before, set aside until it is merged or dropped.

    ``base`` is what the person started from, ``sitting`` who or what it came from, ``seq`` its last action in it.
    """

    id: int
    passage_id: int
    sitting: str
    who: str
    base: AnnotationValue
    value: AnnotationValue
    seq: int
    at: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One reply of a provider: the raw text and, where it could be read, the parsed value; never changed.

    ``text_hash`` is the hash of the passage text it was made on; when the text is corrected, it no longer fits.
    """

    id: int
    passage_id: int
    provider: str
    model: str
    prompt_version: str
    parameters: dict[str, Any]
    raw: str
    value: AnnotationValue | None
    missing: tuple[str, ...]
    error: str
    text_hash: str
    tokens_in: int
    tokens_out: int
    created_at: str
    job_id: int | None
    error_details: dict[str, Any]

    @property
    def whole(self) -> bool:
        """Whether it reads the whole passage; a redraft holds only the texts it was asked for."""
        return "parts" not in self.parameters


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A stored picture: original by SHA-256, ``width`` and ``height`` in pixels as seen (EXIF orientation applied)."""

    id: int
    sha256: str
    file_name: str
    extension: str
    width: int
    height: int
    title: str = ""
    category: str = "other"
    source: str = ""
    rights: str = ""
    note: str = ""
    work: str = ""
    dhash: str = ""
    generated: bool = False
    created_at: str = ""
    deleted_at: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A passage and a picture that belong together, because a person says so."""

    passage_id: int
    image_id: int
    note: str = ""
    created_at: str = ""
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A built dataset; ``manifest`` is the content of its manifest.json."""

    id: int
    name: str
    hash: str
    manifest: dict[str, Any]
    created_at: str


@dataclass(frozen=True, slots=True)
class Run:
    """One training run; its files stand in ``experiments/NAME``. ``summary`` is empty until it ended."""

    id: int
    name: str
    dataset: str
    dataset_hash: str
    model: str
    method: str
    config: dict[str, Any]
    summary: dict[str, Any]
    job_id: int | None
    created_at: str


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """Figures of one model on one split of one dataset; ``run`` is empty for the base model."""

    id: int
    dataset: str
    dataset_hash: str
    split: str
    model: str
    run: str
    figures: dict[str, Any]
    created_at: str


class JobState(StrEnum):
    """A job is queued, then running, and ends in exactly one of the last four."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """Whether the job still waits or works."""
        return self in (JobState.QUEUED, JobState.STARTING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """Long work as its row tells it. ``message`` and ``error`` are catalogue keys, the details fill them."""

    id: int
    kind: str
    lane: str
    state: JobState
    params: dict[str, Any]
    done: int
    total: int
    message: str
    details: dict[str, Any]
    result: dict[str, Any]
    error: str
    error_details: dict[str, Any]
    stop_requested: bool
    attempt: int
    created_at: str
    started_at: str
    heartbeat_at: str
    finished_at: str
    needs_key: bool

    @property
    def progress(self) -> float:
        """Share of the work that is over, 0 to 1."""
        if self.state is JobState.DONE:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0
