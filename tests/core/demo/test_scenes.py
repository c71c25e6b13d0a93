import random

import pytest

import core.demo.scenes as scenes_module
from core.demo.pretrain import PretrainConfig
from core.demo.project import demo_project
from core.demo.scenes import Scene, draw_scene, guests_of, make_scenes, part_of
from core.demo.worlds import benchmark_world, training_world


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others() -> None:
    assert make_scenes(50, 7) == make_scenes(50, 7)
    assert make_scenes(50, 7) != make_scenes(50, 8)


def test_no_two_scenes_are_alike_in_what_can_be_said() -> None:
    scenes = make_scenes(3000, 1)
    assert len({scene.view() for scene in scenes}) == 3000
    assert len({scene.seed for scene in scenes}) > 2990


def test_the_view_leaves_out_weather_guest_and_seed_only() -> None:
    scene = make_scenes(1, 3)[0]
    assert scene.said()[:8] == scene.view()
    assert scene.said()[8:] == (scene.weather, scene.guest)
    assert str(scene.seed) not in scene.said()


def test_excluded_scenes_do_not_come_back() -> None:
    first = make_scenes(400, 5)
    again = make_scenes(400, 5, exclude=first)
    assert not {s.view() for s in first} & {s.view() for s in again}


def test_scenes_make_sense() -> None:
    rng = random.Random(4)
    for scene in (draw_scene(rng) for _ in range(2000)):
        assert scene.kind != scene.second
        assert (scene.side, scene.relation) not in {("left", "west_of"), ("right", "east_of")}
        assert scene.guest in guests_of(scene.ground)


def test_a_part_is_a_fixed_property_of_the_view() -> None:
    scene = Scene("pagoda", 2, "lake", "left", "far", "autumn", "bridge", "behind", "rain", "geese")
    assert part_of(scene.view()) == "pretraining"
    other_sky = Scene("pagoda", 2, "lake", "left", "far", "autumn", "bridge", "behind", "moon", "none", 9)
    assert part_of(other_sky.view()) == part_of(scene.view())


def test_what_was_pretrained_on_is_in_no_demo_and_no_benchmark() -> None:
    config = PretrainConfig()
    pretrained = {s.view() for s in make_scenes(config.scenes, config.seed, part="pretraining")}
    validation = {s.view() for s in make_scenes(config.validation, config.seed, part="validation")}
    project = {p.scene.view() for p in demo_project(0).pictures}
    tuned = {item.scene.view() for item in training_world(400, config.seed)}
    held_out = {item.scene.view() for item in benchmark_world(500, config.seed)}  # the same seed, on purpose
    assert len(held_out) == 500
    for one, other in ((pretrained, project), (pretrained, held_out), (pretrained, tuned), (validation, held_out)):
        assert not one & other
    assert not held_out & (project | tuned)


def test_more_scenes_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes_module, "KINDS", ("pagoda", "bridge"))
    with pytest.raises(ValueError, match="no world of"):
        make_scenes(1400, 1)
    assert len(make_scenes(1000, 1)) == 1000
