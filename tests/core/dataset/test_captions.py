import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.captions import LIMIT, CaptionCount, captions_of, rough_tokens, window
from core.texts.annotation import AnnotationValue, Entity

TEXT = "德寿宫在望仙桥东，元系秦太师赐第。"
LONG = (
    "大内正门曰丽正，其门有三，皆金钉朱户，画栋雕甍，覆以铜瓦，镌镂龙凤飞骧之状，巍峨壮丽，光耀溢目。"
    "左右列阙，待百官侍班阁子，登闻鼓院、检院相对，悉皆红杈子，排列森然，门禁严甚，守把钤束，人无敢辄入仰视。"
)


def place(name: str, text: str, number: int = 1) -> Entity:
    start = text.index(name)
    return Entity(id=f"e{number}", name=name, mentions=((start, start + len(name)),))


def test_each_kind_gives_one_caption_as_a_person_reads_it() -> None:
    value = AnnotationValue(
        modern_chinese=" 德寿宫位于“望仙桥”东面，\n原本是秦桧的赐第。 ",
        search_prompt="南宋临安古画中的德寿宫",
        english="Deshou Palace is east of Wangxian Bridge.",
    )
    captions = captions_of(7, TEXT, value, ("original", "modern", "prompt", "english"))
    assert [(c.kind, c.text) for c in captions] == [
        ("original", TEXT),
        ("modern", "德寿宫位于“望仙桥”东面， 原本是秦桧的赐第。"),
        ("prompt", "南宋临安古画中的德寿宫"),
        ("english", "Deshou Palace is east of Wangxian Bridge."),
    ]
    assert {(c.passage_id, c.shortened) for c in captions} == {(7, False)}
    assert [c.kind for c in captions_of(7, TEXT, value)] == ["original", "modern", "prompt"]


def test_what_is_left_out_or_cut_is_counted() -> None:
    count = CaptionCount()
    captions_of(1, TEXT, AnnotationValue(search_prompt="  \n"), count=count)
    captions_of(2, LONG, AnnotationValue(modern_chinese=LONG, search_prompt="南宋宫殿"), count=count)
    assert count.to_json() == {
        "made": {"original": 2, "prompt": 1},
        "shortened": {"original": 1, "prompt": 0},
        "empty": {"modern": 1, "prompt": 1},
        "same": {"modern": 1},
    }


def test_a_long_passage_is_cut_at_clauses_to_the_window_with_most_mentions() -> None:
    value = AnnotationValue(entities=(place("登闻鼓院", LONG), place("检院", LONG, 2), place("丽正", LONG, 3)))
    (caption,) = captions_of(1, LONG, value)
    assert caption.shortened
    assert "登闻鼓院、检院" in caption.text
    assert rough_tokens(caption.text) <= LIMIT
    start = LONG.index(caption.text)
    assert start == 0 or LONG[start - 1] in "，。、"
    assert LONG[start + len(caption.text)] in "，。、"


def test_without_mentions_or_on_ties_the_first_window_is_taken() -> None:
    (caption,) = captions_of(1, LONG, AnnotationValue())
    assert LONG.startswith(caption.text)
    assert caption.text.endswith("光耀溢目。")
    both = AnnotationValue(entities=(place("丽正", LONG), place("登闻鼓院", LONG, 2)))
    assert captions_of(1, LONG, both)[0].text.startswith("大内正门曰丽正")


def test_modern_chinese_is_cut_by_the_names_it_mentions() -> None:
    modern = "这是第一句与地名毫无关系的很长的开场白。" * 3 + "德寿宫位于望仙桥东面。"
    value = AnnotationValue(entities=(Entity(id="e1", name="望仙橋"),), modern_chinese=modern)
    caption = captions_of(1, TEXT, value, ("modern",))[0]
    assert "望仙桥" in caption.text
    assert caption.shortened


def test_a_clause_without_marks_is_cut_from_a_mention() -> None:
    text = "甲" * 80 + "德寿宫" + "乙" * 60
    start, end = window(text, [(80, 83)])
    assert (start, end) == (80, 130)
    assert window(text, []) == (0, 50)


def test_english_is_cut_between_words() -> None:
    text = "The palace of Deshou stood east of the bridge " * 4
    start, end = window(text, [])
    assert (start, text[end]) == (0, " ")
    assert 25 < rough_tokens(text[start:end]) <= LIMIT


@given(st.text(alphabet='宫桥，。；、\n 」"ab.1〔𠮷', max_size=160), st.data())
def test_a_window_always_fits_and_keeps_inside_the_text(text: str, data: st.DataObject) -> None:
    place = st.integers(0, max(len(text) - 1, 0))
    spans = [(s, min(s + 2, len(text))) for s in data.draw(st.lists(place, max_size=4))]
    start, end = window(text, spans)
    assert 0 <= start <= end <= len(text)
    assert rough_tokens(text[start:end]) <= LIMIT
    if rough_tokens(text) <= LIMIT:
        assert (start, end) == (0, len(text))
    elif any(char in "宫桥𠮷ab1" for char in text):
        assert text[start:end].strip()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        LONG,
        "Deshou Palace is east of Wangxian Bridge, originally the granted residence of Prime Minister Qin.",
        "In 1138, Lin'an (modern Hangzhou) became the capital; cf. Mengliang lu 8.",
        "〔闕〕𠮷日，錢塘門外　徳夀宮。",
        "KR2k0712 of KR, mandoku-view: 2015-08-24 22:46:13.745937",
    ],
)
def test_the_rough_measure_is_never_below_the_real_tokenizer(text: str) -> None:
    from cn_clip.clip import _tokenizer

    assert rough_tokens(text) >= len(_tokenizer.tokenize(text.lower()))
