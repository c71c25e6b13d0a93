"""``annotations.json``: the user's seven fields first, then everything else we know; read back, nothing is lost.

Format: a JSON list of objects in UTF-8. An object with ``songclip_format`` is ours and read field by field; one
without is the user's plain shape (or a model's), and its types are mapped as in :mod:`core.annotation.reply`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.annotation.reply import field_paths, parse_reply
from core.errors import InputError, SongclipError
from core.texts.annotation import AnnotationValue, Entity, Relation, Span, Status
from core.texts.decoding import decode
from core.texts.fields import Rejected, new_passage
from core.texts.offsets import check_spans, find_all
from core.texts.passage import NewPassage
from core.texts.vocabulary import place_type, relation_type

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A picture paired with the passage, found again by its SHA-256."""

    sha256: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class AnnotationRecord:
    """One passage with its annotation, as it travels between projects.

    ``provenance`` holds plain JSON values: who or which model, when, prompt version, parameters.
    """

    passage: NewPassage
    value: AnnotationValue
    status: Status = Status.SUBMITTED
    provenance: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[ImageRef, ...] = ()
    revision: int = 0
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A mention or evidence whose words did not stand where the file says; ``spans`` is where they were found."""

    where: str
    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ParsedAnnotations:
    """What a file held: records, what had to be located anew, and objects that cannot be taken."""

    records: tuple[AnnotationRecord, ...] = ()
    moved: tuple[Moved, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def write_annotations(records: Iterable[AnnotationRecord]) -> str:
    """The records as a JSON list; InputError when a span does not lie in its passage."""
    return json.dumps([_record_to_json(record) for record in records], ensure_ascii=False, indent=2) + "\n"


def _record_to_json(record: AnnotationRecord) -> dict[str, Any]:
    passage, value = record.passage, record.value
    check_spans(value, passage.text)
    file_id = passage.file_id
    plain_number = file_id.isascii() and file_id.isdigit() and len(file_id) < 16 and str(int(file_id)) == file_id
    return {
        "id": int(file_id) if plain_number else file_id,
        "original_text": passage.text,
        "source": passage.source,
        "entities": [_entity_to_json(entity, passage.text) for entity in value.entities],
        "spatial_relation": value.spatial_relation,
        "modern_chinese": value.modern_chinese,
        "english": value.english,
        "search_prompt": value.search_prompt,
        "relations": [_relation_to_json(relation, value, passage.text) for relation in value.relations],
        "note": value.note,
        "alternatives": [{"field": one.field, "text": one.text, "note": one.note} for one in value.alternatives],
        "rejected": list(value.rejected),
        "chapter": passage.chapter,
        "edition": passage.edition,
        "page": passage.page,
        "address": passage.address,
        "status": record.status.value,
        "revision": record.revision,
        "generated": record.generated,
        "provenance": dict(record.provenance),
        "images": [{"sha256": image.sha256, "title": image.title} for image in record.images],
        "songclip_format": FORMAT,
    }


def _entity_to_json(entity: Entity, text: str) -> dict[str, Any]:
    return {
        "name": entity.name,
        "type": entity.source_label or place_type(entity.type).zh,
        "id": entity.id,
        "class": entity.kind,
        "code": entity.type,
        "source_label": entity.source_label,
        "certainty": entity.certainty,
        "note": entity.note,
        "mentions": [_span_to_json(span, text) for span in entity.mentions],
        "modern": entity.modern,
        "english": entity.english,
    }


def _relation_to_json(relation: Relation, value: AnnotationValue, text: str) -> dict[str, Any]:
    subject, object_ = value.entity(relation.subject), value.entity(relation.object)
    return {
        "subject": subject.name if subject else "",
        "relation": relation_type(relation.code).zh,
        "object": object_.name if object_ else "",
        "code": relation.code,
        "subject_id": relation.subject,
        "object_id": relation.object,
        "distance": relation.distance,
        "unit": relation.unit,
        "evidence": _span_to_json(relation.evidence, text) if relation.evidence else None,
        "certainty": relation.certainty,
        "note": relation.note,
    }


def _span_to_json(span: Span, text: str) -> dict[str, Any]:
    return {"start": span[0], "end": span[1], "surface": text[slice(*span)]}


def read_annotations(data: bytes, file_name: str = "annotations.json") -> ParsedAnnotations:
    """The records of a file; an object that cannot be taken costs no other.

    InputError for the file as a whole: ``json_malformed``, ``encoding_unknown``, ``encoding_damaged``.
    """
    items = _items(data, file_name)
    records: list[AnnotationRecord] = []
    moved: list[Moved] = []
    rejected: list[Rejected] = []
    for number, item in enumerate(items, start=1):
        where = f"{file_name} #{number}"
        try:
            record, shifts = _read_record(item, where)
        except SongclipError as error:
            rejected.append(Rejected(where, error))
        else:
            records.append(record)
            moved += shifts
    return ParsedAnnotations(tuple(records), tuple(moved), tuple(rejected))


def _items(data: bytes, file_name: str) -> list[Any]:
    try:
        text, _ = decode(data)
        value = json.loads(text)
    except InputError as error:
        raise InputError(error.code, file=file_name, **error.details) from None
    except json.JSONDecodeError as error:
        raise InputError("json_malformed", file=file_name, line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        raise InputError("json_malformed", file=file_name, line=1, column=1) from None
    return value if isinstance(value, list) else [value]


def _read_record(item: Any, where: str) -> tuple[AnnotationRecord, list[Moved]]:
    if not isinstance(item, dict):
        raise InputError("not_an_object", where=where)
    ours = item.get("songclip_format")
    if isinstance(ours, int) and ours > FORMAT:
        raise InputError("format_newer", where=where, format=ours)
    row = {"file_id" if key == "id" else key: item.get(key) for key in _PASSAGE_KEYS if key in item}
    passage = new_passage(row, where)
    moved: list[Moved] = []
    if ours:  # as written, white space and all: offsets count from its first character
        exact = {key: value for key, value in row.items() if isinstance(value, str) and key != "original_text"}
        passage = replace(passage, text=str(item["original_text"]), **exact)
        value = _read_value(item, passage.text, where, moved)
    else:
        value = parse_reply(item, passage.text)
    try:
        record = AnnotationRecord(
            passage=passage,
            value=value,
            status=Status(item.get("status", Status.SUBMITTED)),
            provenance=_mapping.validate_python(item.get("provenance") or {}),
            images=_images.validate_python(item.get("images") or ()),
            revision=_integer.validate_python(item.get("revision") or 0),
            generated=item.get("generated") is True,
        )
    except ValidationError as error:
        raise InputError("annotation_invalid", where=where, fields=field_paths(error)) from None
    except ValueError:
        raise InputError("annotation_invalid", where=where, fields="status") from None
    return record, moved


_PASSAGE_KEYS = ("id", "original_text", "source", "chapter", "edition", "page", "address")
_mapping = TypeAdapter(dict[str, Any])
_images = TypeAdapter(tuple[ImageRef, ...])
_integer = TypeAdapter(int)
_value = TypeAdapter(AnnotationValue)


def _read_value(item: Mapping[str, Any], text: str, where: str, moved: list[Moved]) -> AnnotationValue:
    """Our own fields, exactly; a span whose surface stands elsewhere is located by its words, noted in ``moved``."""
    try:
        entities = [_entity_fields(entity, text, where, moved) for entity in item["entities"]]
        relations = [_relation_fields(relation, text, where, moved) for relation in item.get("relations") or ()]
        texts = ("spatial_relation", "modern_chinese", "english", "search_prompt", "note")
        value = _value.validate_python(
            {
                "entities": entities,
                "relations": relations,
                **{key: item.get(key) or "" for key in texts},
                "alternatives": [_alternative_fields(one) for one in item.get("alternatives") or ()],
                "rejected": item.get("rejected") or (),
            }
        )
    except ValidationError as error:
        raise InputError("annotation_invalid", where=where, fields=field_paths(error)) from None
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError("annotation_invalid", where=where, fields="entities, relations, alternatives") from None
    for entity in value.entities:
        place_type(entity.type)
    for relation in value.relations:
        if relation_type(relation.code).inverse_only:
            raise InputError("relation_unknown", relation=relation.code)
    check_spans(value, text)
    return value


def _entity_fields(entity: Mapping[str, Any], text: str, where: str, moved: list[Moved]) -> dict[str, Any]:
    given = entity.get("mentions") or ()
    spans: list[Span] = [span for mention in given if (span := _true_span(mention, text))]
    if len(spans) < len(given):
        found = find_all(entity["name"], text)
        spans = list(dict.fromkeys([*spans, *found]))
        moved.append(Moved(where, entity["name"], found))
    return {
        "id": entity["id"],
        "name": entity["name"],
        "kind": entity["class"],
        "type": entity["code"],
        **{key: entity.get(key) or "" for key in ("source_label", "note", "modern", "english")},
        "certainty": entity.get("certainty", "certain"),
        "mentions": spans,
    }


def _relation_fields(relation: Mapping[str, Any], text: str, where: str, moved: list[Moved]) -> dict[str, Any]:
    given = relation.get("evidence")
    span = _true_span(given, text) if given else None
    if given and span is None:
        found = find_all(given.get("surface", ""), text)
        span = found[0] if found else None
        moved.append(Moved(where, str(relation.get("subject", "")), found[:1]))
    return {
        "subject": relation["subject_id"],
        "code": relation["code"],
        "object": relation["object_id"],
        **{key: relation.get(key) or "" for key in ("distance", "unit", "note")},
        "evidence": span,
        "certainty": relation.get("certainty", "certain"),
    }


def _alternative_fields(alternative: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": alternative["field"],
        "text": alternative["text"],
        "note": alternative.get("note") or "",
    }


def _true_span(given: Mapping[str, Any], text: str) -> Span | None:
    """The span when ``text[start:end] == surface``, else None."""
    start, end = given["start"], given["end"]
    true = type(start) is int and type(end) is int and 0 <= start < end and text[start:end] == given["surface"]
    return (start, end) if true else None
