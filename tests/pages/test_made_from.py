"""The pages of datasets and runs say when the annotations they were made from have changed since."""

from dataclasses import replace

import pytest

from core.progress import Silent
from core.texts.annotation import Status
from db.annotations import Annotations
from db.experiments import Datasets, Runs
from workbench.tasks.datasets import build

PARAMS = {"name": "d", "statuses": ["approved"], "kinds": ["original"], "valid": 0.0, "test": 0.0, "seed": 0}


@pytest.fixture
def built(filled):
    """A dataset of the approved passage, and a run on it."""
    db = filled.open()
    build(filled, db, PARAMS, Silent())
    Runs(db).add(dataset=Datasets(db).get("d"), model="mini", method="lora", config={}, job_id=None, label="r")
    return filled


def change(home, **fields):
    annotations = Annotations(home.open())
    current = annotations.get(1)
    value = replace(current.value, **fields)
    annotations.save(1, value, Status.APPROVED, version=current.version, who="test", why="approved")


def open_both(open_page, home, language="en"):
    run = Runs(home.open()).all()[0].name
    return [open_page("model/dataset.py", language), open_page("model/run.py", language, run=run)]


def warned(app, words):
    return [warning for warning in app.warning if words in warning.value]


def test_nothing_is_said_while_nothing_has_changed(built, open_page):
    change(built, english="Not among the captions.")
    for app in open_both(open_page, built):
        assert not app.exception and not warned(app, "older annotations")


@pytest.mark.parametrize(("language", "words"), [("en", "changed since: 1"), ("zh", "此后有 1 段已改动")])
def test_a_change_is_said_on_both_pages_with_the_way_to_the_passage(built, open_page, language, words):
    change(built, entities=(), relations=())
    for app in open_both(open_page, built, language):
        assert warned(app, words)
        assert ("review", "id=1") in [(link.proto.page, link.proto.query_string) for link in app.get("page_link")]


def test_a_run_on_a_dataset_that_was_built_anew_says_so(built, open_page):
    change(built, entities=(), relations=())
    build(built, built.open(), PARAMS | {"kinds": ["prompt"]}, Silent())
    dataset, run = open_both(open_page, built)
    assert not warned(dataset, "older annotations") and not warned(run, "older annotations")
    assert warned(run, "built anew")
