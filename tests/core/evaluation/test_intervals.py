import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.intervals import mean_interval, share_interval, wilson


def test_wilson_gives_the_published_example() -> None:
    # 0 of 10 and 1 of 29: R. G. Newcombe (1998), "Two-sided confidence intervals for the single proportion".
    assert wilson(20, 100) == pytest.approx((0.1334, 0.2888), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_the_score_equation(case: tuple[int, int]) -> None:
    hits, trials = case
    share = hits / trials
    low, high = wilson(hits, trials)
    assert 0 <= low <= share <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            z = (share - bound) / (bound * (1 - bound) / trials) ** 0.5
            assert abs(z) == pytest.approx(1.959964, abs=1e-4)


def test_dependent_queries_widen_the_interval_and_independent_ones_do_not() -> None:
    rng = np.random.default_rng(4)
    passages = rng.random(100) < 0.4
    alike = np.repeat(passages, 3)
    groups = np.repeat(np.arange(100), 3).tolist()
    # Three captions that always agree are worth one.
    assert share_interval(alike, groups) == pytest.approx(wilson(passages.sum(), 100), abs=0.002)
    free = rng.random(300) < 0.4
    low, high = share_interval(free, groups)
    plain = wilson(int(free.sum()), 300)
    assert (high - low) < 1.3 * (plain[1] - plain[0])
    assert (high - low) >= plain[1] - plain[0] - 1e-12
    assert share_interval(free, list(range(300))) == pytest.approx(plain, abs=1e-3)


def test_all_hits_count_as_many_as_there_are_groups() -> None:
    assert share_interval(np.ones(9, dtype=bool), [0, 0, 0, 1, 1, 1, 2, 2, 2]) == wilson(3, 3)
    assert share_interval(np.zeros(4, dtype=bool)) == wilson(0, 4)
    assert share_interval(np.zeros(0, dtype=bool)) == (0.0, 1.0)


def test_the_bootstrap_agrees_with_the_normal_interval_where_that_holds() -> None:
    values = np.random.default_rng(1).random(400)
    half = 1.96 * values.std() / 20
    low, high = mean_interval(values)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.004)
    assert mean_interval(values) == (low, high)


def test_the_bootstrap_draws_whole_groups() -> None:
    values = np.repeat(np.random.default_rng(1).random(60), 4)
    single = np.subtract(*mean_interval(values)[::-1])
    grouped = np.subtract(*mean_interval(values, np.repeat(np.arange(60), 4).tolist())[::-1])
    assert grouped == pytest.approx(2 * single, rel=0.15)


def test_equal_values_do_not_pass_for_certainty() -> None:
    assert mean_interval(np.zeros(10)) == wilson(0, 10)
    assert mean_interval(np.ones(10), [0] * 5 + [1] * 5) == pytest.approx(wilson(2, 2))
    low, high = mean_interval(np.zeros(10), bounds=(-1.0, 1.0))
    assert (low, high) == (-wilson(0, 10)[1], wilson(0, 10)[1])
    low, high = mean_interval(np.zeros(300), bounds=(-1.0, 1.0))
    assert -0.02 < low < 0 < high < 0.02, "300 queries in which nothing changed say that little changes"
