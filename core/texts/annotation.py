"""What is said of one passage: entities, relations, translations and the search prompt.

The same shape holds a model's parsed suggestion and a scholar's value; which of the two a record is stands in
the row around it, never in the shape. Offsets are Unicode code points into the stored text, end exclusive.
"""

from enum import StrEnum
from typing import Literal, get_args

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

Span = tuple[int, int]
Certainty = Literal["certain", "less_certain", "uncertain"]
EntityClass = Literal["place", "person", "office", "date", "work", "other"]
TextField = Literal["spatial_relation", "modern_chinese", "english", "search_prompt"]

CLASSES: tuple[EntityClass, ...] = get_args(EntityClass)
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)
TEXT_FIELDS: tuple[TextField, ...] = get_args(TextField)

_strict = ConfigDict(extra="forbid")


class Status(StrEnum):
    """Where an annotation stands; a scholar alone may approve, from any of them."""

    NEW = "new"
    SUGGESTED = "suggested"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    DISCARDED = "discarded"


@dataclass(frozen=True, config=_strict)
class Entity:
    """A named thing of the passage. ``id`` is local to the annotation (``e1``), so relations can point to it.

    ``type`` is a code of :mod:`core.texts.vocabulary`; ``source_label`` keeps the wording it was given in.
    ``mentions`` may be empty: named by a model, not found in the passage. ``modern`` and ``english`` say what the
    translations call it, where that is not its name (秦太师: 秦桧) or its reading (西湖: West Lake).
    """

    id: str
    name: str
    kind: EntityClass = "place"
    type: str = "other"
    source_label: str = ""
    certainty: Certainty = "certain"
    note: str = ""
    mentions: tuple[Span, ...] = ()
    modern: str = ""
    english: str = ""


@dataclass(frozen=True, config=_strict)
class Relation:
    """``subject`` stands in relation ``code`` to ``object`` (entity ids): 德寿宫 east_of 望仙桥.

    ``evidence`` is the span of the words that say it; ``distance`` is as written (三十, 九十步), ``unit`` 里, 步, 丈.
    """

    subject: str
    code: str
    object: str
    distance: str = ""
    unit: str = ""
    evidence: Span | None = None
    certainty: Certainty = "certain"
    note: str = ""


@dataclass(frozen=True, config=_strict)
class Alternative:
    """A competing reading (存疑) of one of the texts, kept beside the preferred one, which stands in the field."""

    field: TextField
    text: str
    note: str = ""


@dataclass(frozen=True, config=_strict)
class AnnotationValue:
    """One full reading of a passage; every field may be empty.

    ``rejected`` are keys of suggested items that a scholar refused (:mod:`core.annotation.items`).
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    spatial_relation: str = ""
    modern_chinese: str = ""
    english: str = ""
    search_prompt: str = ""
    note: str = ""
    alternatives: tuple[Alternative, ...] = ()
    rejected: tuple[str, ...] = ()

    def entity(self, entity_id: str) -> Entity | None:
        """The entity with that local id, or None."""
        return next((entity for entity in self.entities if entity.id == entity_id), None)


_adapter = TypeAdapter(AnnotationValue)


def value_to_json(value: AnnotationValue) -> str:
    """The value as a JSON object; :func:`value_from_json` gives it back unchanged."""
    return _adapter.dump_json(value).decode()


def value_from_json(text: str) -> AnnotationValue:
    """Read what :func:`value_to_json` wrote; raises ``pydantic.ValidationError`` for anything else."""
    return _adapter.validate_json(text)
