"""The page of datasets: what cannot be is said and not built, and nothing is replaced by one click."""

import pytest

from db.experiments import Datasets, Runs
from db.jobs import Jobs
from tests.training_home import fill, rebuild, small_config
from workbench.jobs.running import run_job

DATASET = "model/dataset.py"


@pytest.fixture
def lake(home):
    fill(home)
    return home


def build_button(app):
    return next(button for button in app.button if button.label == "Build the dataset")


def field(app, label):
    return next(one for kind in ("text_input", "number_input") for one in app.get(kind) if one.label == label)


def said(app):
    kinds = ("markdown", "caption", "info", "warning", "error")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


@pytest.mark.parametrize("typed", [{"Valid share": 0.95}, {"Test share": -0.1}, {"Seed": -1}])
def test_a_share_or_seed_beyond_its_limits_is_named_and_nothing_can_be_built(lake, open_page, typed):
    app = open_page(DATASET)
    assert not build_button(app).disabled
    for label, value in typed.items():
        assert not (field(app, label).proto.has_min or field(app, label).proto.has_max), "the browser would drop it"
        field(app, label).set_value(value).run()
        assert f"“{label}” must lie between 0 and" in app.error[0].value
    assert build_button(app).disabled and not Jobs(lake.open()).page(kind="dataset")


def test_shares_that_leave_nothing_to_train_on_cannot_be_built(lake, open_page):
    app = open_page(DATASET)
    field(app, "Valid share").set_value(0.6).run()
    assert not app.error and not build_button(app).disabled
    field(app, "Test share").set_value(0.6).run()
    assert "less than 1" in app.error[0].value and build_button(app).disabled
    field(app, "Test share").set_value(0.2).run()
    assert not build_button(app).disabled


def test_a_typed_name_stays_while_another_dataset_is_built_and_both_are(lake, open_page):
    app = open_page(DATASET)
    assert field(app, "Name").value == "dataset-2", "a name that is free"
    build_button(app).click().run()
    first = Jobs(lake.open()).page(kind="dataset")[0]
    app.switch_page(f"pages/{DATASET}").run()
    field(app, "Name").input("mine")
    run_job(lake, first.id)
    app.run()
    assert field(app, "Name").value == "mine"
    build_button(app).click().run()
    assert Jobs(lake.open()).page(kind="dataset")[0].params["name"] == "mine"


def test_the_next_free_name_is_proposed_and_what_was_chosen_survives_other_pages(lake, open_page):
    app = open_page(DATASET)
    field(app, "Test share").set_value(0.3).run()
    app.multiselect(key="dataset-kinds").set_value(["original"]).run()
    build_button(app).click().run()
    run_job(lake, Jobs(lake.open()).page(kind="dataset")[0].id)
    app.switch_page(f"pages/{DATASET}").run()
    assert field(app, "Name").value == "dataset-3"
    assert field(app, "Test share").value == 0.3 and app.multiselect(key="dataset-kinds").value == ["original"]


def test_another_build_waits_beside_the_first_and_a_double_click_makes_one(lake, open_page):
    app = open_page(DATASET)
    for name in ("one", "two", "two"):
        app.switch_page(f"pages/{DATASET}").run()
        field(app, "Name").input(name).run()
        build_button(app).click().run()
    assert [job.params["name"] for job in Jobs(lake.open()).page(kind="dataset")] == ["two", "one"]


def test_a_dataset_is_replaced_only_after_a_tick_that_says_what_it_costs(lake, open_page):
    config = small_config()
    Runs(lake.open()).add(
        dataset=Datasets(lake.open()).get("lake"), model="mini", method="lora", config=config.to_dict(), job_id=None
    )
    app = open_page(DATASET)
    field(app, "Name").input("lake").run()
    assert "trained on its present build: 1." in said(app) and build_button(app).disabled
    next(box for box in app.checkbox if box.label == "Replace “lake”").check().run()
    assert not build_button(app).disabled
    rebuild(lake, seed=1)
    app.run()
    assert "No run was trained on its present build." in said(app)
    assert build_button(app).disabled, "the tick was for the build before"


def test_a_card_says_how_its_dataset_was_made(lake, open_page):
    rebuild(lake, kinds=["original", "prompt"], seed=7)
    told = said(open_page(DATASET)).replace("\\", "").replace("\u2060", "")
    assert "Valid share 40 % · Test share 0 % · Seed 7 · Texts used as captions: original text, search prompt" in told
    assert "Annotations: approved" in told
