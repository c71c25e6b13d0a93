"""The schema of a model's reply, and the way from it to an annotation of the passage.

The least reply is the user's ``annotations.json`` object without its first three fields. Types and relations
come in anybody's words: they are mapped to the closed lists, and the words are kept.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.errors import InputError
from core.texts.annotation import AnnotationValue, Certainty, Entity, Relation, Span
from core.texts.offsets import check_spans, find_all, find_folded
from core.texts.variants import fold, search_key
from core.texts.vocabulary import map_kind, map_relation, map_type, relation_type

MAX_NAME = 200
MAX_ITEMS = 5000

_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_FENCED = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


def _tidy(value: object) -> object:
    """A string without what no database keeps; None as empty; a list of strings as one text."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "；".join(value)
    return _UNSTORABLE.sub("", value.replace("\r\n", "\n")).strip() if isinstance(value, str) else value


def _certainty(value: object) -> object:
    """Words and numbers for certainty as one of the three degrees; anything else counts as certain."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "certain" if value >= 0.8 else "less_certain" if value >= 0.4 else "uncertain"
    key = str(value or "").strip().lower().replace(" ", "_").replace("-", "_")
    words = {"high": "certain", "medium": "less_certain", "low": "uncertain", "确定": "certain"}
    words |= {"较确定": "less_certain", "不太确定": "less_certain", "不确定": "uncertain", "存疑": "uncertain"}
    key = words.get(key, key)
    return key if key in ("certain", "less_certain", "uncertain") else "certain"


def _listed(value: object) -> object:
    return [] if value is None else value


Words = Annotated[str, BeforeValidator(_tidy)]
Name = Annotated[str, BeforeValidator(_tidy), Field(min_length=1, max_length=MAX_NAME)]
Degree = Annotated[Certainty, BeforeValidator(_certainty)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class ReplyEntity(_Part):
    """A named thing; ``mentions`` are spans [start, end] or words of the passage, and may be left out."""

    name: Name
    type: Words = ""
    kind: Words = Field("", alias="class")
    certainty: Degree = "certain"
    note: Words = ""
    mentions: Annotated[list[Any], BeforeValidator(_listed)] = Field(default_factory=list, max_length=MAX_ITEMS)


class ReplyRelation(_Part):
    """Subject and object by name; ``evidence`` as words of the passage or as a span."""

    subject: Name
    relation: Words = ""
    object: Name
    distance: Words = ""
    unit: Words = ""
    evidence: Any = None
    certainty: Degree = "certain"
    note: Words = ""


class ModelReply(_Part):
    """What a model must answer: ``entities``; everything else may be missing."""

    entities: list[ReplyEntity] = Field(max_length=MAX_ITEMS)
    relations: Annotated[list[ReplyRelation], BeforeValidator(_listed)] = Field(
        default_factory=list, max_length=MAX_ITEMS
    )
    spatial_relation: Words = ""
    modern_chinese: Words = ""
    english: Words = ""
    search_prompt: Words = ""
    note: Words = ""


def field_paths(error: ValidationError) -> str:
    """The fields a validation refused, ``entities[2].name, english``, at most ten of them."""
    paths = []
    for item in error.errors(include_url=False, include_input=False):
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in item["loc"])
        paths.append(path.lstrip(".") or "{}")
    return ", ".join(dict.fromkeys(paths[:10]))


def parse_reply(data: Mapping[str, Any] | str, text: str) -> AnnotationValue:
    """A reply, as an object or as JSON (plain or in a code fence), as an annotation of the passage ``text``.

    Names are looked for in the passage with folding; one that is not there keeps its entity, without mentions.
    InputError: ``reply_not_json`` (line, column), ``reply_invalid`` (fields).
    """
    try:
        reply = ModelReply.model_validate(_load(data) if isinstance(data, str) else data)
    except ValidationError as error:
        raise InputError("reply_invalid", fields=field_paths(error)) from None
    entities = _Entities(text)
    for item in reply.entities:
        entities.add(item)
    relations = tuple(_relation(item, entities, text) for item in reply.relations)
    value = AnnotationValue(
        entities=entities.located(),
        relations=tuple(dict.fromkeys(relations)),
        spatial_relation=reply.spatial_relation,
        modern_chinese=reply.modern_chinese,
        english=reply.english,
        search_prompt=reply.search_prompt,
        note=reply.note,
    )
    check_spans(value, text)
    return value


def _load(data: str) -> Any:
    fenced = _FENCED.match(data.removeprefix("\ufeff"))
    try:
        return json.loads(fenced.group(1) if fenced else data.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise InputError("reply_not_json", line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        raise InputError("reply_not_json", line=1, column=1) from None


class _Entities:
    """The entities of one reply, by name: the same name and type twice is one entity."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded = fold(text)
        self._found: dict[tuple[str, str, str], Entity] = {}
        self._by_name: dict[str, Entity] = {}

    def add(self, item: ReplyEntity) -> Entity:
        code, label = map_type(item.type)
        kind = map_kind(item.kind or item.type)
        if kind != "place":
            code = "other"
        key = (search_key(item.name), kind, code)
        known = self._found.get(key)
        if known is None:
            spans = _given_spans(item, self._text) or find_folded(fold(item.name), self._folded)
            known = Entity(
                id=f"e{len(self._found) + 1}",
                name=item.name,
                kind=kind,
                type=code,
                source_label=label,
                certainty=item.certainty,
                note=item.note,
                mentions=spans,
            )
            self._found[key] = known
            self._by_name.setdefault(key[0], known)
        return known

    def named(self, name: str) -> Entity:
        """The entity of that name; one that only a relation names is added, less certain."""
        return self._by_name.get(search_key(name)) or self.add(
            ReplyEntity.model_validate({"name": name, "certainty": "less_certain"})
        )

    def located(self) -> tuple[Entity, ...]:
        """All entities; a name inside a longer one (孤山 in 孤山路) does not count where it also stands alone."""
        inner = _inner_spans(span for entity in self._found.values() for span in entity.mentions)
        return tuple(_without(entity, inner) for entity in self._found.values())


def _inner_spans(spans: Iterable[Span]) -> set[Span]:
    """The spans that lie within a longer one."""
    inner: set[Span] = set()
    reach = 0
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        if end <= reach:
            inner.add((start, end))
        reach = max(reach, end)
    return inner


def _without(entity: Entity, inner: set[Span]) -> Entity:
    alone = tuple(span for span in entity.mentions if span not in inner)
    return replace(entity, mentions=alone) if alone else entity


def _given_spans(item: ReplyEntity, text: str) -> tuple[Span, ...]:
    """Spans a reply gives, where the words there are the name; models count badly, so others are left."""
    spans = (_as_span(mention, text) for mention in item.mentions)
    key = search_key(item.name)
    return tuple(dict.fromkeys(s for s in spans if s and search_key(text[slice(*s)]) == key))


def _as_span(value: object, text: str) -> Span | None:
    if isinstance(value, Mapping):
        value = (value.get("start"), value.get("end"))
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    start, end = value
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        return None
    return start, end


def _relation(item: ReplyRelation, entities: _Entities, text: str) -> Relation:
    code, label = map_relation(item.relation)
    subject, object_ = entities.named(item.subject).id, entities.named(item.object).id
    kind = relation_type(code)
    if kind.inverse_only:
        code, subject, object_ = kind.inverse, object_, subject
    note = item.note
    if code == "other" and label and fold(label) not in ("other", "其他", "其他关系"):
        note = f"{label}；{note}" if note else label
    return Relation(
        subject=subject,
        code=code,
        object=object_,
        distance=item.distance,
        unit=item.unit,
        evidence=_evidence(item.evidence, text),
        certainty=item.certainty,
        note=note,
    )


def _evidence(value: object, text: str) -> Span | None:
    words = value.get("surface") if isinstance(value, Mapping) else value
    span = _as_span(value, text)
    if isinstance(words, str):
        if span and fold(text[slice(*span)]) == fold(words):
            return span
        return next(iter(find_all(words.strip(), text)), None)
    return span
