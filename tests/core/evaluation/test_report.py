import json

import numpy as np
import pytest

from core.evaluation.report import evaluate


def test_the_document_has_the_shape_that_others_rely_on() -> None:
    images = np.eye(4)
    texts = np.array([images[0], images[1], images[2] * 0.4 + images[3], images[3], images[0] + images[1] * 2])
    found = evaluate(texts, images, [[0], [1], [2], [3], [0, 1]]).to_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"queries", "gallery", "t2i", "i2t", "chance"}
    assert (found["queries"], found["gallery"]) == (5, 4)
    assert found["t2i"]["R@1"] == 80.0
    assert found["t2i"]["R@5"] == found["t2i"]["R@10"] == 100.0
    assert found["t2i"]["mean"] == pytest.approx(93.33)
    assert set(found["t2i"]["ci"]) == {"R@1", "R@5", "R@10", "mean"}
    low, high = found["t2i"]["ci"]["R@1"]
    assert 0 < low < 80 < high < 100
    assert (found["i2t"]["queries"], found["i2t"]["gallery"]) == (4, 5)
    # Seen from the third image its own text is the nearest, though that text prefers the fourth image.
    assert found["i2t"]["R@1"] == 100.0
    assert found["chance"] == found["t2i"]["chance"]
    assert found["chance"]["R@1"] == 30.0


def test_a_picture_without_text_is_in_the_gallery_but_asks_nothing() -> None:
    result = evaluate(np.eye(3)[:2], np.eye(3), [[0], [1]])
    assert (result.t2i.gallery, result.i2t.queries) == (3, 2)


def test_captions_of_one_passage_are_not_independent_queries() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(30, 8))
    heard = images + rng.normal(size=(30, 8)) * 0.9
    texts, right = np.repeat(heard, 3, axis=0), [[i] for i in range(30) for _ in range(3)]
    plain = evaluate(texts, images, right).t2i
    grouped = evaluate(texts, images, right, text_groups=[i for i in range(30) for _ in range(3)]).t2i
    assert plain.at == grouped.at
    assert 0 < plain.at[1] < 1
    assert np.ptp(grouped.ci[1]) > 1.4 * np.ptp(plain.ci[1])
    assert np.ptp(grouped.mean_ci) > 1.4 * np.ptp(plain.mean_ci)
    unknown = evaluate(texts, images, right, text_groups=[0] * 90).t2i
    assert unknown.ci[1] == pytest.approx(plain.ci[1], abs=0.01)
