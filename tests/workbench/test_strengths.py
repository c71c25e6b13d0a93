"""Recall along the strength: on what a run was tuned for, and on data that shares nothing with it."""

from dataclasses import replace

import pytest

from core.demo.pretrain import PretrainConfig
from core.demo.project import demo_project
from core.demo.scenes import make_scenes
from core.demo.worlds import benchmark_world, training_world
from core.errors import InputError
from core.progress import Silent
from core.records import JobState
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.experiments import Datasets, Evaluations, Runs
from db.images import Images, Pairs
from db.passages import Passages
from tests.tuned_home import OTHERS, PARAMS, tuned_home
from workbench.jobs.running import run_in_foreground
from workbench.tasks import strengths
from workbench.tasks.datasets import build
from workbench.tasks.evaluating import check_unseen, measure
from workbench.tasks.images import add_picture
from workbench.tasks.strengths import (
    GENERAL,
    GENERAL_SCENES,
    GENERAL_SEED,
    measure_along,
    measurements,
    split_for,
    suggested,
    untouched_datasets,
)

AT = [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The home, a connection, and its runs by method."""
    home, runs = tuned_home(tmp_path_factory.mktemp("strengths"))
    return home, home.open(), runs


@pytest.mark.parametrize("method", ["lora", "full"])
def test_along_the_line_lie_the_figures_of_evaluate(tuned, method):
    home, db, runs = tuned
    before = len(Evaluations(db).all())
    job = run_in_foreground(home, "strength", {"run": runs[method], "untouched": "far"}, Silent())
    assert (job.state, job.lane) == (JobState.DONE, "gpu")
    found = measurements(home, db, runs[method])["far"]
    assert [row["strength"] for row in found["along"]] == AT
    assert found["tuned"]["split"] == "test" and found["untouched"]["dataset"] == "far"
    assert found["asked"] == "original"
    assert len(Evaluations(db).all()) == before, "the figures of the models stay what they are"
    for row in found["along"]:
        model = {"model": "mini"} if row["strength"] == 0 else {"run": runs[method], "strength": row["strength"]}
        direct = measure(home, db, "lake", **model, progress=Silent())
        assert row["tuned"]["t2i"] == direct["kinds"]["original"], "the words of the sources ask"
    first, last = found["along"][0], found["along"][-1]
    assert first["tuned"]["t2i"] != last["tuned"]["t2i"]
    for name in ("tuned", "untouched"):
        assert first[name]["change"]["R@5"]["difference"] == 0
        gained = last[name]["t2i"]["R@1"] - first[name]["t2i"]["R@1"]
        assert last[name]["change"]["R@1"]["difference"] == pytest.approx(gained, abs=0.02)


def test_an_untouched_dataset_is_measured_whole(tuned):
    home, db, runs = tuned
    found = measure_along(home, db, runs["lora"], "far", Silent())
    assert found["along"][0]["untouched"]["t2i"]["gallery"] == OTHERS
    assert found["along"][0]["untouched"]["t2i"]["queries"] == OTHERS
    alone = [measure(home, db, "far", split=split, model="mini", progress=Silent()) for split in ("train", "test")]
    assert all(part["gallery"] < OTHERS for part in alone)


def test_the_general_set_is_always_there_and_kept_beside_the_others(tuned, monkeypatch):
    home, db, runs = tuned
    monkeypatch.setattr(strengths, "GENERAL_SCENES", 12)
    measure_along(home, db, runs["lora"], "far", Silent())
    measure_along(home, db, runs["lora"], GENERAL, Silent())
    measure_along(home, db, runs["lora"], GENERAL, Silent())
    found = measurements(home, db, runs["lora"])
    assert list(found) == [GENERAL, "far"]
    assert found[GENERAL]["along"][0]["untouched"]["t2i"]["gallery"] == 12
    assert found[GENERAL]["along"][0]["untouched"]["t2i"]["R@10"] > 90, "the mini model knows modern captions"


def test_no_general_scene_is_in_a_demo_home_or_in_pre_training():
    general = {item.scene.view() for item in benchmark_world(GENERAL_SCENES, GENERAL_SEED)}
    config = PretrainConfig()
    others = {picture.scene.view() for picture in demo_project().pictures}
    others |= {scene.view() for scene in make_scenes(config.scenes, config.seed, part="pretraining")}
    assert len(general) == GENERAL_SCENES and not general & others


def test_a_suggestion_is_the_best_sum_and_the_stronger_of_equals():
    def measured(tuned, untouched):
        rows = zip(AT, tuned, untouched, strict=True)
        return {
            "along": [
                {"strength": s, "tuned": {"t2i": {"R@5": a}}, "untouched": {"t2i": {"R@5": b}}} for s, a, b in rows
            ]
        }

    assert suggested(measured([10, 20, 40, 45, 46], [90, 90, 85, 60, 40]), "R@5") == 0.5
    assert suggested(measured([10, 11, 12, 13, 14], [90, 70, 60, 50, 40]), "R@5") == 0.0
    assert suggested(measured([10, 20, 30, 40, 40], [90, 90, 90, 90, 90]), "R@5") == 1.0


def test_what_was_measured_on_an_older_build_is_not_shown(tuned):
    home, db, runs = tuned
    measure_along(home, db, runs["lora"], "far", Silent())
    build(home, db, PARAMS | {"name": "far", "statuses": ["draft"], "kinds": ["original"]}, Silent())
    assert "far" not in measurements(home, db, runs["lora"])
    build(home, db, PARAMS | {"name": "far", "statuses": ["draft"]}, Silent())
    assert "far" in measurements(home, db, runs["lora"])


# What is untouched: a home with a dataset of twelve passages, and another of one passage that is near it in some way.


@pytest.fixture
def own(home, db):
    """Twelve approved passages with a picture each, in the dataset ``own``, and a run on it."""
    for item in training_world(12, 9):
        add(home, db, item.passage, item.jpeg(), Status.APPROVED)
    build(home, db, PARAMS | {"name": "own"}, Silent())
    return Runs(db).add(dataset=Datasets(db).get("own"), model="mini", method="lora", config={}, job_id=None)


def add(home, db, text, picture, status, modern="", **about):
    (passage_id,) = Passages(db).add([NewPassage("示例", "卷二", text)]).ids
    version = Annotations(db).get(passage_id).version
    value = AnnotationValue(modern_chinese=modern)
    Annotations(db).save(passage_id, value, status, version=version, who="test", why="edited")
    image = add_picture(home, db, f"{passage_id}.jpg", picture, about)[0]
    Pairs(db).add([(passage_id, image.id, "")], who="test")
    return passage_id


def other_than(home, db, **given):
    stranger = benchmark_world(1, 4)[0]
    given = {"text": stranger.passage, "picture": stranger.jpeg()} | given
    add(home, db, status=Status.DRAFT, **given)
    build(home, db, PARAMS | {"name": "other", "statuses": ["draft"]}, Silent())


def resaved(picture):
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).resize((400, 400)).save(out, "JPEG", quality=60)
    return out.getvalue()


def test_a_dataset_that_shares_nothing_is_offered(home, db, own):
    other_than(home, db)
    assert untouched_datasets(home, db, own) == ["other"]


def test_a_passage_that_moved_on_is_still_the_same_passage(home, db, own):
    """Same passage, other captions, other picture: only its id is left in common."""
    stranger = benchmark_world(1, 4)[0]
    first = Annotations(db).get(1)
    Annotations(db).save(
        1, AnnotationValue(modern_chinese="另一种说法"), Status.DRAFT, version=first.version, who="t", why="e"
    )
    for image in Images(db).all():
        Pairs(db).remove(1, image.id)
    image = add_picture(home, db, "new.jpg", stranger.jpeg(), {})[0]
    Pairs(db).add([(1, image.id, "")], who="t")
    build(home, db, PARAMS | {"name": "other", "statuses": ["draft"], "kinds": ["modern"]}, Silent())
    assert untouched_datasets(home, db, own) == []


@pytest.mark.parametrize("near", ["picture", "near duplicate", "wording", "script", "deleted", "work"])
def test_whatever_is_near_the_tuning_data_is_not_untouched(home, db, own, near):
    taught = training_world(12, 9)[0]
    if near == "picture":
        other_than(home, db, picture=taught.jpeg())
    elif near == "near duplicate":
        other_than(home, db, picture=resaved(taught.jpeg()))
    elif near == "wording":
        other_than(home, db, modern=taught.passage)
    elif near == "script":  # the same passage as another edition prints it
        other_than(home, db, text="「" + taught.passage.replace("，", "、") + "」")
    elif near == "deleted":
        for image in Images(db).all():
            Images(db).delete(image.id)
        other_than(home, db, picture=resaved(taught.jpeg()))
    else:
        image = Images(db).all()[0]
        Images(db).describe(replace(image, work="西湖图"))
        other_than(home, db, work="西湖图")
    assert untouched_datasets(home, db, own) == []
    with pytest.raises(InputError) as error:
        measure_along(home, db, own.name, "other", Silent())
    assert error.value.code == "untouched_shared"


def test_nothing_is_measured_on_what_was_trained_on(home, db, own):
    build(home, db, PARAMS | {"name": "whole", "valid": 0.0, "test": 0.0}, Silent())
    run = Runs(db).add(dataset=Datasets(db).get("whole"), model="mini", method="lora", config={}, job_id=None)
    with pytest.raises(InputError) as error:
        measure_along(home, db, run.name, GENERAL, Silent())
    assert error.value.code == "strength_no_held_out"


def test_a_dataset_built_anew_is_not_what_the_run_was_tuned_for(home, db, own):
    build(home, db, PARAMS | {"name": "own", "kinds": ["original"], "valid": 0.0}, Silent())
    with pytest.raises(InputError) as error:
        split_for(db, own)
    assert error.value.code == "run_other_build"


def test_a_run_is_not_examined_in_what_it_learned_under_another_name(home, db, own):
    other_than(home, db)
    build(home, db, PARAMS | {"name": "dealt-anew", "seed": 5}, Silent())

    def refused(dataset, **more):
        with pytest.raises(InputError) as error:
            measure(home, db, dataset, run=own.name, progress=Silent(), **more)
        return error.value.code

    assert refused("dealt-anew") == refused("dealt-anew", split="train") == "run_saw_it"
    assert not Evaluations(db).all()
    measure(home, db, "dealt-anew", model="mini", progress=Silent())
    check_unseen(home, db, own, Datasets(db).get("other"), "train")
    check_unseen(home, db, own, Datasets(db).get("own"), "test")
    build(home, db, PARAMS | {"name": "own", "seed": 5}, Silent())
    assert refused("own") == "run_other_build"
    assert refused("other", split="train") == "run_data_gone", "nobody knows any more what it learned"
