from pathlib import Path

import numpy as np
import pytest

from core.retrieval.features import FeatureStore
from core.retrieval.index import VectorIndex


class Encoder:
    """Gives each id its own vector and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, ids: list[int]) -> np.ndarray:
        self.asked.append(ids)
        return np.array([[1.0, float(key), 0.0] for key in ids])


@pytest.mark.parametrize("ids", [[4, 2, 9], ["ab", "c" * 64, "临安"]])
def test_an_index_comes_back_as_it_was(tmp_path: Path, ids: list[int] | list[str]) -> None:
    store = FeatureStore(tmp_path / "features")
    index = VectorIndex(np.random.default_rng(0).normal(size=(3, 5)), ids)
    path = store.save("mini-0a1b", index)
    back = store.load("mini-0a1b")
    assert back is not None
    assert back.ids == tuple(ids)
    assert np.allclose(back.vectors, index.vectors)
    assert list(path.parent.iterdir()) == [path]


def test_only_what_is_new_is_encoded_and_what_is_gone_leaves(tmp_path: Path) -> None:
    store, encode = FeatureStore(tmp_path), Encoder()
    store.refresh("m", [1, 2, 3], encode)
    index = store.refresh("m", [3, 5, 1], encode)
    assert encode.asked == [[1, 2, 3], [5]]
    assert index.ids == (3, 5, 1)
    assert index.vector(5).tolist() == pytest.approx((np.array([1, 5, 0]) / 26**0.5).tolist())
    stored = store.load("m")
    assert stored is not None
    assert stored.ids == (3, 5, 1)
    store.refresh("m", [3, 5, 1], encode)
    assert len(encode.asked) == 2
    store.refresh("m", [3, 1], encode)
    fewer = store.load("m")
    assert fewer is not None
    assert fewer.ids == (3, 1)
    assert len(store.refresh("m", [], encode)) == 0
    assert store.refresh("m", [7], encode).ids == (7,)


def test_models_do_not_share_a_file(tmp_path: Path) -> None:
    store, encode = FeatureStore(tmp_path), Encoder()
    store.refresh("a", [1], encode)
    store.refresh("b", [1], encode)
    assert encode.asked == [[1], [1]]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    store, encode = FeatureStore(tmp_path), Encoder()
    store.refresh("m", [1, 2], encode)
    path = tmp_path / "m.npz"
    path.write_bytes(path.read_bytes()[:50])
    assert store.load("m") is None
    assert store.refresh("m", [1, 2], encode).ids == (1, 2)
    assert encode.asked == [[1, 2], [1, 2]]


@pytest.mark.parametrize("name", ["../m", "", ".m", "a/b"])
def test_a_fingerprint_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        FeatureStore(tmp_path).save(name, VectorIndex(np.eye(2), [1, 2]))
