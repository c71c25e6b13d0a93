"""The schema of a model's reply, and the way from it to an annotation of the passage.

The least reply is the user's ``annotations.json`` object without its first three fields. Types and relations
come in anybody's words: they are mapped to the closed lists, and the words are kept.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.annotation.locating import Locator, bare
from core.errors import InputError
from core.texts.annotation import AnnotationValue, Certainty, Entity, Relation, Span
from core.texts.offsets import check_spans
from core.texts.variants import fold, search_key
from core.texts.vocabulary import label_key, map_kind, map_relation, map_type, place_type, relation_type

MAX_NAME = 200
MAX_ITEMS = 5000

_Key = tuple[str, str, str]
_PLAIN_RELATIONS = frozenset(["other", "其他", "其他关系"])

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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a reply that was kept and that a scholar should look at; the sentence is ``problems.CODE``.

    ``name`` is the entity's (or the relation's subject), ``label`` the wording of its type, both as the model wrote.
    """

    code: str
    name: str = ""
    label: str = ""

    @property
    def key(self) -> str:
        """The catalogue key of its sentence."""
        return f"problems.{self.code}"


def parse_reply(data: Mapping[str, Any] | str, text: str) -> AnnotationValue:
    """A reply, as an object or as JSON (plain or in a code fence), as an annotation of the passage ``text``.

    Names are looked for in the passage with folding; one that is not there keeps its entity, without mentions.
    InputError: ``reply_not_json`` (line, column), ``reply_invalid`` (fields).
    """
    try:
        reply = ModelReply.model_validate(_load(data) if isinstance(data, str) else data)
    except ValidationError as error:
        raise InputError("reply_invalid", fields=field_paths(error)) from None
    return read_reply(reply, text)[0]


def read_reply(reply: ModelReply, text: str, context: str = "") -> tuple[AnnotationValue, tuple[Problem, ...]]:
    """The annotation of the passage ``text`` that a valid reply means, and what a scholar should look at in it.

    ``context`` is the text around the passage that the model was shown: a name that stands only there is no problem.
    """
    entities = _Entities(text, context)
    for item in reply.entities:
        entities.add(item)
    relations = tuple(entities.relation(item) for item in reply.relations)
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
    return value, tuple(dict.fromkeys(entities.problems))


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

    def __init__(self, text: str, context: str = "") -> None:
        self._locator = Locator(text)
        self._context = search_key(context)
        self._found: dict[_Key, Entity] = {}
        self._by_name: dict[str, _Key] = {}
        self.problems: list[Problem] = []

    def add(self, item: ReplyEntity) -> Entity:
        code, label = map_type(item.type)
        kind = map_kind(item.kind or item.type)
        if kind != "place":
            code = "other"
        key = (search_key(item.name), kind, code)
        spans = _given_spans(item, self._locator.text) or self._locator.all(item.name)
        known = self._found.get(key)
        entity = Entity(
            id=known.id if known else f"e{len(self._found) + 1}",
            name=known.name if known else item.name,
            kind=kind,
            type=code,
            source_label=_joined(known.source_label, label) if known else label,
            certainty=known.certainty if known else item.certainty,
            note=_joined(known.note, item.note) if known else item.note,
            mentions=tuple(sorted({*known.mentions, *spans})) if known and known.mentions != spans else spans,
        )
        self._found[key] = entity
        self._by_name.setdefault(key[0], key)
        if not spans and not (self._context and search_key(bare(item.name)) in self._context):
            self.problems.append(Problem("entity_not_found", name=item.name))
        if kind == "place" and code == "other" and label_key(label) not in _plain_labels():
            self.problems.append(Problem("type_unknown", name=item.name, label=label))
        return entity

    def named(self, name: str) -> Entity:
        """The entity of that name; one that only a relation names is added, less certain."""
        key = self._by_name.get(search_key(name)) or self._by_name.get(search_key(bare(name)))
        if key:
            return self._found[key]
        added = self.add(ReplyEntity.model_validate({"name": name, "certainty": "less_certain"}))
        if added.mentions or not self._context:
            self.problems.append(Problem("relation_end_added", name=name))
        return added

    def relation(self, item: ReplyRelation) -> Relation:
        code, label = map_relation(item.relation)
        subject, object_ = self.named(item.subject).id, self.named(item.object).id
        kind = relation_type(code)
        if kind.inverse_only:
            code, subject, object_ = kind.inverse, object_, subject
        note = item.note
        if code == "other" and label and fold(label) not in _PLAIN_RELATIONS:
            note = f"{label}；{note}" if note else label
            self.problems.append(Problem("relation_unknown", name=item.subject, label=label))
        evidence = self._evidence(item.evidence)
        if item.evidence and evidence is None:
            self.problems.append(Problem("evidence_not_found", name=item.subject, label=label))
        return Relation(
            subject=subject,
            code=code,
            object=object_,
            distance=item.distance,
            unit=item.unit,
            evidence=evidence,
            certainty=item.certainty,
            note=note,
        )

    def _evidence(self, value: object) -> Span | None:
        text = self._locator.text
        words = value.get("surface") if isinstance(value, Mapping) else value
        span = _as_span(value, text)
        if isinstance(words, str):
            if span and fold(text[slice(*span)]) == fold(words):
                return span
            return self._locator.first(words)
        return span

    def located(self) -> tuple[Entity, ...]:
        """All entities; a name inside a longer one (孤山 in 孤山路) does not count where it also stands alone."""
        inner = _inner_spans(span for entity in self._found.values() for span in entity.mentions)
        return tuple(_without(entity, inner) for entity in self._found.values())


def _joined(old: str, new: str) -> str:
    """Two wordings as one, each of them once."""
    return "；".join(dict.fromkeys(part for part in (*old.split("；"), new) if part))


@cache
def _plain_labels() -> frozenset[str]:
    """Wordings that say no more than that it is a place or something else."""
    other = place_type("other")
    words = (other.zh, other.en, *other.labels, "", "地点", "地名", "场所", "place", "location")
    return frozenset(label_key(word) for word in words)


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
