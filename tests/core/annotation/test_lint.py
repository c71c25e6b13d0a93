import tomllib
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from core.annotation.lint import CODES, disputed, lint
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation

TEXT = "德寿宫在望仙桥东，元系秦太师赐第。"
GOOD = AnnotationValue(
    entities=(
        Entity("e1", "德寿宫", type="palace", mentions=((0, 3),)),
        Entity("e2", "望仙桥", type="bridge", mentions=((4, 7),)),
        Entity("e3", "秦太师", kind="person", mentions=((11, 14),), modern="秦桧", english="Prime Minister Qin"),
    ),
    relations=(Relation("e1", "east_of", "e2", evidence=(0, 8)),),
    spatial_relation="德寿宫位于望仙桥东侧",
    modern_chinese="德寿宫位于望仙桥东面，原本是秦桧的赐第。",
    english="Deshou Palace is east of Wangxian Bridge, originally the granted residence of Prime Minister Qin.",
    search_prompt="南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧",
)


def found(value: AnnotationValue, text: str = TEXT) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.where, finding.name) for finding in lint(value, text)]


def with_entity(**changes: Any) -> AnnotationValue:
    return replace(GOOD, entities=(replace(GOOD.entities[0], **changes), *GOOD.entities[1:]))


def test_a_full_reading_and_an_empty_one_have_no_findings() -> None:
    assert found(GOOD) == []
    assert found(AnnotationValue()) == found(AnnotationValue(note="…", english="  ")) == []


def test_entities() -> None:
    assert found(with_entity(mentions=())) == [("entity_not_found", "e1", "德寿宫")]
    assert lint(with_entity(mentions=()), TEXT + "德夀宮")[0].details == {"places": "2"}
    assert found(with_entity(type="other")) == [("type_unnamed", "e1", "德寿宫")]
    assert found(with_entity(type="other", source_label="别宫")) == []
    assert found(with_entity(type="other", kind="work")) == []


def test_the_same_name_twice_in_one_class() -> None:
    again = replace(GOOD.entities[0], id="e4", name="德夀宮")
    twice = replace(GOOD, entities=(*GOOD.entities, again))
    assert found(twice) == [("same_name_twice", "e4", "德夀宮")]
    assert lint(twice, TEXT)[0].details == {"other": "e1"}
    assert found(replace(GOOD, entities=(*GOOD.entities, replace(again, kind="other")))) == []


def test_names_that_a_text_does_not_render() -> None:
    bare = replace(GOOD, entities=(*GOOD.entities[:2], replace(GOOD.entities[2], modern="", english="")))
    assert found(bare) == [("not_rendered_modern_chinese", "e3", "秦太师"), ("not_rendered_english", "e3", "秦太师")]
    assert found(replace(GOOD, search_prompt="南宋临安古画，望仙桥")) == []  # a prompt names a few things
    assert found(replace(GOOD, search_prompt="秦桧")) == [("not_rendered_search_prompt", "search_prompt", "")]
    no_place = replace(GOOD, entities=GOOD.entities[2:], relations=(), search_prompt="山水")
    assert found(no_place) == []


def test_relations() -> None:
    there, back = GOOD.relations[0], Relation("e2", "east_of", "e1", evidence=(0, 8))
    assert found(replace(GOOD, relations=(there, back))) == [
        ("relation_contradiction", "relation:0", "德寿宫—望仙桥"),
        ("relation_contradiction", "relation:1", "望仙桥—德寿宫"),
    ]
    assert [f.details["others"] for f in lint(replace(GOOD, relations=(there, back)), TEXT)] == ["1", "0"]
    assert found(replace(GOOD, relations=(there, replace(there, object="e1")))) == [
        ("relation_to_itself", "relation:1", "德寿宫")
    ]
    assert found(replace(GOOD, relations=(replace(there, evidence=None),))) == [
        ("relation_without_evidence", "relation:0", "德寿宫—望仙桥")
    ]


def test_texts() -> None:
    assert found(replace(GOOD, english=" ")) == [("translation_missing", "english", "")]
    only_prompt = AnnotationValue(search_prompt="西湖")
    assert found(only_prompt) == [("translation_missing", where, "") for where in ("modern_chinese", "english")]
    bare = AnnotationValue(GOOD.entities, search_prompt=" ")
    assert found(bare) == found(only_prompt)
    assert found(replace(GOOD, search_prompt="德寿宫" + "宫" * 47)) == []
    too_long = lint(replace(GOOD, search_prompt="德寿宫" + "宫" * 48), TEXT)
    assert [(finding.code, finding.details) for finding in too_long] == [
        ("prompt_too_long", {"tokens": "51", "limit": "50"})
    ]


def test_disputed() -> None:
    assert not disputed(GOOD)
    assert not disputed(with_entity(certainty="less_certain"))
    assert disputed(with_entity(certainty="uncertain"))
    assert disputed(replace(GOOD, relations=(replace(GOOD.relations[0], certainty="uncertain"),)))
    assert disputed(replace(GOOD, alternatives=(Alternative("english", "Deshou Hall"),)))


def test_every_code_has_its_sentence() -> None:
    file = Path(__file__).parents[3] / "workbench" / "i18n" / "catalogue" / "desk_core.toml"
    sentences = tomllib.loads(file.read_text(encoding="utf-8"))["findings"]
    assert set(sentences) == set(CODES)
    assert lint(with_entity(mentions=()), TEXT)[0].key == "findings.entity_not_found"
    for code, sentence in sentences.items():
        speaks_of_one = code not in ("not_rendered_search_prompt", "prompt_too_long", "translation_missing")
        assert all(("{name}" in words) == speaks_of_one for words in sentence.values()), code


def test_three_hundred_names_in_long_texts_are_looked_for_while_one_types() -> None:
    names = [
        a + b + "桥" for a in "望仙丰乐清河众安天水朝晖" for b in "东西南北中春夏秋冬金木水火土山川日月星辰云雨风雪雷"
    ]
    entities = tuple(Entity(f"e{n}", name, type="bridge", mentions=((0, 1),)) for n, name in enumerate(names[:300]))
    sentence = "The road runs from the west to the east, where the market is held. "
    value = AnnotationValue(entities, modern_chinese="又东入街，次曰" * 300, english=sentence * 150, search_prompt="桥")
    lint(value, TEXT)
    times = []
    for _ in range(3):
        start = perf_counter()
        assert len(lint(value, TEXT)) == 601
        times.append(perf_counter() - start)
    assert min(times) < 0.05
