"""What a scholar should look at in a value before it is approved; none of it forbids anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from core.annotation.renderings import rendered
from core.annotation.space import contradictions
from core.dataset.captions import LIMIT, rough_tokens
from core.texts.annotation import TEXT_FIELDS, AnnotationValue, Entity, TextField
from core.texts.offsets import find_folded
from core.texts.variants import fold

Code = Literal[
    "entity_not_found",
    "type_unnamed",
    "same_name_twice",
    "not_rendered_modern_chinese",
    "not_rendered_english",
    "not_rendered_search_prompt",
    "relation_contradiction",
    "relation_without_evidence",
    "relation_to_itself",
    "prompt_too_long",
    "translation_missing",
]
CODES: tuple[Code, ...] = get_args(Code)

_NOT_RENDERED: dict[TextField, Code] = {
    "modern_chinese": "not_rendered_modern_chinese",
    "english": "not_rendered_english",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at; the sentence is ``findings.CODE``.

    ``where`` is an entity id, ``relation:INDEX`` (from 0) or a text field. ``name`` is the entity's, or those of both
    ends of the relation; empty for a text field. ``details`` are:

    - ``entity_not_found``: ``places``, how often the passage holds the name although no mention is marked
    - ``same_name_twice``: ``other``, the id of the first entity of that name
    - relations: ``subject``, ``relation`` and ``object``; for a contradiction ``others``, the indexes it is with
    - ``prompt_too_long``: ``tokens`` and ``limit``
    """

    code: Code
    where: str
    name: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The catalogue key of its sentence."""
        return f"findings.{self.code}"


def lint(value: AnnotationValue, text: str) -> tuple[Finding, ...]:
    """What to look at in a reading of the passage ``text``: entities first, then relations, then the texts.

    An entity may be missing from the prompt, which names a few things only; a prompt that names no place at all is
    found. A value in which nothing was written has no findings.
    """
    return (*_of_entities(value, text), *_of_relations(value), *_of_texts(value))


def disputed(value: AnnotationValue) -> bool:
    """Whether something is uncertain: an entity, a relation, or a text with a competing reading (存疑)."""
    certainties = (*(entity.certainty for entity in value.entities), *(stated.certainty for stated in value.relations))
    return bool(value.alternatives) or "uncertain" in certainties


def _of_entities(value: AnnotationValue, text: str) -> Iterator[Finding]:
    passage = fold(text)
    first: dict[tuple[str, str], str] = {}
    for entity in value.entities:
        name = fold(entity.name.strip())
        if not entity.mentions:
            places = str(len(find_folded(name, passage)))
            yield Finding("entity_not_found", entity.id, entity.name, {"places": places})
        if entity.kind == "place" and entity.type == "other" and not entity.source_label.strip():
            yield Finding("type_unnamed", entity.id, entity.name)
        other = first.setdefault((entity.kind, name), entity.id)
        if other != entity.id:
            yield Finding("same_name_twice", entity.id, entity.name, {"other": other})
        for text_field, code in _NOT_RENDERED.items():
            translation: str = getattr(value, text_field)
            if translation.strip() and not rendered(entity, text_field, translation):
                yield Finding(code, entity.id, entity.name)


def _of_relations(value: AnnotationValue) -> Iterator[Finding]:
    entities = {entity.id: entity for entity in value.entities}
    others: dict[int, set[int]] = {}
    for group in contradictions(value):
        for index in group:
            others.setdefault(index, set()).update(group)
    for index, relation in enumerate(value.relations):
        where = f"relation:{index}"
        ends = _name(entities, relation.subject), _name(entities, relation.object)
        name = "—".join(dict.fromkeys(ends))
        details = {"subject": ends[0], "relation": relation.code, "object": ends[1]}
        if relation.subject == relation.object:
            yield Finding("relation_to_itself", where, name, details)
        if against := sorted(others.get(index, set()) - {index}):
            yield Finding("relation_contradiction", where, name, {**details, "others": ",".join(map(str, against))})
        if relation.evidence is None:
            yield Finding("relation_without_evidence", where, name, details)


def _name(entities: Mapping[str, Entity], entity_id: str) -> str:
    return entities[entity_id].name if entity_id in entities else entity_id


def _of_texts(value: AnnotationValue) -> Iterator[Finding]:
    if value.entities or any(getattr(value, text_field).strip() for text_field in TEXT_FIELDS):
        for translation in ("modern_chinese", "english"):
            if not getattr(value, translation).strip():
                yield Finding("translation_missing", translation)
    prompt = value.search_prompt
    if prompt.strip() and _names_no_place(value.entities, prompt):
        yield Finding("not_rendered_search_prompt", "search_prompt")
    if (tokens := rough_tokens(prompt)) > LIMIT:
        yield Finding("prompt_too_long", "search_prompt", details={"tokens": str(tokens), "limit": str(LIMIT)})


def _names_no_place(entities: Sequence[Entity], prompt: str) -> bool:
    places = [entity for entity in entities if entity.kind == "place"]
    return bool(places) and not any(rendered(place, "search_prompt", prompt) for place in places)
