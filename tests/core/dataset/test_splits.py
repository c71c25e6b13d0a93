import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.splits import MINIMUM, split_components, text_key
from core.errors import InputError

Pairs = list[tuple[int, int]]

# Numbers far apart, so that nothing is in order by the accident of how a set keeps small ones.
passage_ids = st.integers(1, 40).map(lambda n: n * 2**40 % 9973)
image_ids = st.integers(1, 60).map(lambda n: n * 2**40 % 9973)
graphs = st.lists(st.tuples(passage_ids, image_ids), min_size=1, max_size=70)


def single(count: int) -> Pairs:
    return [(i, 1000 + i) for i in range(1, count + 1)]


@settings(deadline=None)
@given(
    graphs,
    st.dictionaries(passage_ids, st.sampled_from(["宫", "橋 ", "桥。"]).map(lambda t: [t])),
    st.dictionaries(image_ids, st.sampled_from(["A", "B"]).map(lambda g: [g])),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_nothing_that_belongs_together_is_parted(
    pairs: Pairs, texts: dict[int, list[str]], groups: dict[int, list[str]], seed: int, shuffler: random.Random
) -> None:
    result = split_components(pairs, texts=texts, image_groups=groups, valid=0.2, test=0.2, seed=seed)
    assert set(result.passages) == {p for p, _ in pairs}
    assert set(result.images) == {i for _, i in pairs}
    assert all(result.passages[p] == result.images[i] for p, i in pairs)
    for key in ("宫", "桥"):
        alike = {result.passages[p] for p, t in texts.items() if p in result.passages and text_key(t[0]) == key}
        assert len(alike) <= 1
    for group in ("A", "B"):
        alike = {result.images[i] for i, g in groups.items() if i in result.images and g == [group]}
        assert len(alike) <= 1
    shuffled = pairs * 2
    shuffler.shuffle(shuffled)
    again = split_components(
        shuffled,
        texts=dict(reversed(texts.items())),
        image_groups=dict(reversed(groups.items())),
        valid=0.2,
        test=0.2,
        seed=seed,
    )
    assert (again.passages, again.images) == (result.passages, result.images)
    if not result.warning:
        for side in (result.passages, result.images):
            numbers = Counter(side.values())
            assert min(numbers[name] for name in ("train", "valid", "test")) >= MINIMUM
    else:
        assert set(result.passages.values()) == {"train"}


def test_a_chain_of_pairs_is_one_component() -> None:
    chain = [(1, 101), (2, 101), (2, 102), (3, 102), (3, 103)]
    result = split_components([*chain, *[(p + 10, i) for p, i in single(30)]], valid=0.2, test=0.2)
    assert result.components == 31
    assert len({result.passages[p] for p in (1, 2, 3)}) == 1


def test_passages_with_the_same_words_and_pictures_of_one_work_are_one_component() -> None:
    texts = {1: ["德壽宮在望仙橋東，"], 2: ["别的", "德寿宫在望仙桥东"], 3: ["别处"]}
    groups = {1003: ["西湖图", "near-1"], 1004: ["near-1"], 1005: ["西湖图"], 1006: [""]}
    for seed in range(8):
        result = split_components(single(30), texts=texts, image_groups=groups, seed=seed)
        assert result.components == 30 - 1 - 2
        assert result.passages[1] == result.passages[2]
        assert len({result.images[i] for i in (1003, 1004, 1005)}) == 1


def test_fractions_are_kept_where_components_are_small() -> None:
    result = split_components(single(200), valid=0.1, test=0.15)
    assert Counter(result.passages.values()) == {"train": 150, "valid": 20, "test": 30}
    assert not result.warning
    # Components of one to three passages: off by no more than half of the largest.
    mixed = [(i, 1000 + i // (1 + i % 3)) for i in range(300)]
    mixed_result = split_components(mixed, valid=0.1, test=0.1)
    share = Counter(mixed_result.passages.values())["test"] / 300
    assert share == pytest.approx(0.1, abs=0.03)


def test_seeds_differ_and_repeat() -> None:
    one, again, other = (split_components(single(60), seed=s).passages for s in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_component_keeps_its_place_in_the_draw_when_others_come() -> None:
    before = split_components(single(200), seed=3).passages
    after = split_components(single(210), seed=3).passages
    assert sum(before[p] == after[p] for p in before) >= 190


@pytest.mark.parametrize(
    ("pairs", "warning"),
    [
        ([(1, 1)], "split_one_component"),
        ([(p, i) for p in range(5) for i in range(9)], "split_one_component"),
        (single(2), "split_too_small"),
        (single(5), "split_too_small"),
        ([*[(p, 1) for p in range(100, 150)], *single(2)], "split_giant_component"),
    ],
)
def test_what_cannot_be_split_goes_to_train_and_says_so(pairs: Pairs, warning: str) -> None:
    result = split_components(pairs)
    assert result.warning == warning
    assert {*result.passages.values(), *result.images.values()} == {"train"}


def test_without_fractions_all_is_train_and_nothing_is_warned() -> None:
    result = split_components(single(30), valid=0, test=0)
    assert set(result.passages.values()) == {"train"}
    assert not result.warning
    half = split_components(single(30), valid=0.3, test=0)
    assert Counter(half.passages.values()) == {"train": 21, "valid": 9}


def test_a_large_component_beside_many_small_ones_leaves_enough() -> None:
    giant = [(p, 1) for p in range(1000, 1100)]
    result = split_components([*giant, *single(100)], valid=0.1, test=0.1)
    assert not result.warning
    assert result.largest == pytest.approx((0.5 + 1 / 101) / 2)
    assert result.passages[1000] == "train"


@pytest.mark.parametrize(("valid", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.2, 0.9)])
def test_impossible_fractions_are_refused(valid: float, test: float) -> None:
    with pytest.raises(InputError, match="split_fractions"):
        split_components(single(9), valid=valid, test=test)


def test_texts_that_a_reader_would_call_the_same_share_a_key() -> None:
    assert text_key("德壽宮在望仙橋東，") == text_key(" 德寿宫，在望仙桥\n东。")
    assert text_key("德寿宫") != text_key("重华宫")
    assert text_key("。，") == ""
