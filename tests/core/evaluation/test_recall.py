import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.recall import (
    inverted,
    rank_of_first_positive,
    ranks_of_features,
    recall_at_k,
)

Case = tuple[list[list[int]], list[list[int]]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores with many ties, and right answers, some queries without any."""
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    scores = [[draw(st.integers(0, 4)) for _ in range(gallery)] for _ in range(queries)]
    right = [draw(st.lists(st.integers(0, gallery - 1), max_size=4)) for _ in range(queries)]
    return scores, right


def naive_rank(scores: list[int], right: list[int]) -> int:
    """Sort by score, wrong answers first among equals, and count until a right one comes."""
    if not right:
        return 0
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i in right))
    return next(place for place, index in enumerate(order, 1) if index in right)


@given(cases())
def test_ranks_and_recall_equal_a_naive_reference(case: Case) -> None:
    scores, right = case
    ranks = rank_of_first_positive(np.array(scores, dtype=np.float32), right)
    expected = [naive_rank(row, answers) for row, answers in zip(scores, right, strict=True)]
    assert ranks.ranks.tolist() == expected
    assert ranks.positives.tolist() == [len(set(answers)) for answers in right]
    counted = [rank for rank in expected if rank]
    for k, value in recall_at_k(ranks, (1, 2, 5)).items():
        assert value == (sum(rank <= k for rank in counted) / len(counted) if counted else 0.0)


def test_figures_equal_those_of_chinese_clips_own_script(tmp_path: Path) -> None:
    from cn_clip.eval.evaluation import compute_score

    rng = np.random.default_rng(11)
    similarity = rng.normal(size=(80, 40)).astype(np.float32)
    right = [sorted({int(i) for i in rng.integers(0, 40, rng.integers(1, 4))}) for _ in range(80)]
    for query, answers in enumerate(right):
        similarity[query, answers] += 1.2
    golden, predicted = tmp_path / "golden.jsonl", tmp_path / "predicted.jsonl"
    with golden.open("w", encoding="utf-8") as gold, predicted.open("w", encoding="utf-8") as guess:
        for query, answers in enumerate(right):
            print(json.dumps({"text_id": query, "text": "x", "image_ids": answers}), file=gold)
            top = np.argsort(-similarity[query])[:10].tolist()
            print(json.dumps({"text_id": query, "image_ids": top}), file=guess)
    mean, r1, r5, r10 = compute_score(str(golden), str(predicted))
    ours = recall_at_k(rank_of_first_positive(similarity, right))
    assert [100 * ours[k] for k in (1, 5, 10)] == pytest.approx([r1, r5, r10])
    assert 100 * sum(ours.values()) / 3 == pytest.approx(mean)
    assert 10 < r1 < r5 < r10 < 100


def test_a_model_that_says_the_same_of_everything_gets_nothing() -> None:
    ranks = rank_of_first_positive(np.ones((5, 20), dtype=np.float32), [[i] for i in range(5)])
    assert recall_at_k(ranks) == {1: 0.0, 5: 0.0, 10: 0.0}


def test_blocks_do_not_change_the_ranks_and_lengths_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    texts, images = rng.normal(size=(23, 6)), rng.normal(size=(17, 6))
    right = [[i % 17] for i in range(23)]
    whole = ranks_of_features(texts, images, right)
    parts = ranks_of_features(texts * 7, images * rng.uniform(0.1, 9, (17, 1)), right, block=5)
    assert whole.ranks.tolist() == parts.ranks.tolist()
    assert (whole.gallery, parts.gallery) == (17, 17)
    naive = texts @ (images / np.linalg.norm(images, axis=1, keepdims=True)).T
    assert whole.ranks.tolist() == [naive_rank(row, r) for row, r in zip(naive.tolist(), right, strict=True)]


def test_no_queries_give_no_figures() -> None:
    ranks = ranks_of_features(np.zeros((0, 4)), np.ones((3, 4)), [])
    assert recall_at_k(ranks) == {1: 0.0, 5: 0.0, 10: 0.0}


def test_both_ways_hold_the_same_pairs() -> None:
    assert inverted([[2, 0, 2], [], [0]], 3) == [[0, 2], [], [0]]


@pytest.mark.parametrize(
    ("similarity", "right"),
    [([[1.0, float("nan")]], [[0]]), ([[1.0, 2.0]], [[2]]), ([[1.0, 2.0]], [[-1]]), ([[1.0]], [])],
)
def test_what_cannot_be_ranked_is_refused(similarity: list[list[float]], right: list[list[int]]) -> None:
    with pytest.raises(ValueError):
        rank_of_first_positive(np.array(similarity), right)
