from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.texts.annotation import AnnotationValue, Entity, Relation
from core.texts.offsets import check_spans, find_all, reanchor
from core.texts.variants import fold

TEXT = "𠀋德夀宫在望仙橋東，元係秦太師賜第。"

chinese = st.text(alphabet="德夀寿宫望仙橋桥東在，𠀋𠮷\n", max_size=60)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[AnnotationValue, str]:
    """A text and an annotation whose spans all lie in it."""
    text = draw(chinese.filter(bool))
    starts = st.integers(0, len(text) - 1)
    span = starts.flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, len(text))))
    entities = tuple(Entity(id=f"e{n}", name="某", mentions=tuple(draw(st.lists(span, max_size=3)))) for n in (1, 2))
    relation = Relation(subject="e1", code="east_of", object="e2", evidence=draw(st.none() | span))
    return AnnotationValue(entities=entities, relations=(relation,)), text


def test_names_are_found_whatever_their_script() -> None:
    assert find_all("德寿宫", TEXT) == ((1, 4),)
    assert find_all("望仙桥", "望仙桥望僊橋，望仙\n桥") == ((0, 3), (3, 6))
    assert find_all("", TEXT) == find_all("西湖", TEXT) == ()


@given(chinese.filter(bool), chinese, chinese)
def test_found_spans_hold_the_name(name: str, before: str, after: str) -> None:
    text = before + name + "𠮷" + name + after
    spans = find_all(name, text)
    assert spans
    for start, end in spans:
        assert fold(text[start:end]) == fold(name)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@given(annotated())
def test_spans_in_the_text_pass(case: tuple[AnnotationValue, str]) -> None:
    check_spans(*case)


@pytest.mark.parametrize("span", [(0, 0), (3, 2), (-1, 2), (0, len(TEXT) + 1)])
def test_spans_outside_the_text_are_refused(span: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="span_out_of_range"):
        check_spans(AnnotationValue(entities=(Entity(id="e1", name="x", mentions=(span,)),)), TEXT)
    relation = Relation(subject="e1", code="beside", object="e1", evidence=span)
    with pytest.raises(InputError, match="span_out_of_range"):
        check_spans(AnnotationValue(entities=(Entity(id="e1", name="x"),), relations=(relation,)), TEXT)


def test_relations_need_their_entities_and_ids_are_unique() -> None:
    entity = Entity(id="e1", name="德寿宫")
    with pytest.raises(InputError, match="relation_without_entity"):
        check_spans(AnnotationValue((entity,), (Relation("e1", "east_of", "e2"),)), TEXT)
    with pytest.raises(InputError, match="entity_id_twice"):
        check_spans(AnnotationValue((entity, entity)), TEXT)


@given(annotated(), chinese)
def test_reanchored_spans_always_lie_in_the_new_text(case: tuple[AnnotationValue, str], new_text: str) -> None:
    value, old_text = case
    moved, flags = reanchor(value, old_text, new_text)
    check_spans(moved, new_text)
    assert [entity.id for entity in moved.entities] == [entity.id for entity in value.entities]
    lost = {flag.span for flag in flags if flag.outcome == "dropped" and flag.what == "mention"}
    for old, new in zip(value.entities, moved.entities, strict=True):
        kept = {new_text[slice(*span)] for span in new.mentions}
        flagged = {flag.span for flag in flags if flag.entity == old.id}
        for span in set(old.mentions) - flagged:
            assert fold(old_text[slice(*span)]) in {fold(words) for words in kept}
        assert set(old.mentions) >= lost & set(old.mentions)


@given(annotated(), chinese, chinese)
def test_spans_follow_what_is_put_around_them(case: tuple[AnnotationValue, str], head: str, tail: str) -> None:
    value, text = case
    moved, flags = reanchor(value, text, "甲" + head + "乙" + text)
    assert flags == ()
    for old, new in zip(value.entities, moved.entities, strict=True):
        shift = len(head) + 2
        assert new.mentions == tuple(dict.fromkeys((a + shift, b + shift) for a, b in old.mentions))
    same, flags = reanchor(value, text, text)
    assert flags == ()
    assert same.relations == value.relations


def test_variants_and_scripts_may_be_corrected() -> None:
    value = AnnotationValue(
        (Entity(id="e1", name="德夀宫", mentions=((1, 4),)), Entity(id="e2", name="望仙橋", mentions=((5, 8),))),
        (Relation("e1", "east_of", "e2", evidence=(1, 9)),),
    )
    moved, flags = reanchor(value, TEXT, "德寿宫在望仙桥东，元系秦太师赐第。")
    assert flags == ()
    assert moved.entities[0].mentions == ((0, 3),)
    assert moved.entities[1].mentions == ((4, 7),)
    assert moved.relations[0].evidence == (0, 8)


def test_what_was_cut_out_is_dropped_and_flagged() -> None:
    value = AnnotationValue(
        (Entity(id="e1", name="德夀宫", mentions=((1, 4),)), Entity(id="e2", name="望仙橋", mentions=((5, 8),))),
        (Relation("e1", "east_of", "e2", evidence=(1, 9)),),
    )
    moved, flags = reanchor(value, TEXT, "元係秦太師賜第。在望仙橋")
    assert moved.entities[0].mentions == ()
    assert moved.relations[0].evidence is None
    assert ("mention", "dropped", "e1", (1, 4)) in {(f.what, f.outcome, f.entity, f.span) for f in flags}
    assert ("evidence", "dropped", 0) in {(f.what, f.outcome, f.relation) for f in flags}


def test_a_name_corrected_inside_is_kept_and_flagged() -> None:
    value = AnnotationValue((Entity(id="e1", name="清泠桥", mentions=((2, 5),)),))
    moved, flags = reanchor(value, "次曰清泠桥。", "次曰清冷桥。")
    assert moved.entities[0].mentions == ((2, 5),)
    assert [flag.outcome for flag in flags] == ["changed"]


def test_spans_between_two_corrections_are_moved_exactly() -> None:
    old, new = "西湖甲德寿宫在望仙桥东乙苏堤", "西湖德寿宫丙在望仙桥之东丁戊苏堤"
    names = ("西湖", "德寿宫", "望仙桥", "苏堤")
    value = AnnotationValue(tuple(Entity(id=name, name=name, mentions=find_all(name, old)) for name in names))
    moved, flags = reanchor(value, old, new)
    assert flags == ()
    assert {entity.name: entity.mentions for entity in moved.entities} == {name: find_all(name, new) for name in names}
