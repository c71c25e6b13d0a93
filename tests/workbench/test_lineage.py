"""A model does not lose what it learned by being called a file, or a base to tune from."""

import shutil
from dataclasses import replace

import pytest

from core.errors import InputError
from core.progress import Silent
from db.experiments import Evaluations, Runs
from tests.training_home import fill, rebuild, small_config
from workbench.tasks.evaluating import measure
from workbench.tasks.lineage import lineage, run_of_weights
from workbench.tasks.models import FULL
from workbench.tasks.strengths import GENERAL, measure_along, untouched_datasets
from workbench.tasks.training import carry_out, start_run


def tuned(home, db, dataset, model, **options):
    config = replace(small_config(1), **options)
    run = start_run(home, db, dataset, model, config, job_id=None)
    carry_out(home, db, run, Silent())
    return Runs(db).get(run.name)


def refused(action, *given, **more):
    with pytest.raises(InputError) as error:
        action(*given, progress=Silent(), **more)
    return error.value.code


def test_weights_that_a_run_made_are_known_again_wherever_they_lie(home, db, tmp_path):
    fill(home)
    first = tuned(home, db, "lake", "mini", method="full")
    file = home.experiments / first.name / FULL
    rebuild(home, name="again", seed=5)
    copied = shutil.copy(file, tmp_path / "mine.safetensors")
    for weights in (file, copied):
        assert refused(measure, home, db, "again", model=str(weights), split="valid") == "run_saw_it"
    assert not Evaluations(db).all()
    measure(home, db, "lake", model=str(copied), split="valid", progress=Silent())
    assert Evaluations(db).all()[0].model == str(copied)
    assert run_of_weights(db, "", str(file)) == first, "a run of an earlier version is known by its folder"

    # Tuned further on other data, with a step too small to learn anything: what it knows of that is from before.
    second = tuned(home, db, "again", str(copied), learning_rate=1e-9)
    assert [run.name for run in lineage(db, second)] == [second.name, first.name]
    assert refused(measure, home, db, "again", run=second.name, split="valid") == "run_saw_it"
    with pytest.raises(InputError) as error:
        measure_along(home, db, second.name, GENERAL, Silent())
    assert error.value.code == "run_saw_it"
    assert untouched_datasets(home, db, second) == []


def test_a_run_from_a_released_or_the_mini_model_has_no_forebear(home, db):
    fill(home)
    run = tuned(home, db, "lake", "mini")
    assert lineage(db, run) == [run] and run_of_weights(db, run.summary["base_fingerprint"], "mini") is None
