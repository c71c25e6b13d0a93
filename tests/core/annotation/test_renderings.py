import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.renderings import rendered, rendered_all
from core.texts.annotation import TEXT_FIELDS, AnnotationValue, Entity, EntityClass


def english(name: str, text: str, kind: EntityClass = "place", type_: str = "other", given: str = "") -> list[str]:
    entity = Entity("e1", name, kind=kind, type=type_, english=given)
    return [text[slice(*span)] for span in rendered(entity, "english", text)]


def test_in_chinese_the_name_or_what_it_is_called_today() -> None:
    entity = Entity("e1", "秦太師", kind="person", modern="秦桧")
    text = "𠮷：原是秦桧的赐第，秦太师所居。"
    assert [text[slice(*span)] for span in rendered(entity, "modern_chinese", text)] == ["秦桧", "秦太师"]
    assert rendered(Entity("e1", "德寿宫"), "modern_chinese", "𠮷德夀宮") == ((1, 4),)
    assert rendered(Entity("e1", "德夀宮"), "search_prompt", "南宋临安古画中的德寿宫") == ((8, 11),)
    assert rendered(Entity("e1", "𠀋湖"), "spatial_relation", "𠀋湖西湖") == ((0, 2),)
    assert rendered(Entity("e1", "孤山"), "spatial_relation", "德寿宫位于望仙桥东侧") == ()


def test_the_line_everybody_knows() -> None:
    text = "Deshou Palace is east of Wangxian Bridge, originally the granted residence of Prime Minister Qin."
    assert english("德寿宫", text) == ["Deshou Palace"]
    assert english("望仙桥", text) == ["Wangxian Bridge"]
    assert english("秦太师", text, "person") == []
    assert english("秦太师", text, "person", given="prime minister  Qin") == ["Prime Minister Qin"]


@pytest.mark.parametrize(
    "written", ["Xihu", "Xi Hu", "Xi-hu", "xi'hu", "Xi’hu", "Xīhú", "XI HU", "Xi\nHu", "Xihu Lake"]
)
def test_syllables_joined_or_apart_with_or_without_tones(written: str) -> None:
    assert english("西湖", f"At {written}, in spring.") == [written]


def test_a_name_is_not_found_inside_a_longer_word_nor_by_one_syllable_alone() -> None:
    assert english("西湖", "Xi is not Xian; Xihuang, Yangxihu, Xi, Huzhou") == []
    assert english("山山", "shan shan shan", "person") == ["shan shan"]
    assert english("德寿宫", "Deshoude Palace, Adeshou") == []


def test_a_stem_of_one_syllable_needs_the_english_word_for_its_type() -> None:
    assert english("吴山", "Up Wu Hill and Mount Wu, where Wu reigned") == ["Wu Hill", "Mount Wu"]
    assert english("安门", "by an gate of An Gate") == ["An Gate"]


def test_a_lone_syllable_is_a_name_when_written_as_one() -> None:
    assert english("何", "there he met He", "person") == ["He"]


def test_every_reading_of_a_character_counts_and_every_spelling_of_its_vowel() -> None:
    assert english("长桥", "Changqiao, Zhang Bridge") == ["Changqiao", "Zhang Bridge"]
    assert english("乾道", "Qiandao") == ["Qiandao"]  # although it folds to 干
    assert english("吕家", "Lü Jia, Lvjia, Lujia", "person") == ["Lü Jia", "Lvjia", "Lujia"]
    assert english("绿波亭", "Lübo Pavilion, Lvbo, Lubo, Lǜbō Tíng") == ["Lübo Pavilion", "Lvbo", "Lubo", "Lǜbō Tíng"]


def test_marks_that_stand_alone_shift_nothing() -> None:
    text = "𠮷 Xi\u0304hu\u0301! Deshou\u0301"
    assert rendered(Entity("e1", "西湖"), "english", text) == ((2, 8),)
    assert rendered(Entity("e2", "德寿宫"), "english", text) == ((10, 17),)


def test_endings_of_the_lists_and_of_the_entitys_own_type() -> None:
    assert english("钱塘县", "in Qiantang County", type_="admin") == ["Qiantang County"]
    assert english("仙林寺桥", "Xianlin Temple Bridge is not Xianlin Temple") == ["Xianlin Temple Bridge"]
    assert english("淳祐七年", "in the seventh year of Chunyou", "date") == ["Chunyou"]
    assert english("李门", "Li Gate", "person") == []  # a person's name has no ending


def test_a_given_rendering_stands_for_the_reading() -> None:
    assert english("西湖", "Xihu, WEST LAKE, West\nLake’s, Westlake, West Lakes", given="West Lake") == [
        "WEST LAKE",
        "West\nLake",
    ]
    assert english("清波门", "Qīngbō, Gate of “Clear” Waves", given="“Clear” Waves") == ["Clear” Waves"]


def test_what_cannot_be_read_is_not_found() -> None:
    assert english("𠀋湖", "Zhang Lake, 𠀋湖") == []
    assert english("", "West Lake") == english("西湖", "") == english("西湖", "x", given="……") == []
    assert english("西湖", "Xihu", type_="no such type") == ["Xihu"]


def test_all_names_of_a_text_longest_first_and_in_order() -> None:
    value = AnnotationValue(
        (Entity("e1", "西湖"), Entity("e2", "西湖书院"), Entity("e3", "孤山"), Entity("e4", "孤山"))
    )
    text = "孤山在西湖，西湖书院在其南"
    assert rendered_all(value, "modern_chinese", text) == (("e3", (0, 2)), ("e1", (3, 5)), ("e2", (6, 10)))
    lanes = AnnotationValue((Entity("e1", "望仙巷"), Entity("e2", "望仙桥")))
    assert rendered_all(lanes, "english", "Wangxian Bridge") == (("e2", (0, 15)),)


names = st.text("西湖德寿宫望仙桥𠀋𠮷绿a '", max_size=5)
texts = st.text("西湖德寿宫𠮷Xx iHhu\u0304ǚ'-.Deshou", max_size=30)


@given(st.lists(st.tuples(names, names), max_size=4), texts, st.sampled_from(TEXT_FIELDS))
def test_spans_lie_in_the_text_and_never_overlap(given_names: list[tuple[str, str]], text: str, field: str) -> None:
    entities = (Entity(f"e{n}", name, english=other) for n, (name, other) in enumerate(given_names))
    value = AnnotationValue(tuple(entities))
    found = rendered_all(value, field, text)  # type: ignore[arg-type]
    end = 0
    for _, span in found:
        assert end <= span[0] < span[1] <= len(text)
        end = span[1]
