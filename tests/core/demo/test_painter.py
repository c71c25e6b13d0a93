import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.demo.brush import SHEET
from core.demo.buildings import EXTENT, PAINTERS
from core.demo.painter import GENERATED_MARK, arrange, paint, paint_jpeg, paint_png
from core.demo.scenes import KINDS, RELATIONS, Scene, make_scenes
from core.demo.worlds import paint_pixels, small_pixels

SCENE = Scene("pagoda", 2, "lake", "left", "near", "autumn", "bridge", "east_of", "clear", "geese", 5)


def difference(first: Scene, second: Scene) -> float:
    a, b = (np.asarray(paint(scene, (112, 112)), dtype=float) for scene in (first, second))
    return float(np.abs(a - b).mean())


def test_a_scene_is_painted_the_same_each_time() -> None:
    assert paint(SCENE).tobytes() == paint(SCENE).tobytes()
    assert paint_jpeg(SCENE) == paint_jpeg(SCENE)


def test_size_and_mode() -> None:
    assert (paint(SCENE).size, paint(SCENE).mode) == ((448, 448), "RGB")
    assert paint(SCENE, (224, 224)).size == (224, 224)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "gate"},
        {"count": 3},
        {"ground": "river"},
        {"side": "middle"},
        {"depth": "far"},
        {"season": "winter"},
        {"second": "tavern"},
        {"relation": "in_front_of"},
        {"weather": "moon"},
        {"guest": "cranes"},
        {"seed": 6},
    ],
)
def test_every_word_about_a_scene_shows_in_the_picture(change: dict[str, object]) -> None:
    assert difference(SCENE, replace(SCENE, **change)) > 0.5


def test_every_kind_has_a_painter_and_an_extent() -> None:
    assert set(PAINTERS) == set(EXTENT) == set(KINDS)


def test_what_is_said_of_positions_is_so_on_the_sheet() -> None:
    for scene in make_scenes(600, 12):
        placed = arrange(scene)
        main = [item for item in placed if item[0] == scene.kind]
        (_, second_x, second_y, _) = next(item for item in placed if item[0] == scene.second)
        assert len(main) == scene.count
        xs, ys = [item[1] for item in main], [item[2] for item in main]
        middle = sum(xs) / len(xs)
        if scene.side == "left":
            assert middle < SHEET / 3
        if scene.side == "right":
            assert middle > SHEET * 2 / 3
        assert scene.relation in RELATIONS
        if scene.relation == "east_of":
            assert second_x > max(xs)
        elif scene.relation == "west_of":
            assert second_x < min(xs)
        elif scene.relation == "in_front_of":
            assert second_y > max(ys)
        else:
            assert second_y < min(ys)
        for kind, x, _, scale in placed:
            assert x - EXTENT[kind][0] * scale / 2 > -24 and x + EXTENT[kind][0] * scale / 2 < SHEET + 24


def test_the_mark_is_in_the_file_and_not_in_the_pixels() -> None:
    with Image.open(io.BytesIO(paint_jpeg(SCENE))) as jpeg:
        assert jpeg.format == "JPEG"
        assert jpeg.info["comment"].decode() == GENERATED_MARK
    with Image.open(io.BytesIO(paint_png(SCENE))) as png:
        assert png.info["Comment"] == GENERATED_MARK
        assert np.array_equal(np.asarray(png), np.asarray(paint(SCENE)))
    assert "generated" in GENERATED_MARK


def test_pixels_are_what_the_app_gives_the_model() -> None:
    preprocess = pytest.importorskip("core.model.preprocess")
    assert np.array_equal(small_pixels(SCENE), preprocess.preprocess(paint(SCENE), 112))
    scenes = make_scenes(2, 1)
    both = paint_pixels(scenes)
    assert both.shape == (2, 3, 112, 112)
    assert np.array_equal(both[1], small_pixels(scenes[1]))
