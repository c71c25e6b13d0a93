"""The review of one passage: what the desk starts from, tables to values and back, and saving."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from sqlite_utils import Database

from core.records import Annotation, Suggestion
from core.texts.annotation import AnnotationValue, Certainty, Entity, EntityClass, Relation, Span, Status
from core.texts.offsets import find_all
from core.texts.passage import Passage
from db.annotations import Annotations, Suggestions

CLASSES: tuple[str, ...] = get_args(EntityClass)
CERTAINTIES: tuple[str, ...] = get_args(Certainty)


@dataclass(frozen=True)
class Desk:
    """What lies on the desk: the stored annotation, the value to start from, and where that came from."""

    annotation: Annotation
    value: AnnotationValue
    suggestion: Suggestion | None

    @property
    def unconfirmed(self) -> bool:
        """Whether the value is a model's and no person has touched it."""
        return self.annotation.status in (Status.NEW, Status.SUGGESTED)


def open_desk(db: Database, passage: Passage) -> Desk:
    """The scholar's value where there is one, else the newest suggestion, else an empty value."""
    annotation = Annotations(db).get(passage.id)
    suggestion = Suggestions(db).latest(passage)
    value = annotation.value
    if annotation.status in (Status.NEW, Status.SUGGESTED) and suggestion and suggestion.value:
        value = suggestion.value
    return Desk(annotation, value, suggestion)


def save(
    db: Database,
    passage_id: int,
    value: AnnotationValue,
    *,
    revision: int,
    who: str,
    status: Status = Status.DRAFT,
) -> Annotation:
    """Store what a scholar edited; an approved value that is edited has to be approved again."""
    why = "edited" if status is Status.DRAFT else status.value
    return Annotations(db).save(passage_id, value, status, revision=revision, who=who, why=why)


SPARE_ROWS = 6
"""Empty rows below each table: its number of rows must stand still, or the widget would forget what was typed."""


def entity_rows(value: AnnotationValue, text: str) -> list[dict[str, Any]]:
    """Entities as an editable table with spare rows; ``found`` tells where each stands in the text."""
    rows = [
        {
            "drop": False,
            "id": entity.id,
            "name": entity.name,
            "kind": entity.kind,
            "type": entity.type,
            "certainty": entity.certainty,
            "note": entity.note,
            "found": "、".join(f"{text[start:end]} {start + 1}–{end}" for start, end in entity.mentions),
        }
        for entity in value.entities
    ]
    first = _next_number(entity.id for entity in value.entities)
    return rows + [
        {"drop": False, "id": f"e{first + spare}"}
        | dict.fromkeys(("name", "kind", "type", "certainty", "note", "found"), "")
        for spare in range(SPARE_ROWS)
    ]


def relation_rows(value: AnnotationValue, text: str) -> list[dict[str, Any]]:
    """Relations as an editable table with spare rows; evidence as the words that say it."""
    rows = [
        {
            "drop": False,
            "subject": relation.subject,
            "code": relation.code,
            "object": relation.object,
            "distance": relation.distance,
            "unit": relation.unit,
            "evidence": text[slice(*relation.evidence)] if relation.evidence else "",
            "certainty": relation.certainty,
            "note": relation.note,
        }
        for relation in value.relations
    ]
    names = ("subject", "code", "object", "distance", "unit", "evidence", "certainty", "note")
    return rows + [{"drop": False} | dict.fromkeys(names, "") for _ in range(SPARE_ROWS)]


def _text(row: Mapping[str, Any], name: str) -> str:
    cell = row.get(name)
    return "" if cell is None or cell != cell else str(cell).strip()  # NaN is not itself


def _next_number(ids: Iterable[str]) -> int:
    return max((int(name[1:]) for name in ids if name[:1] == "e" and name[1:].isdecimal()), default=0) + 1


def entities_from_rows(rows: Iterable[Mapping[str, Any]], before: AnnotationValue, text: str) -> tuple[Entity, ...]:
    """Read the entity table back.

    A new or renamed entity is looked for in the text; a row without a name, or marked to be dropped, is none.
    """
    entities: list[Entity] = []
    for row in rows:
        name, entity_id = _text(row, "name"), _text(row, "id")
        if not name or row.get("drop"):
            continue
        known = before.entity(entity_id)
        kind, certainty = _text(row, "kind"), _text(row, "certainty")
        entities.append(
            Entity(
                id=entity_id,
                name=name,
                kind=kind if kind in CLASSES else "place",  # type: ignore[arg-type]
                type=_text(row, "type") or "other",
                source_label=known.source_label if known else "",
                certainty=certainty if certainty in CERTAINTIES else "certain",  # type: ignore[arg-type]
                note=_text(row, "note"),
                mentions=known.mentions if known and known.name == name else find_all(name, text),
            )
        )
    return tuple(entities)


def relations_from_rows(
    rows: Sequence[Mapping[str, Any]], entities: Iterable[Entity], before: AnnotationValue, text: str
) -> tuple[Relation, ...]:
    """Read the relation table back; a row needs subject, relation and object, and both must be entities still.

    Evidence whose words were left as they were keeps its place; other words are looked for in the text.
    """
    known = {entity.id for entity in entities}
    relations: list[Relation] = []
    for number, row in enumerate(rows):
        subject, code, target = (_text(row, name) for name in ("subject", "code", "object"))
        if not code or row.get("drop") or subject not in known or target not in known:
            continue
        words, certainty = _text(row, "evidence"), _text(row, "certainty")
        earlier = before.relations[number].evidence if number < len(before.relations) else None
        if earlier and text[slice(*earlier)].strip() == words:
            evidence: Span | None = earlier
        else:
            evidence = next(iter(find_all(words, text)), None) if words else None
        relations.append(
            Relation(
                subject=subject,
                code=code,
                object=target,
                distance=_text(row, "distance"),
                unit=_text(row, "unit"),
                evidence=evidence,
                certainty=certainty if certainty in CERTAINTIES else "certain",  # type: ignore[arg-type]
                note=_text(row, "note"),
            )
        )
    return tuple(relations)


def add_entity(value: AnnotationValue, text: str, span: Span, *, kind: str, type_code: str) -> AnnotationValue:
    """Add the selected characters as an entity, or as one more mention of an entity of that name."""
    name = text[slice(*span)]
    same = next((entity for entity in value.entities if entity.name == name and entity.kind == kind), None)
    if same:
        mentions = tuple(sorted({*same.mentions, span}))
        entities = tuple(replace(e, mentions=mentions) if e is same else e for e in value.entities)
    else:
        new = Entity(
            id=f"e{_next_number(e.id for e in value.entities)}",
            name=name,
            kind=kind,  # type: ignore[arg-type]
            type=type_code,
            mentions=(span,),
        )
        entities = (*value.entities, new)
    return replace(value, entities=entities)
