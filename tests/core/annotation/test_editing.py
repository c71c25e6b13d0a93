import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.editing import apply, touches
from core.annotation.items import items
from core.errors import InputError
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation, value_from_json, value_to_json
from core.texts.offsets import check_spans

_spec = importlib.util.spec_from_file_location("desk_actions", Path(__file__).with_name("desk_actions.py"))
assert _spec and _spec.loader
desk_actions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(desk_actions)

TEXT = "𠀋德夀宮在望仙橋東，𠮷山在德寿宫西，望仙\n橋。"
PALACE = Entity("e1", "德夀宮", type="palace", mentions=((1, 4),))
BRIDGE = Entity("e2", "望仙橋", type="bridge", mentions=((5, 8),))
VALUE = AnnotationValue(entities=(PALACE, BRIDGE), relations=(Relation("e1", "east_of", "e2", evidence=(1, 9)),))
EMPTY = AnnotationValue()


def do(name: str, value: AnnotationValue = VALUE, /, **parts: Any) -> AnnotationValue:
    return apply(value, TEXT, {"do": name, **parts})


def entity(value: AnnotationValue, entity_id: str) -> Entity:
    found = value.entity(entity_id)
    assert found is not None
    return found


def test_a_selection_becomes_an_entity_of_the_type_its_name_tells() -> None:
    value = do("add_entity", EMPTY, span=[1, 4], kind="place")
    assert value.entities == (PALACE,)
    hill = do("add_entity", value, span=(10, 12), kind="place").entities[1]
    assert (hill.id, hill.name, hill.type, hill.mentions) == ("e2", "𠮷山", "mountain", ((10, 12),))
    assert do("add_entity", EMPTY, span=[10, 12], kind="place", type="garden").entities[0].type == "garden"
    assert do("add_entity", EMPTY, span=[10, 12], kind="person").entities[0].type == "other"


def test_the_same_name_and_class_is_one_more_mention_in_any_script() -> None:
    value = do("add_entity", span=[13, 16], kind="place")
    assert entity(value, "e1").mentions == ((1, 4), (13, 16))
    assert len(value.entities) == 2
    assert do("add_entity", span=[1, 4], kind="place") == VALUE
    assert len(do("add_entity", span=[13, 16], kind="work").entities) == 3


def test_a_name_over_a_line_end_and_a_selection_with_white_space() -> None:
    value = do("add_entity", EMPTY, span=[18, 22], kind="place")
    assert (value.entities[0].name, value.entities[0].mentions) == ("望仙橋", ((18, 22),))
    assert do("add_entity", EMPTY, span=[18, 21], kind="place").entities[0].mentions == ((18, 20),)
    assert do("add_mention", entity="e2", span=[20, 22]).entities[1].mentions == ((5, 8), (21, 22))
    assert do("add_entity", span=[18, 22], kind="place").entities[1].mentions == ((5, 8), (18, 22))


def test_mentions_are_added_moved_and_taken_away() -> None:
    value = do("add_mention", entity="e1", span=[13, 16])
    assert entity(value, "e1").mentions == ((1, 4), (13, 16))
    moved = do("move_mention", value, entity="e1", span=[13, 16], to=[13, 17])
    assert (entity(moved, "e1").name, entity(moved, "e1").mentions) == ("德夀宮", ((1, 4), (13, 17)))
    alone = do("remove_mention", value, entity="e1", span=[1, 4])
    renamed = do("move_mention", alone, entity="e1", span=[13, 16], to=[13, 17])
    assert (entity(renamed, "e1").name, entity(renamed, "e1").mentions) == ("德寿宫西", ((13, 17),))
    other = do("set_entity", alone, entity="e1", field="name", value="北内")
    assert entity(do("move_mention", other, entity="e1", span=[13, 16], to=[13, 17]), "e1").name == "北内"
    none = do("remove_mention", entity="e1", span=[1, 4])
    assert entity(none, "e1").mentions == ()
    assert none.relations == VALUE.relations


def test_all_places_of_a_name_are_marked_and_own_borders_stay() -> None:
    assert entity(do("mark_all", entity="e1"), "e1").mentions == ((1, 4), (13, 16))
    wider = do("move_mention", do("mark_all", entity="e1"), entity="e1", span=[1, 4], to=[0, 4])
    assert entity(do("mark_all", wider, entity="e1"), "e1").mentions == ((0, 4), (13, 16))


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("name", " 北内 ", "北内"),
        ("kind", "person", "person"),
        ("type", "hall", "hall"),
        ("source_label", "宫殿", "宫殿"),
        ("certainty", "uncertain", "uncertain"),
        ("note", "一行\r\n二行 ", "一行\n二行 "),
        ("modern", "秦桧", "秦桧"),
        ("english", "𠮷 Palace\x00", "𠮷 Palace"),
    ],
)
def test_fields_of_an_entity(field: str, given: str, kept: str) -> None:
    value = do("set_entity", entity="e1", field=field, value=given)
    assert value.entities == (replace(PALACE, **{field: kept}), BRIDGE)  # type: ignore[arg-type]


def test_a_new_name_is_looked_for_where_nothing_is_marked() -> None:
    bare = do("remove_mention", entity="e1", span=[1, 4])
    assert entity(do("set_entity", bare, entity="e1", field="name", value="𠮷山"), "e1").mentions == ((10, 12),)
    assert entity(do("set_entity", entity="e1", field="name", value="𠮷山"), "e1").mentions == ((1, 4),)


def test_merging_moves_mentions_relations_and_notes() -> None:
    third = Entity("e3", "北内", note="旧名", english="North Palace", mentions=((13, 16),))
    relations = (
        Relation("e3", "alias_of", "e1"),
        Relation("e3", "east_of", "e2", evidence=(1, 9)),
        Relation("e2", "beside", "e3"),
    )
    value = replace(VALUE, entities=(*VALUE.entities, third), relations=(*VALUE.relations, *relations))
    merged = do("merge_entity", value, entity="e3", into="e1")
    assert merged.entities == (
        replace(PALACE, note="旧名", english="North Palace", mentions=((1, 4), (13, 16))),
        BRIDGE,
    )
    assert merged.relations == (*VALUE.relations, Relation("e2", "beside", "e1"))


def test_an_entity_goes_with_its_relations() -> None:
    assert do("remove_entity", entity="e2") == AnnotationValue(entities=(PALACE,))


def test_relations_are_stored_one_way_round_and_once() -> None:
    value = do(
        "add_relation", subject="e1", code="contains", object="e2", distance="三十", unit="步", evidence="望仙橋"
    )
    assert value.relations[1] == Relation("e2", "inside", "e1", "三十", "步", (5, 8))
    assert do("add_relation", subject="e1", code="east_of", object="e2", evidence=[1, 9], note=None) == VALUE
    turned = do("set_relation", index=0, field="code", value="has_part")
    assert turned.relations[0] == Relation("e2", "part_of", "e1", evidence=(1, 9))
    assert do("remove_relation", index=0).relations == ()


@pytest.mark.parametrize(
    ("field", "given", "changed"),
    [
        ("code", "north_of", {"code": "north_of"}),
        ("distance", "九十", {"distance": "九十"}),
        ("evidence", "望仙桥", {"evidence": (5, 8)}),
        ("evidence", [10, 12], {"evidence": (10, 12)}),
        ("evidence", None, {"evidence": None}),
        ("evidence", "", {"evidence": None}),
        ("certainty", "uncertain", {"certainty": "uncertain"}),
        ("note", "why", {"note": "why"}),
        ("subject", "e2", {"subject": "e2", "object": "e1"}),
        ("object", "e2", {}),
    ],
)
def test_fields_of_a_relation(field: str, given: Any, changed: dict[str, Any]) -> None:
    value = do("set_relation", index=0, field=field, value=given)
    assert value.relations == (replace(VALUE.relations[0], **changed),)


def test_texts_and_competing_readings() -> None:
    value = do("set_text", field="english", value="One.")
    value = do("add_alternative", value, field="english", text="Two.", note="Moule")
    value = do("set_note", value, value="看")
    assert (value.english, value.note) == ("One.", "看")
    assert do("add_alternative", value, field="english", text="Two.") == value
    value = do("set_alternative", value, index=0, field="note", value="")
    value = do("prefer_alternative", value, index=0)
    assert (value.english, value.alternatives) == ("Two.", (Alternative("english", "One."),))
    value = do("set_alternative", value, index=0, field="text", value="Uno.")
    assert value.alternatives[0].text == "Uno."
    assert do("remove_alternative", value, index=0).alternatives == ()


def test_items_of_a_suggestion_are_decided() -> None:
    suggestion = replace(VALUE, english="Deshou.")
    key = items(suggestion, EMPTY)[0].key
    assert apply(EMPTY, TEXT, {"do": "accept", "key": key}, suggestion).entities == (PALACE,)
    refused = apply(EMPTY, TEXT, {"do": "reject", "key": key}, suggestion)
    assert refused.rejected == (key,)
    assert apply(refused, TEXT, {"do": "undecide", "key": key}) == EMPTY
    assert apply(EMPTY, TEXT, {"do": "accept_all"}, suggestion) == suggestion
    with pytest.raises(InputError, match="item_unknown"):
        apply(EMPTY, TEXT, {"do": "accept", "key": "entity|place|西湖"}, suggestion)
    with pytest.raises(InputError, match="action_invalid"):
        apply(EMPTY, TEXT, {"do": "accept", "key": key})


def test_a_suggestion_for_another_text_is_not_taken_in() -> None:
    beyond = AnnotationValue(entities=(replace(PALACE, mentions=((1, 400),)),))
    with pytest.raises(InputError, match="action_invalid"):
        apply(EMPTY, TEXT, {"do": "accept_all"}, beyond)


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"do": "approve"},
        {"do": ["add_entity"]},
        {"do": "add_entity", "span": [1, 4]},
        {"do": "add_entity", "span": [4, 4], "kind": "place"},
        {"do": "add_entity", "span": [1, len(TEXT) + 1], "kind": "place"},
        {"do": "add_entity", "span": [-1, 2], "kind": "place"},
        {"do": "add_entity", "span": [True, 4], "kind": "place"},
        {"do": "add_entity", "span": [1.0, 4.0], "kind": "place"},
        {"do": "add_entity", "span": "14", "kind": "place"},
        {"do": "add_entity", "span": [1, 4], "kind": "castle"},
        {"do": "add_entity", "span": [1, 4], "kind": "place", "type": "castle"},
        {"do": "add_entity", "span": [20, 21], "kind": "place"},
        {"do": "add_mention", "entity": "e9", "span": [1, 4]},
        {"do": "remove_mention", "entity": "e1", "span": [1, 3]},
        {"do": "move_mention", "entity": "e1", "span": [1, 3], "to": [1, 5]},
        {"do": "set_entity", "entity": "e1", "field": "name", "value": " \n"},
        {"do": "set_entity", "entity": "e1", "field": "name", "value": "长" * 201},
        {"do": "set_entity", "entity": "e1", "field": "id", "value": "e2"},
        {"do": "set_entity", "entity": "e1", "field": "mentions", "value": "e2"},
        {"do": "set_entity", "entity": "e1", "field": "type", "value": None},
        {"do": "merge_entity", "entity": "e1", "into": "e1"},
        {"do": "add_relation", "subject": "e1", "code": "east_of", "object": "e1"},
        {"do": "add_relation", "subject": "e1", "code": "eastish", "object": "e2"},
        {"do": "add_relation", "subject": "e1", "code": "beside", "object": "e2", "evidence": "西湖"},
        {"do": "set_relation", "index": 1, "field": "note", "value": ""},
        {"do": "set_relation", "index": -1, "field": "note", "value": ""},
        {"do": "set_relation", "index": False, "field": "note", "value": ""},
        {"do": "set_text", "field": "note", "value": ""},
        {"do": "set_text", "field": "english", "value": "x" * 60_001},
        {"do": "set_note", "value": 3},
        {"do": "add_alternative", "field": "english", "text": " "},
        {"do": "prefer_alternative", "index": 0},
        {"do": "reset", "value": {}},
    ],
)
def test_what_makes_no_sense_is_refused(action: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="action_invalid") as caught:
        apply(VALUE, TEXT, action)
    assert caught.value.details["what"]


def test_halves_of_a_character_are_never_stored() -> None:
    value = do("set_text", field="english", value="a\ud842b\ud842\udfb7c\udfb7")
    assert value.english == "a\ufffdb𠮷c\ufffd"
    assert do("set_entity", entity="e1", field="name", value="\ud842").entities[0].name == "\ufffd"
    assert value_from_json(value_to_json(value)) == value


def test_which_field_is_being_typed_in() -> None:
    assert touches({"do": "set_text", "field": "english", "value": "x"}) == "english"
    assert touches({"do": "set_text", "field": "note"}) == touches({"do": "set_text", "field": []}) == ""
    assert touches({"do": "set_note", "field": "english"}) == touches([]) == ""  # type: ignore[arg-type]


@given(st.data())
def test_any_sequence_of_actions_keeps_a_value_sound(data: st.DataObject) -> None:
    text = desk_actions.TEXT
    value, suggestion = data.draw(desk_actions.values()), data.draw(desk_actions.values())
    keys = st.sampled_from([*(item.key for item in items(suggestion, value)), "none"])
    for action in data.draw(st.lists(desk_actions.actions(keys) | desk_actions.garbage, max_size=12)):
        try:
            value = apply(value, text, action, suggestion)
        except InputError as error:
            assert error.code in ("action_invalid", "item_unknown")
        check_spans(value, text)
        assert value_from_json(value_to_json(value)) == value
        assert all(entity.name.strip() for entity in value.entities)


@given(desk_actions.values(), desk_actions.garbage)
def test_garbage_is_refused_or_harmless(value: AnnotationValue, action: Any) -> None:
    try:
        check_spans(apply(value, desk_actions.TEXT, action), desk_actions.TEXT)
    except InputError as error:
        assert error.code == "action_invalid"
        error.details["what"].encode()  # type: ignore[attr-defined]
