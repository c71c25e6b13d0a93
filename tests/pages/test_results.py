"""The results page: dataset and run in the address, what is said of the figures, and the five experiments."""

import pytest

from core.progress import Silent
from core.records import JobState
from db.jobs import Jobs
from tests.tuned_home import PARAMS, tuned_home
from workbench.tasks.ablating import foreseen
from workbench.tasks.datasets import build
from workbench.tasks.evaluating import measure

RESULTS = "model/results.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tuned_home(tmp_path_factory.mktemp("results"))


@pytest.fixture
def tuned(made, monkeypatch):
    home, runs = made
    monkeypatch.setenv("SONGCLIP_HOME", str(home.path))
    monkeypatch.delenv("SONGCLIP_OWN_HOME", raising=False)
    return home, runs


def said(app):
    return [element.value for kind in (app.caption, app.markdown, app.info) for element in kind]


def strength_run(app, dataset):
    return app.selectbox(key=f"strength-run-{dataset}").value


def test_the_address_says_dataset_and_run_and_follows_them(tuned, open_page):
    _, runs = tuned
    app = open_page(RESULTS, dataset="lake", run=runs["lora"])
    assert app.selectbox(key="results-dataset").value == "lake" and strength_run(app, "lake") == runs["lora"]
    app.selectbox(key="strength-run-lake").set_value(runs["full"]).run()
    assert (app.query_params["dataset"], app.query_params["run"]) == ("lake", runs["full"])
    app.selectbox(key="results-dataset").set_value("far").run()
    assert app.query_params["dataset"] == "far" and not app.exception
    assert open_page(RESULTS, dataset="nowhere", run="none").selectbox(key="results-dataset").value in ("lake", "far")


def test_where_no_run_can_be_chosen_the_reason_is_said(tuned, open_page):
    assert any("No run was finished on this dataset" in text for text in said(open_page(RESULTS, dataset="far")))
    assert not any("No run was finished on this dataset as" in t for t in said(open_page(RESULTS, dataset="lake")))


def test_each_heading_says_which_texts_ask_or_are_searched(tuned, open_page):
    home, runs = tuned
    measure(home, home.open(), "lake", run=runs["lora"], progress=Silent())
    app = open_page(RESULTS, dataset="lake")
    figures = measure(home, home.open(), "lake", model="mini", progress=Silent())
    one, every = figures["kinds"]["original"]["queries"], figures["i2t"]["gallery"]
    assert one < every
    assert any(f"asked by {one} texts (original text), gallery of" in text for text in said(app))
    assert any(f"gallery of {every} texts (of every kind)" in text for text in said(app))


def test_the_experiments_say_what_they_take_and_start_by_a_second_click(tuned, open_page):
    home, _ = tuned
    db = home.open()
    count, seconds = foreseen(home, db, "lake")
    assert count == 7 and seconds and seconds > 0, "full, LoRA, two kinds of caption, three ranks"
    assert foreseen(home, db, "far")[1] is None
    app = open_page(RESULTS, dataset="lake")
    assert any("7 trainings" in text and "about" in text for text in said(app))
    assert not Jobs(db).page(kind="ablate")
    next(button for button in app.button if button.label == "Start them").click().run()
    assert [job.params for job in Jobs(db).page(kind="ablate")] == [{"dataset": "lake"}]


def test_a_run_of_an_experiment_is_called_one_and_not_chosen_at_first(tuned, open_page):
    home, runs = tuned
    db = home.open()
    config = '{"extra": {"experiment": "rank-4"}}'
    db.execute("UPDATE runs SET config = ? WHERE name = ?", [config, runs["full"]])
    app = open_page(RESULTS, dataset="lake")
    chosen = app.multiselect(key="results-runs-lake")
    assert chosen.value == [runs["lora"]]
    assert f"{runs['full']} · Experiment" in chosen.options
    measure(home, db, "lake", run=runs["full"], progress=Silent())
    assert f"{runs['full']} · Experiment" in list(open_page(RESULTS, dataset="lake").dataframe[0].value.iloc[:, 0])
    build(home, db, PARAMS | {"name": "other", "seed": 3}, Silent())
    assert not open_page(RESULTS, dataset="other").multiselect(key="results-runs-other").options


@pytest.mark.parametrize(
    ("language", "title", "names"),
    [
        ("en", "Ablation", ["zero-shot", "captions of original text only", "chance"]),
        ("zh", "对照实验", ["未微调", "只用原文图注", "随机水平"]),
    ],
)
def test_the_experiments_stand_in_words_with_intervals_and_only_for_the_present_build(
    tuned, open_page, language, title, names
):
    home, runs = tuned
    db = home.open()
    table = [
        {
            "group": group,
            "label": label,
            "trainable_percent": 5.19,
            **measure(home, db, "lake", **of, progress=Silent()),
        }
        for group, label, of in (
            ("zero-shot", "zero-shot", {"model": "mini"}),
            ("prompt", "only-original", {"run": runs["lora"]}),
        )
    ]
    jobs = Jobs(db)
    job = jobs.submit("ablate", "gpu", {"dataset": "lake"})
    jobs.begin(job.id)
    jobs.end(job.id, JobState.DONE, result={"dataset": "lake", "table": table})
    db.execute("UPDATE runs SET job_id = ? WHERE name = ?", [job.id, runs["lora"]])
    app = open_page(RESULTS, language, dataset="lake")
    assert not app.exception and title in [header.value for header in app.subheader]
    shown = app.dataframe[-1].value
    assert list(shown.iloc[:, 0]) == names
    original = table[1]["kinds"]["original"]
    assert shown["R@5"].iloc[1].startswith(f"{original['R@5']:.1f}  [{original['ci']['R@5'][0]:.1f}–")
    hash_now = db.execute("SELECT dataset_hash FROM runs WHERE name = ?", [runs["lora"]]).fetchone()[0]
    db.execute("UPDATE runs SET dataset_hash = 'earlier' WHERE name = ?", [runs["lora"]])
    try:
        assert title not in [header.value for header in open_page(RESULTS, language, dataset="lake").subheader]
    finally:
        db.execute("UPDATE runs SET dataset_hash = ? WHERE name = ?", [hash_now, runs["lora"]])
