import numpy as np
import pytest

from core.evaluation.comparison import compare, mcnemar
from core.evaluation.recall import Ranks


def ranks(values: list[int], gallery: int = 50) -> Ranks:
    found = np.array(values)
    return Ranks(found, (found > 0).astype(np.int64), gallery)


def test_mcnemar_gives_the_exact_binomial() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(8, 1) == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar(1, 8) == mcnemar(8, 1)
    assert 0 < mcnemar(3000, 1000) < 1e-200


def test_a_comparison_counts_what_changed_at_each_k() -> None:
    before = ranks([1, 7, 3, 0, 20, 20, 20])
    after = ranks([1, 1, 12, 0, 4, 2, 30])
    result = compare(before, after)
    assert (result[1].won, result[1].lost) == (1, 0)
    assert (result[5].won, result[5].lost) == (3, 1)
    assert result[5].difference == pytest.approx(2 / 6)
    assert result[5].ci[0] < 2 / 6 < result[5].ci[1]
    assert result[5].p == pytest.approx(mcnemar(3, 1))
    assert result[5].to_json()["difference"] == 33.33


def test_a_clear_gain_excludes_zero_and_no_change_includes_it() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(1, 40, 300).tolist()
    gain = compare(ranks(before), ranks([max(1, r // 3) for r in before]))[5]
    assert gain.ci[0] > 0
    assert gain.p < 0.001
    same = compare(ranks(before), ranks(before))[5]
    assert same.difference == 0
    assert same.ci[0] < 0 < same.ci[1]
    assert same.p == 1.0


def test_other_queries_cannot_be_compared() -> None:
    with pytest.raises(ValueError):
        compare(ranks([1, 2]), ranks([1, 2], gallery=51))
    with pytest.raises(ValueError):
        compare(ranks([1, 2]), ranks([1, 0]))
