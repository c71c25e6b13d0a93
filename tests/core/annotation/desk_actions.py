"""Random values and random actions of a browser, sound and broken ones."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from core.texts.annotation import (
    CERTAINTIES,
    CLASSES,
    TEXT_FIELDS,
    Alternative,
    AnnotationValue,
    Entity,
    Relation,
)
from core.texts.vocabulary import PLACE_TYPES, RELATION_TYPES

TEXT = "𠀋湖西湖在德夀宮東，望仙\n橋在德寿宫西，𠮷山孤山路。"
NAMES = ("西湖", "德寿宫", "德壽宮", "望仙桥", "𠮷山", "孤山", "孤山路", "秦太师")
IDS = ("e1", "e2", "e3", "e4", "e7", "x")

spans = st.integers(0, len(TEXT) - 1).flatmap(
    lambda start: st.tuples(st.just(start), st.integers(start + 1, min(len(TEXT), start + 5)))
)
short = st.sampled_from(("", "西湖", "三十", "里", "a note", "\ud842"))
types = st.sampled_from([row.code for row in PLACE_TYPES])
codes = st.sampled_from([*(row.code for row in RELATION_TYPES), "contains", "has_part"])
certainties = st.sampled_from(CERTAINTIES)
kinds = st.sampled_from(CLASSES[:3])
clean = st.sampled_from(("", "西湖", "译文甲", "译文乙"))


@st.composite
def values(draw: st.DrawFn) -> AnnotationValue:
    """A value that passes check_spans on TEXT."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=5))
    entities = tuple(
        Entity(
            id=entity_id,
            name=draw(st.sampled_from(NAMES)),
            kind=draw(kinds),
            type=draw(types),
            note=draw(clean),
            mentions=tuple(sorted(draw(st.lists(spans, max_size=3, unique=True)))),
        )
        for entity_id in ids
    )
    relations = []
    for _ in range(draw(st.integers(0, 3)) if len(ids) > 1 else 0):
        ends = draw(st.lists(st.sampled_from(ids), min_size=2, max_size=2, unique=True))
        evidence = draw(st.none() | spans)
        code = draw(st.sampled_from([row.code for row in RELATION_TYPES]))
        relations.append(Relation(ends[0], code, ends[1], distance=draw(clean), evidence=evidence))
    readings = st.builds(Alternative, field=st.sampled_from(TEXT_FIELDS), text=clean, note=clean)
    value = AnnotationValue(
        entities=entities,
        relations=tuple(relations),
        note=draw(clean),
        alternatives=tuple(draw(st.lists(readings, max_size=3))),
        rejected=tuple(draw(st.lists(st.sampled_from(("entity|place|西湖", "k", "")), unique=True))),
    )
    return replace(value, **{field: draw(clean) for field in TEXT_FIELDS})  # type: ignore[arg-type]


_anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=4) | short,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_id = st.sampled_from(IDS)
_index = st.integers(-1, 3)
_spans = spans.map(list)
_field = st.sampled_from(TEXT_FIELDS)
_entity_values = (
    st.tuples(st.just("kind"), st.sampled_from(CLASSES))
    | st.tuples(st.just("type"), types)
    | st.tuples(st.just("certainty"), certainties)
    | st.tuples(st.sampled_from(("name", "source_label", "note", "modern", "english")), short)
)
_relation_values = (
    st.tuples(st.sampled_from(("subject", "object")), _id)
    | st.tuples(st.just("code"), codes)
    | st.tuples(st.just("evidence"), st.none() | _spans | short)
    | st.tuples(st.just("certainty"), certainties)
    | st.tuples(st.sampled_from(("distance", "unit", "note")), short)
)


def _action(do: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"do": st.just(do), **parts})


def _with_pair(do: str, pairs: st.SearchStrategy[Any], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    both = st.tuples(_action(do, **parts), pairs)
    return both.map(lambda row: {**row[0], "field": row[1][0], "value": row[1][1]})


def actions(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Actions that mostly make sense; ``keys`` are those of a suggestion's items."""
    return st.one_of(
        _action("add_entity", span=_spans, kind=kinds, type=st.none() | types),
        _action("add_mention", entity=_id, span=_spans),
        _action("remove_mention", entity=_id, span=_spans),
        _action("move_mention", entity=_id, span=_spans, to=_spans),
        _action("mark_all", entity=_id),
        _with_pair("set_entity", _entity_values, entity=_id),
        _action("merge_entity", entity=_id, into=_id),
        _action("remove_entity", entity=_id),
        _action("add_relation", subject=_id, code=codes, object=_id, evidence=st.none() | _spans | short, note=short),
        _with_pair("set_relation", _relation_values, index=_index),
        _action("remove_relation", index=_index),
        _action("set_text", field=_field, value=short),
        _action("set_note", value=short),
        _action("add_alternative", field=_field, text=short, note=short),
        _with_pair("set_alternative", st.tuples(st.sampled_from(("text", "note")), short), index=_index),
        _action("prefer_alternative", index=_index),
        _action("remove_alternative", index=_index),
        _action("accept", key=keys),
        _action("reject", key=keys),
        _action("undecide", key=keys),
        _action("accept_all"),
    )


_DO = ("add_entity", "move_mention", "set_entity", "merge_entity", "add_relation", "set_relation", "set_text", "accept")
_PARTS = ("entity", "span", "to", "kind", "type", "field", "value", "into", "subject", "object", "code", "index", "key")
garbage = (
    _anything
    | st.dictionaries(st.sampled_from(("do", *_PARTS)), _anything)
    | st.builds(
        lambda do, parts: {"do": do, **parts},
        st.sampled_from(_DO),
        st.dictionaries(st.sampled_from(_PARTS), _anything | _id | _field),
    )
)
