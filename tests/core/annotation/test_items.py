import importlib.util
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.items import Item, State, accept, accept_all, free_ids, items, prefer, reject, undecide
from core.errors import InputError
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation
from core.texts.offsets import check_spans

_spec = importlib.util.spec_from_file_location("desk_actions", Path(__file__).with_name("desk_actions.py"))
assert _spec and _spec.loader
desk_actions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(desk_actions)
values = desk_actions.values

PALACE = Entity("e1", "德寿宫", type="palace", mentions=((0, 3), (9, 12)))
BRIDGE = Entity("e2", "望仙桥", type="bridge", mentions=((4, 7),))
EAST = Relation("e1", "east_of", "e2", distance="三十", unit="步", evidence=(0, 8))
SUGGESTED = AnnotationValue(entities=(PALACE, BRIDGE), relations=(EAST,), english="Deshou Palace lies east.")
PALACE_KEY, BRIDGE_KEY, EAST_KEY = "entity|place|德寿宫", "entity|place|望仙桥", "relation|德寿宫|east_of|望仙桥"
EMPTY = AnnotationValue()


def state(key: str, value: AnnotationValue, suggestion: AnnotationValue = SUGGESTED) -> State:
    return next(item.state for item in items(suggestion, value) if item.key == key)


def text_item(suggestion: AnnotationValue, value: AnnotationValue = EMPTY) -> Item:
    return next(item for item in items(suggestion, value) if item.part == "english")


def test_every_part_of_a_suggestion_is_an_item_and_empty_texts_are_none() -> None:
    found = items(SUGGESTED, EMPTY)
    assert [item.key for item in found[:3]] == [PALACE_KEY, BRIDGE_KEY, EAST_KEY]
    assert [item.part for item in found] == ["entity", "entity", "relation", "english"]
    assert found[3].key.startswith("text|english|") and len(found[3].key) == len("text|english|") + 8
    assert {item.state for item in found} == {"undecided"}
    assert items(EMPTY, SUGGESTED) == ()


def test_a_key_names_the_statement_in_any_suggestion() -> None:
    other = AnnotationValue(
        entities=(replace(BRIDGE, id="e1", name="望僊 橋"), replace(PALACE, id="e9", name="德壽宮", mentions=())),
        relations=(Relation("e1", "west_of", "e9"),),
    )
    assert {item.key for item in items(other, EMPTY)} == {PALACE_KEY, BRIDGE_KEY, EAST_KEY}


def test_an_accepted_entity_may_have_more_mentions_but_not_fewer() -> None:
    more = replace(PALACE, id="e7", name="德夀宮", mentions=((0, 3), (9, 12), (20, 23)))
    assert state(PALACE_KEY, AnnotationValue(entities=(more,))) == "accepted"
    assert state(PALACE_KEY, AnnotationValue(entities=(replace(PALACE, mentions=((0, 3),)),))) == "edited"
    assert state(PALACE_KEY, AnnotationValue(entities=(replace(PALACE, type="hall"),))) == "edited"


@pytest.mark.parametrize(
    "corrected",
    [
        Entity("e1", "宫在望仙", mentions=((2, 6), (10, 14))),
        Entity("e1", "德寿宫", kind="work", mentions=((0, 3),)),
        Entity("e1", "德寿宫", kind="work"),
        Entity("e1", "全段", mentions=((0, 30),)),
    ],
)
def test_another_name_or_class_in_its_place_is_a_correction(corrected: Entity) -> None:
    assert state(PALACE_KEY, AnnotationValue(entities=(corrected,))) == "edited"


def test_a_correction_is_one_where_it_stands_and_not_elsewhere() -> None:
    hill = Entity("e1", "孤山", type="mountain", mentions=((0, 2), (10, 12), (20, 22)))
    temple = Entity("e2", "寺", mentions=((4, 5),))
    beside_temple = Relation("e1", "beside", "e2")
    suggestion = AnnotationValue(entities=(hill, temple), relations=(beside_temple,))
    key = "entity|place|孤山"
    longer = Entity("e1", "孤山路", note="mine", mentions=((10, 13),))
    value = AnnotationValue(entities=(longer,))
    open_ = next(item for item in items(suggestion, value) if item.key == key)
    assert open_.state == "undecided" and open_.entity
    assert open_.entity.mentions == ((0, 2), (20, 22))
    # A relation of the hill is none of the road's, and what she marked stays as it is.
    for taken in (accept(value, suggestion, key), accept(value, suggestion, "relation|孤山|beside|寺")):
        assert taken.entities[0] == longer
        assert taken.entities[1].mentions == ((0, 2), (20, 22))
        assert state(key, taken, suggestion) == "accepted"
    assert accept(value, suggestion, "relation|孤山|beside|寺").relations[0].subject == "e2"
    assert state("relation|孤山|beside|寺", accept_all(value, suggestion), suggestion) == "accepted"
    # Marked so at every place, it is corrected; and what lies inside a mark at its only place is.
    all_ = replace(longer, mentions=((0, 3), (10, 13), (20, 23)))
    assert state(key, AnnotationValue(entities=(all_,)), suggestion) == "edited"
    quarter = Entity("e1", "山前古寺", mentions=((1, 5),))
    states = {item.key: item.state for item in items(suggestion, AnnotationValue(entities=(quarter,)))}
    assert (states[key], states["entity|place|寺"]) == ("undecided", "edited")
    # Another class of the same name is about the name, wherever that stands.
    work = Entity("e1", "孤山", kind="work", mentions=((10, 12),))
    assert state(key, AnnotationValue(entities=(longer, work)), suggestion) == "edited"


def test_what_another_item_accounts_for_corrects_nothing() -> None:
    hill, road = Entity("e1", "孤山", type="mountain", mentions=((0, 2),)), Entity("e2", "孤山路", mentions=((0, 3),))
    island = replace(hill, id="e3", type="island")
    suggestion = AnnotationValue(
        entities=(hill, road, island), relations=(Relation("e1", "inside", "e2"), Relation("e1", "beside", "e2"))
    )
    value = accept(EMPTY, suggestion, "entity|place|孤山路")
    assert state("entity|place|孤山", value, suggestion) == "undecided"
    value = accept(value, suggestion, "relation|孤山|inside|孤山路")
    assert state("relation|孤山|beside|孤山路", value, suggestion) == "undecided"
    assert state("entity|place|孤山|island", value, suggestion) == "undecided"
    value = accept(value, suggestion, "entity|place|孤山|island")
    assert [entity.type for entity in value.entities] == ["other", "mountain", "island"]
    assert state("entity|place|孤山", value, suggestion) == "accepted"


def test_a_relation_is_known_either_way_round_and_under_corrected_names() -> None:
    turned = AnnotationValue(entities=(PALACE, BRIDGE), relations=(Relation("e2", "west_of", "e1", "三十", "步"),))
    assert state(EAST_KEY, turned) == "accepted"
    assert state(EAST_KEY, replace(turned, relations=(Relation("e1", "beside", "e2"),))) == "edited"
    assert state(EAST_KEY, replace(turned, relations=(Relation("e2", "east_of", "e1"),))) == "edited"
    other_distance = Relation("e1", "east_of", "e2", "五十", "步")
    assert state(EAST_KEY, replace(turned, relations=(other_distance,))) == "edited"
    renamed = replace(turned, entities=(replace(PALACE, name="德寿宫北"), BRIDGE))
    assert state(EAST_KEY, renamed) == "accepted"


def test_rejected_and_taken_back() -> None:
    value = reject(EMPTY, SUGGESTED, PALACE_KEY)
    assert value.rejected == (PALACE_KEY,)
    assert state(PALACE_KEY, value) == "rejected"
    assert state(EAST_KEY, value) == "rejected"  # it needs the entity
    assert state(BRIDGE_KEY, value) == "undecided"
    assert reject(value, SUGGESTED, PALACE_KEY) == value
    assert undecide(value, PALACE_KEY) == EMPTY
    assert accept(value, SUGGESTED, PALACE_KEY).rejected == ()


def test_what_was_accepted_leaves_the_value_when_it_is_rejected() -> None:
    whole = accept_all(EMPTY, SUGGESTED)
    without = reject(whole, SUGGESTED, BRIDGE_KEY)
    assert [entity.name for entity in without.entities] == ["德寿宫"]
    assert without.relations == ()
    assert reject(whole, SUGGESTED, EAST_KEY).relations == ()
    assert reject(whole, SUGGESTED, text_item(SUGGESTED).key).english == ""
    edited = replace(whole, entities=(replace(whole.entities[0], type="hall"), whole.entities[1]), english="mine")
    for key in (PALACE_KEY, text_item(SUGGESTED).key):
        assert replace(reject(edited, SUGGESTED, key), rejected=()) == edited


def test_accepting_gives_free_ids_and_takes_the_ends_of_a_relation_along() -> None:
    own = AnnotationValue(entities=(Entity("e4", "西湖"), Entity("x", "苏堤")), rejected=(BRIDGE_KEY, EAST_KEY))
    value = accept(own, SUGGESTED, EAST_KEY)
    assert [(entity.id, entity.name) for entity in value.entities[2:]] == [("e5", "德寿宫"), ("e6", "望仙桥")]
    assert value.entities[3].mentions == BRIDGE.mentions
    assert value.relations == (replace(EAST, subject="e5", object="e6"),)
    assert value.rejected == ()
    assert {item.state for item in items(SUGGESTED, value) if item.part != "english"} == {"accepted"}


def test_accepting_what_was_edited_keeps_what_the_scholar_wrote() -> None:
    own = Entity(
        "e3", "德夀宮", type="hall", certainty="uncertain", note="北内?", english="Deshou", mentions=((0, 4), (20, 23))
    )
    value = accept(AnnotationValue(entities=(own,)), SUGGESTED, PALACE_KEY)
    assert value.entities == (replace(own, type="palace", mentions=((0, 3), (9, 12), (20, 23))),)


def test_a_correction_gives_way_but_an_entity_of_its_own_does_not() -> None:
    shorter = Entity("e3", "寿宫", note="mine", mentions=((1, 3), (10, 12)))
    value = accept(AnnotationValue(entities=(shorter,)), SUGGESTED, PALACE_KEY)
    assert [(entity.id, entity.name, entity.note) for entity in value.entities] == [("e3", "德寿宫", "mine")]
    elsewhere = replace(shorter, mentions=((1, 3), (10, 12), (25, 27)))
    value = accept(AnnotationValue(entities=(elsewhere,)), SUGGESTED, PALACE_KEY)
    assert [entity.name for entity in value.entities] == ["寿宫", "德寿宫"]


def test_a_correction_is_found_past_shorter_entities_inside_it() -> None:
    long, short = Entity("e1", "德寿宫在望仙桥东", mentions=((0, 8),)), Entity("e2", "宫", mentions=((2, 3),))
    value = accept(AnnotationValue(entities=(long, short)), SUGGESTED, BRIDGE_KEY)
    assert value.entities == (replace(BRIDGE, id="e1"), short)


def test_accepting_a_relation_replaces_its_one_correction() -> None:
    own = AnnotationValue(
        entities=(PALACE, BRIDGE), relations=(Relation("e1", "north_of", "e2", certainty="uncertain", note="why"),)
    )
    value = accept(own, SUGGESTED, EAST_KEY)
    assert value.relations == (replace(EAST, certainty="uncertain", note="why"),)
    two = replace(own, relations=(*own.relations, Relation("e1", "beside", "e2")))
    assert accept(two, SUGGESTED, EAST_KEY).relations == (*two.relations, EAST)
    other_distance = replace(own, relations=(Relation("e1", "east_of", "e2", "五十", "步", note="mine"),))
    assert accept(other_distance, SUGGESTED, EAST_KEY).relations == (replace(EAST, note="mine"),)


def test_a_relation_between_two_that_were_joined_is_not_open() -> None:
    joined = AnnotationValue(entities=(Entity("e1", "德寿宫在望仙桥", mentions=((0, 7), (9, 16))),))
    assert state(EAST_KEY, joined) == "edited"
    value = accept(joined, SUGGESTED, EAST_KEY)
    assert [entity.name for entity in value.entities] == ["德寿宫在望仙桥", "德寿宫", "望仙桥"]
    assert (value.relations[0].subject, value.relations[0].object) == ("e2", "e3")
    assert state(EAST_KEY, value) == "accepted"


def test_the_text_that_gives_way_stays_as_an_alternative_once() -> None:
    key = text_item(SUGGESTED).key
    own = AnnotationValue(english="mine")
    assert state(key, own) == "edited"
    value = accept(own, SUGGESTED, key)
    assert value.english == SUGGESTED.english
    assert value.alternatives == (Alternative("english", "mine"),)
    kept = replace(own, alternatives=(Alternative("english", "mine", "older"),))
    assert accept(kept, SUGGESTED, key).alternatives == kept.alternatives
    assert accept(EMPTY, SUGGESTED, key).alternatives == ()
    assert accept(value, SUGGESTED, key) == value


def test_preferring_swaps_and_a_note_stays_with_its_text() -> None:
    a, b = Alternative("english", "A", "from Moule"), Alternative("english", "B")
    value = AnnotationValue(english="C", alternatives=(a, b))
    first = prefer(value, "english", "B")
    assert (first.english, first.alternatives) == ("B", (a, Alternative("english", "C")))
    second = prefer(first, "english", "A")
    assert second.english == "A"
    assert a in second.alternatives
    back = prefer(second, "english", "C")
    assert back.english == "C" and set(back.alternatives) == {a, b}


def test_an_item_that_is_not_there_is_refused() -> None:
    for change in (accept, reject):
        with pytest.raises(InputError, match="item_unknown"):
            change(EMPTY, SUGGESTED, "entity|place|西湖")
    assert undecide(EMPTY, "entity|place|西湖") == EMPTY


def test_ids_are_free_whatever_ids_look_like() -> None:
    entities = [Entity(name, "x") for name in ("e2", "e09", "x", "e", "e" + "9" * 30)]
    ids = free_ids(entities)
    assert [next(ids), next(ids)] == ["e10", "e11"]


@given(values(), values())
def test_accepting_all_leaves_nothing_undecided_and_touches_nothing_else(
    suggestion: AnnotationValue, value: AnnotationValue
) -> None:
    before = {item.key: item.state for item in items(suggestion, value)}
    after = accept_all(value, suggestion)
    check_spans(after, desk_actions.TEXT)
    for item in items(suggestion, after):
        assert item.state == {"undecided": "accepted"}.get(before[item.key], before[item.key])
    assert after.entities[: len(value.entities)] == value.entities
    assert after.relations[: len(value.relations)] == value.relations
    assert after.rejected == value.rejected


@given(values(), values(), st.data())
def test_what_one_accepts_is_accepted_and_what_one_rejects_is_gone(
    suggestion: AnnotationValue, value: AnnotationValue, data: st.DataObject
) -> None:
    found = items(suggestion, value)
    assert len({item.key for item in found}) == len(found)
    if found:
        item = data.draw(st.sampled_from(found))
        taken = accept(value, suggestion, item.key)
        check_spans(taken, desk_actions.TEXT)
        assert state(item.key, taken, suggestion) == "accepted"
        assert item.key not in taken.rejected
        refused = reject(taken, suggestion, item.key)
        check_spans(refused, desk_actions.TEXT)
        assert state(item.key, refused, suggestion) in ("rejected", "edited")


def test_a_long_list_is_quick() -> None:
    entities = tuple(Entity(f"e{n}", f"甲{n}桥", mentions=((5 * n, 5 * n + 4),)) for n in range(300))
    relations = tuple(Relation(f"e{n}", "east_of", f"e{n + 1}") for n in range(299))
    many = AnnotationValue(entities=entities, relations=relations)
    halves = replace(many, entities=tuple(replace(e, mentions=((0, 1500),)) for e in entities), relations=())
    items(many, many)
    for value in (EMPTY, many, halves):
        start = perf_counter()
        items(many, value)
        accept_all(value, many)
        assert perf_counter() - start < 0.5
