from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.gazetteer import known_names
from core.annotation.provider import Provider
from core.annotation.rules import OfflineRules, annotate
from core.texts.annotation import AnnotationValue
from core.texts.offsets import check_spans
from core.texts.passage import Passage
from core.texts.reading import read_passages
from core.texts.variants import fold
from core.texts.vocabulary import place_type, relation_type

DESHOU = "德寿宫在望仙桥东，元系秦太师赐第。"


def types(value: AnnotationValue) -> dict[str, str]:
    return {entity.name: entity.type if entity.kind == "place" else entity.kind for entity in value.entities}


def relations(value: AnnotationValue) -> list[tuple[str, str, str]]:
    names = {entity.id: entity.name for entity in value.entities}
    return [(names[r.subject], r.code, names[r.object]) for r in value.relations]


def test_the_line_everybody_knows() -> None:
    value = annotate(DESHOU)
    assert types(value) == {"德寿宫": "palace", "望仙桥": "bridge", "秦太师赐第": "residence"}
    assert relations(value) == [("德寿宫", "east_of", "望仙桥"), ("德寿宫", "former_site_of", "秦太师赐第")]
    evidence = value.relations[0].evidence
    assert evidence is not None
    assert DESHOU[slice(*evidence)] == "德寿宫在望仙桥东"
    assert value.spatial_relation.startswith("德寿宫位于望仙桥东侧")
    assert value.search_prompt == "南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧"


def test_the_same_line_in_the_siku_keeps_its_characters_and_offsets() -> None:
    text = "𠮷德夀宫在望僊橋東，元係秦太師賜第。"
    value = annotate(text)
    assert list(types(value)) == ["德夀宫", "望僊橋", "秦太師賜第"]
    assert [text[slice(*entity.mentions[0])] for entity in value.entities] == list(types(value))
    assert value.search_prompt == "南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧"


def test_the_provider_says_what_it_left_empty() -> None:
    provider: Provider = OfflineRules()
    reply = provider.suggest(Passage(1, "梦粱录", "", DESHOU, "梦粱录"))
    assert (reply.provider, reply.model, reply.error) == ("offline", "rules-1", None)
    assert reply.value == annotate(DESHOU)
    assert reply.missing == ("modern_chinese", "english")
    assert reply.value is not None
    assert reply.value.modern_chinese == reply.value.english == ""


def test_chains_hang_on_the_item_before() -> None:
    value = annotate(
        "贤福坊东曰平津桥，俗名猫儿桥，桥北曰舍人桥，次曰永清桥。通和坊东曰金波桥，北曰普济桥，次曰巧儿桥。"
    )
    assert relations(value) == [
        ("平津桥", "east_of", "贤福坊"),
        ("平津桥", "alias_of", "猫儿桥"),
        ("舍人桥", "north_of", "平津桥"),
        ("永清桥", "next_in_sequence", "舍人桥"),
        ("金波桥", "east_of", "通和坊"),
        ("普济桥", "north_of", "金波桥"),
        ("巧儿桥", "next_in_sequence", "普济桥"),
    ]


def test_a_long_chain_goes_on_and_a_far_one_does_not() -> None:
    items = "".join(f"次曰甲{n}家桥，不通舟楫，" for n in "子丑寅卯辰巳午申")
    assert len(relations(annotate(f"贤福坊东曰平津桥，{items}"))) == 9
    assert relations(annotate(f"曰平津桥，{'舟楫往来，' * 30}次曰永清桥。")) == []
    assert relations(annotate("曰平津桥，次曰某某处，次曰永清桥。")) == []  # the item before is unknown
    assert ("永清桥", "next_in_sequence", "平津桥") in relations(annotate("曰平津桥又曰猫儿桥，次曰永清桥。"))


def test_unpunctuated_text_and_names_known_only_by_their_ending() -> None:
    value = annotate("登平坊内曰登平橋次曰甲乙橋即丙丁驛橋北曰黑橋兒玉牒所對巷曰州橋")
    assert types(value)["甲乙橋"] == types(value)["丙丁驛橋"] == "bridge"
    assert relations(value) == [
        ("登平橋", "inside", "登平坊"),
        ("甲乙橋", "next_in_sequence", "登平橋"),
        ("甲乙橋", "alias_of", "丙丁驛橋"),
        ("黑橋兒", "north_of", "丙丁驛橋"),
        ("州橋", "opposite", "玉牒所"),
    ]
    certainty = {entity.name: entity.certainty for entity in value.entities}
    assert (certainty["登平橋"], certainty["甲乙橋"]) == ("certain", "less_certain")


def test_notes_over_two_columns_and_broken_lines() -> None:
    text = "　　通濟橋(豐儲倉後葛家橋/東俗呼梅家橋)\n　　荐橋(冨樂/坊東)\n　　某甲橋(一名\n"
    value = annotate(text)
    assert relations(value) == [
        ("通濟橋", "behind", "豐儲倉"),
        ("通濟橋", "east_of", "葛家橋"),
        ("通濟橋", "alias_of", "梅家橋"),
        ("荐橋", "east_of", "冨樂坊"),
    ]
    (ward,) = (entity for entity in value.entities if entity.name == "冨樂坊")
    assert text[slice(*ward.mentions[0])] == "冨樂/坊"


def test_a_name_over_a_line_end_of_the_page() -> None:
    text = "西湖\n　在郡西舊名錢塘湖源出於武林泉周廻三十里自淨慈\n　寺至昭慶寺其間多園囿亭榭而遊人往來不絶者衆矣也"
    value = annotate(text)
    assert types(value)["淨慈寺"] == "monastery"
    assert ("西湖", "alias_of", "錢塘湖") not in relations(value)  # 在郡西 stands between


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("太常寺、大理寺、进奏院", {"太常寺": "office", "大理寺": "office", "进奏院": "office"}),
        ("贡院、贡院桥", {"贡院": "school", "贡院桥": "bridge"}),
        ("次曰李博士桥巷。", {"李博士桥巷": "street"}),
        ("灵隐、天竺、净慈、雷峰", {"灵隐": "monastery", "天竺": "monastery", "净慈": "monastery", "雷峰": "mountain"}),
        ("浙江亭在浙江", {"浙江亭": "pavilion", "浙江": "river"}),
        ("第三桥曰望山，第六桥曰跨虹", {"望山": "bridge", "跨虹": "bridge"}),
        ("门：丽正（南门）和宁（北门）", {"丽正": "gate", "和宁": "gate"}),
        ("江西湖南、终南山中", {}),
        ("谓之定山奉望山", {"定山": "mountain"}),
        ("俗名柴垛富乐坊东", {"富乐坊": "ward"}),
        ("绍兴三十二年六月戊辰，高宗", {"绍兴三十二年六月戊辰": "date", "高宗": "person"}),
        ("陈源家所藏《德寿宫起居注》", {"德寿宫起居注": "work"}),
    ],
)
def test_the_traps_of_the_vocabulary(text: str, expected: dict[str, str]) -> None:
    assert types(annotate(text)) == expected


def test_ordinary_words_are_no_places() -> None:
    text = (
        "西湖舟船，大小不等，中可容百余客。僻巷亦然，挂灯或用玉栅。诸处茶肆，大小铺席，前街后巷。"
        "其宫四面游玩庭馆，皆有名扁。东有梅堂，扁曰“香远”。修竹处有榭，如游玩之处。"
    )
    assert types(annotate(text)) == {"西湖": "lake"}
    assert types(annotate("次曰小桥，又名石桥，即大殿。")) == {}
    assert relations(annotate("小麦岭（饮马桥前后巷至龙井止）")) == []


def test_run_on_lists_and_their_former_names() -> None:
    value = annotate("宝成院（旧名 释迦 ）甲福院乙隆院慧某尼庵（张循王府）大瓦（三桥街。亦名 上瓦 。）")
    found = types(value)
    assert found["甲福院"] == found["乙隆院"] == found["慧某尼庵"] == found["释迦"] == "monastery"
    assert types(annotate("甲乙亭子（一）樟木庙桥（二）青灵岩理公岩（三）")) == {
        "甲乙亭子": "pavilion",
        "樟木庙桥": "bridge",
        "理公岩": "mountain",
    }
    assert ("宝成院", "alias_of", "释迦") in relations(value)
    assert ("大瓦", "alias_of", "上瓦") in relations(value)


def test_bounds_distance_and_opposites() -> None:
    text = "左三廂\n　東至薦橋\n　西至涌金門\n右一廂\n　北至和寧門"
    value = annotate(text)
    assert relations(value) == [
        ("左三廂", "bounded_by", "薦橋"),
        ("左三廂", "bounded_by", "涌金門"),
        ("右一廂", "bounded_by", "和寧門"),
    ]
    assert [relation.note for relation in value.relations] == ["东", "西", "北"]
    (far,) = annotate("灵隐寺在断桥西十二里。").relations
    assert (far.code, far.distance, far.unit) == ("west_of", "十二", "里")
    assert relations(annotate("清和坊与南瓦子相对。")) == [("清和坊", "opposite", "南瓦子")]
    assert relations(annotate("惠迁桥（界于西酒库惠迁井之间）")) == [
        ("惠迁桥", "between", "西酒库"),
        ("惠迁桥", "between", "惠迁井"),
    ]


def test_one_entity_for_one_wording() -> None:
    value = annotate("西湖之西，西湖旧名钱塘湖。")
    assert [(entity.name, len(entity.mentions)) for entity in value.entities] == [("西湖", 2), ("钱塘湖", 1)]


def test_nothing_found_is_an_empty_value() -> None:
    assert annotate("学而时习之，不亦说乎？") == AnnotationValue()
    assert annotate("") == AnnotationValue()


def test_the_gazetteer_is_sound() -> None:
    names = known_names()
    assert len({known.name for known in names}) == len(names) > 1000
    for known in names:
        assert fold(known.name) == known.name
        assert len(known.name) > 1
        assert known.type == "person" or place_type(known.type)


PIECES = (
    "德寿宫 望仙橋 荐桥 贤福坊 断桥 𠀋 𠮷寺 （ ） ( / ) ， 。 、 在 东 北曰 次曰 又名 元系 即 与 相对 跨 之间 内 三里 "
    "《 》 “ ¶ <pb:1> #+A 桥 院 甲乙 曰 门外 东至 厢 界 第三桥 绍兴间 高宗"
)
pieces = st.sampled_from([*PIECES.split(" "), "\n", "\u3000", "\0"])


@settings(max_examples=300)
@given(st.lists(pieces, max_size=40).map("".join))
def test_any_text_gives_spans_that_hold_the_names(text: str) -> None:
    value = annotate(text)
    check_spans(value, text)
    for relation in value.relations:
        relation_type(relation.code)
        assert relation.evidence is not None
        words = fold(text[slice(*relation.evidence)])
        assert any(
            fold(text[slice(*span)]) in words
            for entity in value.entities
            if entity.id in (relation.subject, relation.object)
            for span in entity.mentions
        )
    taken = sorted(span for entity in value.entities for span in entity.mentions)
    assert all(one[1] <= other[0] for one, other in pairwise(taken))


def test_the_sources_given_with_the_project() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "raw_texts.json"
    if not path.exists():
        pytest.skip("the source texts are not part of the project")
    for passage in read_passages(path.name, path.read_bytes()).passages:
        check_spans(annotate(passage.text), passage.text)
