"""The training form and the page of a run: presets, plan, weights, queue, a finished run and one that failed."""

import importlib.util
import json
from pathlib import Path

import pytest
import streamlit as st

from core.records import JobState
from core.training.presets import PRESETS
from db.experiments import Runs
from db.images import Images
from db.jobs import Jobs
from tests.training_home import fill, rebuild, small_config
from workbench.components.option_words import option_name, option_value
from workbench.components.training_charts import runs_chart
from workbench.i18n import translate
from workbench.jobs.dispatching import spawn
from workbench.jobs.running import lock_of, run_job
from workbench.tasks.options import config_for, train_params
from workbench.tasks.run_files import METRICS, flat_options, read_examples, read_metrics
from workbench.tasks.training import queue_run

TRAIN, RUN = "model/train.py", "model/run.py"
_spec = importlib.util.spec_from_file_location(
    "hub_server", Path(__file__).parents[1] / "core" / "model" / "hub_server.py"
)
hub_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub_server)


@pytest.fixture
def lake(home):
    fill(home)
    return home


@pytest.fixture
def trained(lake):
    """A finished run of two epochs."""
    job = run_job(lake, queue_run(lake, lake.open(), train_params("lake", "mini", small_config())).id)
    assert job.state is JobState.DONE
    return lake


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def start_button(app):
    return next(button for button in app.button if button.label == "Start training")


def said(app):
    kinds = ("markdown", "caption", "info", "warning", "error", "text")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def shown(app):
    """The titles under the example queries' pictures."""
    return [caption.value for caption in app.caption if caption.value.removeprefix("✓ ").startswith("画")]


def turn_round(file):
    """Let the untuned model have found its pictures in another order, whatever so short a run has changed."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for found in rows[0]["examples"]:
        found["top"].reverse()
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def titles(home, run, epoch):
    """What :func:`shown` should give at an epoch."""
    row = next(row for row in read_metrics(home.experiments / run.name)[1] if row["epoch"] == epoch)
    pairs = zip(read_examples(home.experiments / run.name), row["examples"], strict=True)
    named = {image.id: image.title for image in Images(home.open()).all()}
    return [f"{'✓ ' * (i in query.images)}{named[i]}" for query, found in pairs for i in found["top"]]


def stands(app, name):
    return app.session_state[f"train-{name}"]


def trains(home, **clauses):
    return Jobs(home.open()).page(kind="train", **clauses)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_option_is_named_and_explained(lake, open_page, language):
    app = open_page(TRAIN, language)
    assert not app.exception and not app.error
    fields = [*app.number_input, *app.selectbox, *app.checkbox]
    names = ("epochs", "batch", "accumulation", "rate", "rank", "alpha", "dropout", "layers", "weight_decay", "warmup")
    more = ("clip_norm", "patience", "memory_gb", "seed", "precision", "best_at", "rslora", "augment", "checkpointing")
    by_key = {field.key: field for field in fields}
    for name in (*names, *more):
        field = by_key[f"train-{name}"]
        assert field.label == translate(f"train.{name}", language) != f"train.{name}"
        assert len(field.help) > 8 and "." not in field.help.split(" ")[0][:-1]
    presets = app.radio(key="train-preset")
    assert len(presets.options) == len(PRESETS) + 1
    for name in ("auto", *PRESETS):
        assert translate(f"presets_about.{name}", language) != f"presets_about.{name}"
    share = next(metric for metric in app.metric if metric.label == translate("run_page.trainable", language))
    assert share.value == "221,184" and share.delta.endswith("%")


def test_a_preset_fills_the_fields_and_a_hand_goes_over_it(lake, open_page):
    app = open_page(TRAIN)
    assert (stands(app, "epochs"), stands(app, "rank")) == (20, 16), "what suits the mini model"
    app.radio(key="train-preset").set_value("plan").run()
    now = [stands(app, name) for name in ("rank", "alpha", "rate", "weight_decay", "epochs", "batch", "accumulation")]
    assert now == [4, 16, 1e-4, 0.01, 30, 8, 4]
    assert "8 × 4 = **32**" in said(app)
    app.radio(key="train-preset").set_value("careful").run()
    assert (stands(app, "rslora"), stands(app, "augment"), stands(app, "targets")) == (True, True, ["q", "k", "v"])
    app.number_input(key="train-epochs").set_value(7).run()
    app.number_input(key="train-layers").set_value(2).run()
    press(app, "Start training")
    options = trains(lake)[0].params["options"]
    assert options["epochs"] == 7 and options["lora"]["layers"] == [-2, -1]
    careful = PRESETS["careful"]
    assert options == {**careful.to_dict(), "epochs": 7, "lora": {**careful.lora.to_dict(), "layers": [-2, -1]}}


def test_a_full_fine_tune_takes_its_own_rate_and_no_adapters(lake, open_page):
    app = open_page(TRAIN)
    app.segmented_control(key="train-method").set_value("full").run()
    assert app.number_input(key="train-rank").disabled and not app.number_input(key="train-epochs").disabled
    assert stands(app, "rate") == 1e-3
    press(app, "Start training")
    assert trains(lake)[0].params["options"]["method"] == "full"


def test_what_cannot_be_is_said_and_nothing_starts(lake, open_page):
    app = open_page(TRAIN)
    app.pills(key="train-targets").set_value([]).run()
    assert "targets" in app.error[0].value
    assert start_button(app).disabled


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("epochs", 99_999, "“Epochs” must lie between 1 and 10,000"),
        ("batch", 1, "“Batch” must lie between 2 and 4,096"),
        ("rank", 0, "“LoRA rank” must lie between 1 and 1,024"),
        ("rate", 9.0, "“Learning rate” must lie between 1e-09 and 1"),
        ("dropout", 1.0, "“LoRA dropout” must lie between 0 and 0.99"),
    ],
)
def test_a_number_beyond_its_limits_arrives_is_named_and_nothing_starts(lake, open_page, name, value, limits):
    app = open_page(TRAIN)
    proto = app.number_input(key=f"train-{name}").proto
    assert not proto.has_min and not proto.has_max, "the browser would drop it and send the old one"
    app.number_input(key=f"train-{name}").set_value(value).run()
    assert [error.value for error in app.error] == [f"{limits}; correct it before you start."]
    assert start_button(app).disabled
    app.radio(key="train-preset").set_value("quick").run()
    assert not app.error and not start_button(app).disabled


def test_a_seed_beyond_its_limits_is_not_run_again(trained, open_page):
    run = Runs(trained.open()).all()[0]
    app = open_page(RUN, run=run.name)
    app.number_input(key=f"again-seed-{run.name}").set_value(-5).run()
    assert "“Seed” must lie between 0 and 4,294,967,295" in app.error[0].value
    assert next(button for button in app.button if button.label == "Run again").disabled


def test_two_runs_queue_and_the_same_one_does_not_twice(lake, open_page):
    app = open_page(TRAIN)
    press(app, "Start training")
    app = open_page(TRAIN)
    press(app, "Start training")
    assert len(trains(lake, active=True)) == 1
    app = open_page(TRAIN)
    app.number_input(key="train-seed").set_value(1).run()
    press(app, "Start training")
    jobs = trains(lake, active=True)
    assert len(jobs) == 2
    app = open_page(TRAIN)
    assert [link.proto.query_string for link in app.get("page_link")][:2] == [f"job={job.id}" for job in jobs[::-1]]
    app = open_page(RUN, job=str(jobs[0].id))
    assert "queued" in said(app)


def test_the_plan_is_measured_for_these_very_options(lake, open_page):
    app = open_page(TRAIN)
    labels = [metric.label for metric in app.metric]
    assert "Memory" not in labels
    press(app, "Measure the plan")
    job = Jobs(lake.open()).page(kind="plan")[0]
    assert "Training plan" in said(app)
    assert run_job(lake, job.id).state is JobState.DONE
    app.run()
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Memory"].endswith("GB") and figures["The whole run"].endswith(("s", "min", "h"))
    assert "Stop" not in [button.label for button in app.button]
    app.number_input(key="train-epochs").set_value(3).run()
    assert "Memory" not in [metric.label for metric in app.metric]


def test_missing_weights_are_named_and_fetched_as_a_job(lake, open_page, monkeypatch):
    app = open_page(TRAIN)
    app.selectbox(key="train-model").set_value("RN50").run()
    told = "\n".join(warning.value for warning in app.warning)
    assert "rn50" in told and "pretrained" in told and "text tower only" in told
    start = next(button for button in app.button if button.label == "Start training")
    assert start.disabled
    with hub_server.Hub(b"weights" * 1000) as hub:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        press(app, "Download the weights")
        job = Jobs(lake.open()).page(kind="download")[0]
        assert job.params == {"model": "RN50", "source": "huggingface"}
        assert "Stop" in [button.label for button in app.button]
        assert run_job(lake, job.id).state is JobState.DONE
    app.run()
    assert not any("not in" in warning.value for warning in app.warning)
    assert not next(button for button in app.button if button.label == "Start training").disabled


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_finished_run_shows_its_curves_examples_and_log(trained, open_page, language):
    run = Runs(trained.open()).all()[0]
    turn_round(trained.experiments / run.name / METRICS)
    app = open_page(RUN, language, run=run.name)
    assert not app.exception and not app.error
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) >= 5
    slider = app.select_slider[0]
    assert slider.value == 2 and list(slider.options) == ["0", "1", "2"]
    queries = json.loads((trained.experiments / run.name / "examples.json").read_text(encoding="utf-8"))
    assert all(query["text"][:6] in said(app) for query in queries)
    assert shown(app) == titles(trained, run, 2) and any(title.startswith("✓") for title in shown(app))
    slider.set_value(0).run()
    assert app.select_slider[0].value == 0 and not app.exception
    assert shown(app) == titles(trained, run, 0) != titles(trained, run, 2)
    assert any("Epoch 2" in code.value for code in app.code)
    assert any('"versions"' in code.value for code in app.code)


def test_a_run_is_run_again_with_another_seed_or_edited(trained, open_page):
    run = Runs(trained.open()).all()[0]
    app = open_page(RUN, run=run.name)
    app.number_input(key=f"again-seed-{run.name}").set_value(5).run()
    press(app, "Run again")
    params = trains(trained, active=True)[0].params
    assert params["options"] == {**small_config().to_dict(), "seed": 5, "lora": small_config().lora.to_dict()}
    assert (params["dataset"], params["again"]) == ("lake", run.name)
    press(open_page(RUN, run=run.name), "Edit and run")
    app = open_page(TRAIN, **{"from": run.name})
    assert (stands(app, "epochs"), stands(app, "batch"), stands(app, "rank")) == (2, 5, 4)
    assert run.name.split("-")[0] in said(app)
    app.radio(key="train-preset").set_value("quick").run()
    assert stands(app, "epochs") == PRESETS["quick"].epochs


def test_the_form_is_as_it_was_left_on_another_page(trained, open_page):
    app = open_page(TRAIN)
    app.number_input(key="train-epochs").set_value(7).run()
    app.number_input(key="train-dropout").set_value(0.5).run()
    app.pills(key="train-targets").set_value(["q"]).run()
    app.checkbox(key="train-augment").check().run()
    app.switch_page("pages/system/overview.py").run()
    app.switch_page(f"pages/{TRAIN}").run()
    assert [app.number_input(key=f"train-{name}").value for name in ("epochs", "dropout")] == [7, 0.5]
    assert app.pills(key="train-targets").value == ["q"] and app.checkbox(key="train-augment").value
    rebuild(trained, name="another")
    trained.open().execute("DELETE FROM datasets WHERE name = 'lake'")
    app.run()
    assert not app.exception and stands(app, "dataset") == "another"


def test_after_edit_and_run_no_preset_is_ticked_and_the_options_of_the_run_stay(trained, open_page):
    run = Runs(trained.open()).all()[0]
    app = open_page(TRAIN)
    app.number_input(key="train-epochs").set_value(7).run()
    app.query_params["run"] = run.name
    app.switch_page(f"pages/{RUN}").run()
    for _ in range(2):
        press(app, "Edit and run")
        app.query_params["from"] = run.name
        app.switch_page(f"pages/{TRAIN}").run()
        assert app.radio(key="train-preset").value is None
        assert [stands(app, name) for name in ("epochs", "batch", "rank")] == [2, 5, 4]
        app.selectbox(key="train-model").set_value("RN50").run()
        assert [stands(app, name) for name in ("epochs", "batch", "rank")] == [2, 5, 4]
        app.segmented_control(key="train-method").set_value("full").run()
        assert (stands(app, "epochs"), stands(app, "rate")) == (2, config_for("RN50", method="full").learning_rate)
        app.number_input(key="train-epochs").set_value(9).run()
        app.query_params["run"] = run.name
        app.switch_page(f"pages/{RUN}").run()
    press(app, "Edit and run")
    app.query_params["from"] = run.name
    app.switch_page(f"pages/{TRAIN}").run()
    app.radio(key="train-preset").set_value("quick").run()
    assert stands(app, "epochs") == PRESETS["quick"].epochs


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_option_of_a_run_has_a_name_and_its_value_words(language, monkeypatch):
    monkeypatch.setitem(st.session_state, "language", language)
    options = flat_options(small_config().to_dict())
    names = {name: option_name(name) for name in ("model", *options)}
    assert not [name for name, said in names.items() if said.startswith("train.")]
    said = {name: option_value(name, value) for name, value in options.items()}
    assert not [value for value in said.values() if value.startswith("train.") or set(value) & set('[]"_')]
    full = option_value("method", "full")
    assert full == translate("train.full", language) and option_value("memory_gb", None) == "—"


def test_runs_on_the_same_data_are_compared_and_others_are_not_offered(trained, open_page):
    db = trained.open()
    other = small_config(1, dropout=0.5, layers=1, targets=["q", "k"])
    run_job(trained, queue_run(trained, db, train_params("lake", "mini", other)).id)
    second, first = Runs(db).all()
    app = open_page(RUN, run=second.name)
    chooser = app.multiselect(key=f"compare-{second.name}")
    assert list(chooser.options) == [first.name]
    chooser.set_value([first.name]).run()
    table = {row[0]: list(row[1:]) for row in app.dataframe[0].value.itertuples(index=False)}
    assert table == {
        "Epochs": ["1", "2"],
        "LoRA dropout": ["0.5", "0"],
        "Last layers only": ["last 1", "all"],
        "Parts that get adapters": ["q k", "q k v o mlp"],
    }
    rebuild(trained, kinds=["modern"])
    run_job(trained, queue_run(trained, db, train_params("lake", "mini", small_config(1))).id)
    app = open_page(RUN, run=Runs(db).all()[0].name)
    assert not app.multiselect


class StopAt:
    """Asks a job to stop, as the button does, at a step of training."""

    def __init__(self, home, job_id, step):
        self.jobs, self.job_id, self.step = Jobs(home.open()), job_id, step

    def report(self, done, total, message="", **details):
        if message == "progress.train_step" and done >= self.step:
            self.jobs.cancel(self.job_id)

    def should_stop(self):
        return False


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_run_that_failed_says_why_what_is_kept_and_goes_on(lake, open_page, language):
    db = lake.open()
    job = queue_run(lake, db, train_params("lake", "mini", small_config(200)))
    assert run_job(lake, job.id, beside=StopAt(lake, job.id, 5)).state is JobState.CANCELLED
    folder = lake.experiments / Runs(db).of_job(job.id).name
    (folder / "last.pt").write_bytes(b"damaged")
    Jobs(db).resume(job.id)
    assert run_job(lake, job.id).state is JobState.FAILED
    app = open_page(RUN, language, job=str(job.id))
    assert not app.exception
    sentence = translate("errors.checkpoint_damaged", language, file="last.pt")
    assert sentence[-12:-2] in "".join(element.proto.text for element in app.get("progress")).replace("\\", "")
    kept = translate("run_page.kept_best", language, epoch="@").split("@")
    assert all(part in said(app) for part in kept)
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) >= 5, "the curve so far"
    press(app, translate("jobs.resume", language))
    assert Jobs(db).get(job.id).state is JobState.QUEUED


def test_a_resumed_run_does_not_take_the_pictures_it_reads_for_steps(lake, open_page):
    jobs = Jobs(lake.open())
    job = queue_run(lake, lake.open(), train_params("lake", "mini", small_config(200)))
    assert run_job(lake, job.id, beside=StopAt(lake, job.id, 5)).state is JobState.CANCELLED

    def step():
        shown = open_page(RUN, job=str(job.id)).metric
        return next(metric.value for metric in shown if metric.label == "Step")

    assert open_page(TRAIN).dataframe[0].proto.placeholder == "—", "what a run has not yet is no None"
    stopped = jobs.get(job.id)
    assert step() == f"{stopped.done} / {stopped.total}"
    jobs.resume(job.id)
    with lock_of(lake, job.id):
        assert jobs.begin(job.id)
        jobs.report(job.id, 100, 289, "progress.reading_pictures", {})
        assert step() == f"{stopped.done}"


def test_an_address_without_a_run_says_so_and_one_of_no_job_names_it(trained, open_page):
    app = open_page(RUN)
    assert app.info[0].value == "Choose a run on the Training page." and not app.error
    assert "abc" in open_page(RUN, job="abc").error[0].value


def test_the_log_of_a_run_holds_no_line_of_the_console(lake, open_page):
    job = queue_run(lake, lake.open(), train_params("lake", "mini", small_config()))
    child = spawn(lake, job)
    assert child.wait(120) == 0
    app = open_page(RUN, job=str(job.id))
    log = next(code.value for code in app.code if "Epoch 2" in code.value)
    assert "Training 100%" not in log and "100%" not in log


def test_many_runs_beside_each_other_leave_the_chart_its_room():
    runs = {f"{n:04d}": [{"epoch": 0, "mean_recall": 50.0}] for n in range(5)}
    few, many = (runs_chart(dict(list(runs.items())[:n])).to_dict()["height"] for n in (1, 5))
    assert many - few >= 4 * 20, "a line of the legend for each"


def test_what_the_memory_guard_did_is_said(trained, open_page):
    run = Runs(trained.open()).all()[0]
    file = trained.experiments / run.name / METRICS
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["kind"] == "step" and row["step"] >= 3:
            row["micro_batch"] = 2
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    app = open_page(RUN, run=run.name)
    assert any("From step 3 on, 2 pictures" in info.value for info in app.info)


def test_a_run_with_damaged_files_opens(trained, open_page):
    run = Runs(trained.open()).all()[0]
    folder = trained.experiments / run.name
    (folder / METRICS).write_bytes(
        b'\xff\xfe\n5\n{"a": 1}\n{"kind": "step", "step": 1}\n' + (folder / METRICS).read_bytes()
    )
    app = open_page(RUN, run=run.name)
    assert not app.exception and not app.error and app.select_slider
    file = folder / "examples.json"
    one = json.dumps(json.loads(file.read_text(encoding="utf-8"))[:1])
    for content in ("{", '[{"text": 5}]', one):
        file.write_text(content, encoding="utf-8")
        app = open_page(RUN, run=run.name)
        assert not app.exception and not app.error and not app.select_slider, "no answers beside other queries"
