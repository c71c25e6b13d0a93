import random
from collections import Counter
from itertools import pairwise
from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.examples import MAX_EXAMPLE, Example, Pool, bigrams, nearest
from core.texts.annotation import AnnotationValue
from core.texts.variants import search_key


def examples(*texts: str) -> list[Example]:
    return [Example(text, AnnotationValue(note=text)) for text in texts]


def texts(found: list[Example]) -> list[str]:
    return [example.text for example in found]


def test_the_most_alike_come_first_whatever_the_script() -> None:
    pool = examples("西湖在城西", "御街自和宁门", "德壽宮在望僊橋西", "望仙桥，跨运河")
    assert texts(nearest("德夀宫在望仙橋東", pool, 3)) == ["德壽宮在望僊橋西", "望仙桥，跨运河"]
    assert texts(nearest("德夀宫在望仙橋東", pool, 1)) == ["德壽宮在望僊橋西"]
    assert nearest("德夀宫在望仙橋東", pool, 0) == []


def test_a_passage_is_never_its_own_example() -> None:
    pool = examples("德寿宫在望仙桥东", "德壽 宮在望仙橋東", "又，德寿宫在望仙桥东。", "德寿宫在南")
    assert texts(nearest("德寿宫在\n望仙桥东", pool, 5)) == ["德寿宫在南"]


def test_ties_and_doubles_do_not_depend_on_the_order_given() -> None:
    pool = examples("断桥甲", "断桥乙", "断桥丙", "断桥甲", "断 桥甲", "断桥" * MAX_EXAMPLE)
    for seed in range(8):
        random.Random(seed).shuffle(pool)
        found = [search_key(text) for text in texts(nearest("断桥之东", pool, 9))]
        assert found == sorted(["断桥甲", "断桥乙", "断桥丙"])


def test_a_single_character_and_nothing() -> None:
    assert bigrams("湖") == {"湖"}
    assert bigrams(" ") == frozenset()
    assert nearest("", examples("湖"), 3) == []


@settings(max_examples=60, deadline=None)
@given(st.text("甲乙丙丁", max_size=8), st.lists(st.text("甲乙丙丁", max_size=8), max_size=8), st.integers(0, 5))
def test_equal_to_a_naive_reference(text: str, others: list[str], k: int) -> None:
    def pairs(words: str) -> Counter[str]:
        return Counter(set(pairwise(words)) or set(words[:1]))

    def cosine(other: str) -> float:
        shared = len(set(pairs(text)) & set(pairs(other)))
        return shared / sqrt(len(pairs(text)) * len(pairs(other))) if shared else 0

    naive = [other for other in set(others) if cosine(other) > 0 and text not in other]
    naive.sort(key=lambda other: (-cosine(other), other))
    assert texts(Pool(examples(*others)).nearest(text, k)) == naive[:k]
