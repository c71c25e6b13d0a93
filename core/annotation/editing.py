"""What the desk can do to a value: one pure function, from an action to the next value.

An action is a mapping as a browser sends it; ``do`` names what is done. Whatever is wrong with it raises InputError
``action_invalid`` (what: the part that cannot be used) and changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from core.annotation import entity_edits
from core.annotation.asked import MAX_LINE, Asked
from core.annotation.items import accept, accept_all, prefer, reject, stored_way, undecide
from core.errors import InputError
from core.texts.annotation import CERTAINTIES, TEXT_FIELDS, Alternative, AnnotationValue, Relation
from core.texts.offsets import check_spans
from core.texts.vocabulary import relation_type

_RELATION_FIELDS = ("subject", "code", "object", "distance", "unit", "evidence", "certainty", "note")


def apply(
    value: AnnotationValue, text: str, action: Mapping[str, Any], suggestion: AnnotationValue | None = None
) -> AnnotationValue:
    """The value after the action on the passage ``text``; it passes ``check_spans``.

    ``suggestion`` is the one whose items ``accept``, ``reject`` and ``accept_all`` mean. InputError:
    ``action_invalid`` (what), ``item_unknown`` (key).
    """
    asked = Asked(value, text, action, suggestion)
    changed = _ACTIONS[asked.one_of("do", _ACTIONS)](asked)
    try:
        check_spans(changed, text)
    except InputError as error:  # a suggestion that was made on another text
        raise asked.refused(error.code) from None
    return changed


def touches(action: Mapping[str, Any]) -> str:
    """The text field that a ``set_text`` is about, else empty: typing in one field is one step to undo."""
    if not isinstance(action, Mapping) or action.get("do") != "set_text":
        return ""
    return next((field for field in TEXT_FIELDS if field == action.get("field")), "")


def _code(asked: Asked, name: str) -> str:
    code = asked.words(name, MAX_LINE)
    try:
        return relation_type(code).code
    except InputError:
        raise asked.refused(name) from None


def _add_relation(asked: Asked) -> AnnotationValue:
    subject, object_ = asked.entity("subject").id, asked.entity("object").id
    if subject == object_:
        raise asked.refused("object")
    added = Relation(
        subject=subject,
        code=_code(asked, "code"),
        object=object_,
        distance=asked.line("distance", default=""),
        unit=asked.line("unit", default=""),
        evidence=asked.evidence("evidence"),
        certainty=asked.one_of("certainty", CERTAINTIES, default="certain"),
        note=asked.words("note", default=""),
    )
    added, known = stored_way(added), asked.value.relations
    return asked.value if added in known else replace(asked.value, relations=(*known, added))


def _set_relation(asked: Asked) -> AnnotationValue:
    index = asked.index("index", len(asked.value.relations))
    old, field = asked.value.relations[index], asked.one_of("field", _RELATION_FIELDS)
    if field in ("subject", "object"):
        new = _with_end(old, field, asked.entity("value").id)
    elif field == "code":
        new = stored_way(replace(old, code=_code(asked, "value")))
    elif field == "evidence":
        new = replace(old, evidence=asked.evidence("value"))
    elif field == "certainty":
        new = replace(old, certainty=asked.one_of("value", CERTAINTIES))
    else:
        given = asked.words("value") if field == "note" else asked.line("value")
        new = replace(old, **{field: given})  # type: ignore[arg-type]
    return replace(asked.value, relations=(*asked.value.relations[:index], new, *asked.value.relations[index + 1 :]))


def _with_end(relation: Relation, field: str, entity_id: str) -> Relation:
    """The relation with another end; when that is its other end, the two change places."""
    ends = {"subject": relation.subject, "object": relation.object}
    other = "object" if field == "subject" else "subject"
    if ends[other] == entity_id:
        ends[other] = ends[field]
    ends[field] = entity_id
    return replace(relation, **ends)  # type: ignore[arg-type]


def _remove_relation(asked: Asked) -> AnnotationValue:
    gone = asked.index("index", len(asked.value.relations))
    return replace(asked.value, relations=tuple(r for n, r in enumerate(asked.value.relations) if n != gone))


def _set_text(asked: Asked) -> AnnotationValue:
    return replace(asked.value, **{asked.one_of("field", TEXT_FIELDS): asked.words("value")})  # type: ignore[arg-type]


def _set_note(asked: Asked) -> AnnotationValue:
    return replace(asked.value, note=asked.words("value"))


def _add_alternative(asked: Asked) -> AnnotationValue:
    field, reading = asked.one_of("field", TEXT_FIELDS), asked.words("text")
    note = asked.words("note", default="")
    if not reading.strip():
        raise asked.refused("text")
    readings = asked.value.alternatives
    known = next((n for n, a in enumerate(readings) if (a.field, a.text) == (field, reading)), None)
    if known is not None:
        return _with_reading(asked, known, replace(readings[known], note=note or readings[known].note))
    return replace(asked.value, alternatives=(*readings, Alternative(field, reading, note)))


def _with_reading(asked: Asked, index: int, reading: Alternative) -> AnnotationValue:
    readings = asked.value.alternatives
    return replace(asked.value, alternatives=(*readings[:index], reading, *readings[index + 1 :]))


def _reading(asked: Asked) -> int:
    return asked.index("index", len(asked.value.alternatives))


def _set_alternative(asked: Asked) -> AnnotationValue:
    index, field = _reading(asked), asked.one_of("field", ("text", "note"))
    changed = replace(asked.value.alternatives[index], **{field: asked.words("value")})  # type: ignore[arg-type]
    return _with_reading(asked, index, changed)


def _prefer_alternative(asked: Asked) -> AnnotationValue:
    reading = asked.value.alternatives[_reading(asked)]
    return prefer(asked.value, reading.field, reading.text)


def _remove_alternative(asked: Asked) -> AnnotationValue:
    gone = _reading(asked)
    return replace(asked.value, alternatives=tuple(a for n, a in enumerate(asked.value.alternatives) if n != gone))


_ACTIONS: dict[str, Callable[[Asked], AnnotationValue]] = {
    "add_entity": entity_edits.add_entity,
    "add_mention": entity_edits.add_mention,
    "remove_mention": entity_edits.remove_mention,
    "move_mention": entity_edits.move_mention,
    "mark_all": entity_edits.mark_all,
    "set_entity": entity_edits.set_entity,
    "merge_entity": entity_edits.merge_entity,
    "remove_entity": entity_edits.remove_entity,
    "add_relation": _add_relation,
    "set_relation": _set_relation,
    "remove_relation": _remove_relation,
    "set_text": _set_text,
    "set_note": _set_note,
    "add_alternative": _add_alternative,
    "set_alternative": _set_alternative,
    "prefer_alternative": _prefer_alternative,
    "remove_alternative": _remove_alternative,
    "accept": lambda asked: accept(asked.value, asked.suggestion(), asked.words("key")),
    "reject": lambda asked: reject(asked.value, asked.suggestion(), asked.words("key")),
    "undecide": lambda asked: undecide(asked.value, asked.words("key")),
    "accept_all": lambda asked: accept_all(asked.value, asked.suggestion()),
}
