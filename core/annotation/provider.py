"""What every source of suggestions looks like: the offline rules here, Qwen and local models beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.errors import SongclipError
from core.texts.annotation import AnnotationValue
from core.texts.passage import Passage


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a provider about one passage.

    ``raw`` is the answer as it came, kept unchanged; ``value`` is None where it could not be read, and then
    ``error`` says why. ``missing`` names fields that were left empty on purpose (``modern_chinese``).
    """

    value: AnnotationValue | None
    raw: str
    provider: str
    model: str
    prompt_version: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    missing: tuple[str, ...] = ()
    error: SongclipError | None = None


class Provider(Protocol):
    """Somebody who suggests a reading of a passage; ``name`` and ``model`` go into the provenance."""

    @property
    def name(self) -> str:
        """Short name of the provider: offline, qwen, local."""

    @property
    def model(self) -> str:
        """The model or rule set that answers."""

    def suggest(self, passage: Passage) -> Reply:
        """A reading of the passage; what goes wrong for this passage alone stands in ``Reply.error``."""
