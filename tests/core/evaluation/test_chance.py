from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.chance import chance_of_hit, chance_recall


@given(st.integers(1, 8), st.integers(0, 8), st.integers(1, 10))
def test_chance_equals_counting_every_draw(gallery: int, positives: int, k: int) -> None:
    positives = min(positives, gallery)
    draws = list(combinations(range(gallery), min(k, gallery)))
    expected = sum(any(index < positives for index in draw) for draw in draws) / len(draws)
    assert chance_of_hit(gallery, positives, k) == pytest.approx(expected)


def test_known_values() -> None:
    assert chance_of_hit(100, 1, 10) == pytest.approx(0.1)
    assert chance_of_hit(6, 1, 10) == 1.0
    assert 0 < chance_of_hit(100_000, 5, 10) < 0.001


def test_queries_without_ground_truth_are_not_counted() -> None:
    chance = chance_recall(10, np.array([1, 0, 2, 0]), (1, 5))
    assert chance == {1: pytest.approx(0.15), 5: pytest.approx((0.5 + (1 - 10 / 45)) / 2)}
    assert chance_recall(10, np.array([0]), (1,)) == {1: 0.0}
