"""The offline provider: names and relations by gazetteer, endings and relation words; no key, no network."""

from core.annotation.gazetteer import known_names
from core.annotation.layout import Running, running
from core.annotation.naming import Found, find_names
from core.annotation.provider import Reply
from core.annotation.relating import Related, find_relations
from core.annotation.wording import search_prompt, spatial_text
from core.texts.annotation import AnnotationValue, Entity, Relation, value_to_json
from core.texts.offsets import check_spans
from core.texts.passage import Passage

MISSING = ("modern_chinese", "english")
"""What rules cannot write: these fields stay empty, and the reply says so."""


class OfflineRules:
    """Suggests entities, relations, the free-text relation and a search prompt; translations stay empty."""

    name = "offline"
    model = "rules-1"

    def suggest(self, passage: Passage) -> Reply:
        """A reading of the passage; the same passage always gives the same reply."""
        value = annotate(passage.text)
        return Reply(
            value=value,
            raw=value_to_json(value),
            provider=self.name,
            model=self.model,
            prompt_version=self.model,
            parameters={"names": len(known_names())},
            missing=MISSING,
        )


def annotate(text: str) -> AnnotationValue:
    """What the rules find in a text; every span passes :func:`core.texts.offsets.check_spans`."""
    view = running(text)
    names = find_names(view.text)
    ids = _entity_ids(view, names)
    value = AnnotationValue(
        entities=_entities(view, names, ids), relations=_relations(view, names, ids, find_relations(view.text, names))
    )
    value = AnnotationValue(
        entities=value.entities,
        relations=value.relations,
        spatial_relation=spatial_text(value),
        search_prompt=search_prompt(value),
    )
    check_spans(value, text)
    return value


def _entity_ids(view: Running, names: list[Found]) -> list[str]:
    """The entity each name belongs to: one entity for each wording and class."""
    ids: dict[tuple[str, str], str] = {}
    return [ids.setdefault((view.text[found.start : found.end], found.kind), f"e{len(ids) + 1}") for found in names]


def _entities(view: Running, names: list[Found], ids: list[str]) -> tuple[Entity, ...]:
    groups: dict[str, list[Found]] = {}
    for found, entity_id in zip(names, ids, strict=True):
        groups.setdefault(entity_id, []).append(found)
    return tuple(_entity(view, entity_id, group) for entity_id, group in groups.items())


def _entity(view: Running, entity_id: str, group: list[Found]) -> Entity:
    best = next((found for found in group if found.certainty == "certain"), group[0])
    return Entity(
        id=entity_id,
        name=view.words(best.start, best.end),
        kind=best.kind,
        type=best.type,
        certainty=best.certainty,
        mentions=tuple(view.span(found.start, found.end) for found in group),
    )


def _relations(view: Running, names: list[Found], ids: list[str], related: list[Related]) -> tuple[Relation, ...]:
    relations: dict[tuple[str, str, str], Relation] = {}
    for item in related:
        subject, object_ = ids[item.subject], ids[item.object]
        if subject == object_:
            continue
        doubtful = "less_certain" in (item.certainty, names[item.subject].certainty, names[item.object].certainty)
        relation = Relation(
            subject=subject,
            code=item.code,
            object=object_,
            distance=item.distance,
            unit=item.unit,
            evidence=view.span(item.start, item.end),
            certainty="less_certain" if doubtful else "certain",
            note=item.note,
        )
        relations.setdefault((subject, item.code, object_), relation)
    return tuple(relations.values())
