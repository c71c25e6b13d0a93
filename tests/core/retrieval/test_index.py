import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.retrieval.compose import compose
from core.retrieval.index import VectorIndex, unit


@given(st.integers(1, 30), st.integers(1, 35), st.integers(0, 10_000))
def test_a_search_equals_sorting_everything(count: int, top: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Axes as vectors: many exact ties, whose order the ids decide.
    vectors = np.eye(4)[rng.integers(0, 4, count)]
    ids = [f"p{i}" for i in rng.permutation(count)]
    query = rng.integers(1, 4, 4).astype(float)
    expected = sorted(range(count), key=lambda row: -(vectors[row] @ query))[:top]
    found = VectorIndex(vectors, ids).search(query, top)
    assert [key for key, _ in found] == [ids[row] for row in expected]
    cosines = [vectors[row] @ query / np.linalg.norm(query) for row in expected]
    assert [score for _, score in found] == pytest.approx(cosines, abs=1e-6)


def test_scores_are_cosines_whatever_the_lengths() -> None:
    index = VectorIndex(np.array([[3.0, 4.0], [0.0, 9.0], [0.0, 0.0]]), [10, 20, 30])
    assert index.search(np.array([0.0, 0.5]), 3) == [(20, 1.0), (10, pytest.approx(0.8)), (30, 0.0)]
    assert index.search(np.array([1.0, 0.0]), 0) == []
    assert index.vector(10).tolist() == pytest.approx([0.6, 0.8])
    assert 20 in index
    assert 21 not in index


def test_rows_are_added_replaced_and_left_out() -> None:
    index = VectorIndex(np.eye(3), [1, 2, 3])
    assert index.missing([3, 4, 5]) == [4, 5]
    more = index.added(np.array([[0, 0, 2.0], [0, 0, -1.0]]), [1, 9])
    assert more.ids == (2, 3, 1, 9)
    assert more.vector(1).tolist() == [0, 0, 1]
    fewer = more.restricted([9, 2])
    assert fewer.ids == (9, 2)
    assert fewer.vectors.tolist() == [[0, 0, -1], [0, 1, 0]]
    assert len(more.restricted([])) == 0
    assert more.restricted([]).search(np.ones(3), 5) == []
    with pytest.raises(KeyError):
        more.restricted([77])


@pytest.mark.parametrize(
    ("vectors", "ids"),
    [(np.eye(2), [1]), (np.eye(2), [1, 1]), (np.full((1, 2), np.nan), [1]), (np.ones(3), [1, 2, 3])],
)
def test_what_makes_no_index_is_refused(vectors: np.ndarray, ids: list[int]) -> None:
    with pytest.raises(ValueError):
        VectorIndex(vectors, ids)


def test_a_query_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError):
        VectorIndex(np.eye(3), [1, 2, 3]).search(np.ones(4), 1)


def test_a_query_of_words_and_picture_goes_from_one_to_the_other() -> None:
    text, image = np.array([5.0, 0.0]), np.array([0.0, 0.1])
    assert compose(text, image, 0).tolist() == [1, 0]
    assert compose(text, image, 1).tolist() == [0, 1]
    assert compose(text, image, 0.5).tolist() == pytest.approx([2**-0.5] * 2)
    assert compose(text, image, 0.25).tolist() == pytest.approx(unit(np.array([3.0, 1.0])).tolist())
    assert compose(text, None).tolist() == [1, 0]
    assert compose(None, image).tolist() == [0, 1]
    for bad in ((None, None, 0.5), (text, image, 1.5)):
        with pytest.raises(ValueError):
            compose(*bad)
