"""Training as a task: frozen, followed, stopped, killed, refused by a full disk, and gone on with."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from core.errors import InputError, NotFoundError
from core.records import JobState
from core.training import pixels
from core.training.checkpoints import BEST, LAST
from core.training.presets import FULL_RATE_RELEASED, PRESETS
from db.experiments import Datasets, Runs
from db.images import Images
from db.jobs import Jobs
from tests.training_home import StopAt, fill, rebuild, small_config
from workbench.jobs.dispatching import spawn
from workbench.jobs.running import recover, run_job, submit
from workbench.tasks import run_files
from workbench.tasks.options import config_for, params_again, train_params
from workbench.tasks.run_files import METRICS, MetricsLog, memory_notes, read_examples, read_metrics, tail, time_left
from workbench.tasks.training import queue_run


@pytest.fixture
def filled(home):
    fill(home)
    return home


def submitted(home, config, **more):
    return submit(home, Jobs(home.open()), "train", train_params("lake", "mini", config, **more)).id


def folder_of(home, job_id):
    return home.experiments / Runs(home.open()).of_job(job_id).name


def step_numbers(folder):
    rows = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
    return [row["step"] for row in rows if row["kind"] == "step"]


def test_what_is_chosen_by_hand_goes_over_a_preset():
    config = config_for(
        "ViT-B-16", preset="careful", dropout=0.0, targets=["mlp", "q"], texts="all", patience=2, memory=3
    )
    assert (config.lora.rank, config.lora.dropout, config.lora.targets) == (2, 0.0, ("mlp", "q"))
    assert (config.texts_per_image, config.patience, config.memory_gb) == ("all", 2, 3)
    assert config.learning_rate == PRESETS["careful"].learning_rate
    config = config_for("ViT-B-16", preset="plan", accumulation=3, layers=2, towers=["text"])
    assert (config.effective_batch, config.lora.layers, config.lora.towers) == (24, (-2, -1), ("text",))
    assert config_for("ViT-B-16", layers=0).lora.layers is None
    plan = PRESETS["plan"]
    assert (plan.lora.rank, plan.lora.alpha, plan.learning_rate, plan.weight_decay) == (4, 16, 1e-4, 0.01)
    assert (plan.epochs, plan.batch_size, plan.accumulation) == (30, 8, 4)


def test_alpha_follows_the_rank_unless_it_is_chosen():
    assert config_for("ViT-B-16", rank=8).lora.alpha == 32
    assert config_for("ViT-B-16", rank=8, alpha=5).lora.alpha == 5
    assert config_for("ViT-B-16", alpha=5).lora.rank == 4


def test_a_full_fine_tune_takes_its_own_rate_under_any_preset():
    for preset in ("", "plan", "laptop_6gb"):
        config = config_for("ViT-B-16", method="full", preset=preset)
        assert (config.method, config.learning_rate) == ("full", FULL_RATE_RELEASED)


@pytest.mark.parametrize(
    "options",
    [
        {"targets": ["x"]},
        {"targets": []},
        {"preset": "hasty"},
        {"texts": "some"},
        {"towers": ["ears"]},
        {"towers": []},
        {"accumulation": 0},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(InputError):
        config_for("mini", **options)


def test_a_run_is_frozen_with_what_made_it_and_followed_from_before_the_first_step(filled, db, monkeypatch):
    monkeypatch.setattr(pixels, "IN_MEMORY", 0)  # pictures go into the run's folder
    ended = run_job(filled, submitted(filled, small_config(seed=3)))
    assert ended.state is JobState.DONE, ended
    run = Runs(db).of_job(ended.id)
    folder = filled.experiments / run.name
    frozen = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert frozen["dataset_hash"] == Datasets(db).get("lake").hash and frozen["seed"] == 3
    assert {"torch", "songclip-workbench", "python"} <= set(frozen["extra"]["versions"])
    assert frozen["extra"]["threads"] == run.summary["threads"] > 0 and "code" in frozen["extra"]
    assert not list(folder.glob("pixels-*")), "the decoded pictures are removed at the end"
    steps, epochs = read_metrics(folder)
    assert [row["epoch"] for row in epochs] == [0, 1, 2]
    assert step_numbers(folder) == [row["step"] for row in steps] == list(range(1, len(steps) + 1))
    assert {"loss", "lr", "memory", "images_per_second", "texts_per_second"} <= set(steps[-1])
    queries = read_examples(folder)
    valid_ids = {image.id for image in Images(db).all()}
    assert 1 < len(queries) <= run_files.EXAMPLES_SHOWN and all(set(q.images) <= valid_ids for q in queries)
    for row in epochs:
        for query, found in zip(queries, row["examples"], strict=True):
            assert len(set(found["top"])) == min(run_files.TOP, 6)
            inside = [place for place, image in enumerate(found["top"], 1) if image in query.images]
            assert inside == [found["rank"]] if inside else found["rank"] > len(found["top"])
    assert "Epoch 2" in tail([folder / run_files.LOG])


def test_a_stopped_run_goes_on_and_its_curve_is_whole(filled, db, monkeypatch):
    config, jobs = small_config(30), Jobs(db)
    whole = folder_of(filled, run_job(filled, submitted(filled, config)).id)
    monkeypatch.setattr(pixels, "IN_MEMORY", 0)
    job = submitted(filled, config)
    assert run_job(filled, job, beside=StopAt(jobs, job, 3)).state is JobState.CANCELLED
    folder = folder_of(filled, job)
    stopped_at = len(step_numbers(folder))
    assert 3 <= stopped_at < len(step_numbers(whole))
    decoded = {file: file.stat().st_mtime_ns for file in folder.glob("pixels-*.npy")}
    assert len(decoded) == 2
    jobs.resume(job)
    assert run_job(filled, job, beside=StopAt(jobs, job, stopped_at + 3)).state is JobState.CANCELLED
    assert {file: file.stat().st_mtime_ns for file in folder.glob("pixels-*.npy")} == decoded, "decoded once"
    jobs.resume(job)
    assert run_job(filled, job).state is JobState.DONE
    assert step_numbers(folder) == step_numbers(whole)
    losses = [[row["loss"] for row in read_metrics(part)[0]] for part in (whole, folder)]
    assert losses[0] == losses[1], "a resumed run equals the uninterrupted one"
    recalls = [[(row["mean_recall"], row["examples"]) for row in read_metrics(part)[1]] for part in (whole, folder)]
    assert recalls[0] == recalls[1]


def wait_for_steps(folder, count, seconds=90):
    deadline = time.monotonic() + seconds
    while not (folder.is_dir() and len(read_metrics(folder)[0]) >= count):
        assert time.monotonic() < deadline, "no steps"
        time.sleep(0.02)


def test_a_killed_process_is_interrupted_and_its_run_goes_on_whole(filled, db):
    jobs, config = Jobs(db), small_config(30)
    whole = folder_of(filled, run_job(filled, submitted(filled, config)).id)
    job = submitted(filled, config)
    assert jobs.claim()[0].id == job
    process = spawn(filled, jobs.get(job))
    wait_for_steps(filled.experiments / "0002-lora-r4", 5)
    process.send_signal(signal.SIGKILL) if sys.platform != "win32" else process.kill()
    process.wait()
    assert recover(filled, jobs) == 1 and jobs.get(job).state is JobState.INTERRUPTED
    folder = folder_of(filled, job)
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')  # killed in the middle of a line
    jobs.resume(job)
    assert run_job(filled, job).state is JobState.DONE
    assert step_numbers(folder) == step_numbers(whole)
    assert [row["loss"] for row in read_metrics(folder)[0]] == [row["loss"] for row in read_metrics(whole)[0]]
    assert [row["epoch"] for row in read_metrics(folder)[1]] == list(range(31))


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
def test_a_full_disk_ends_with_a_sentence_and_the_best_is_kept(filled, db):
    import resource

    jobs = Jobs(db)
    job = submitted(filled, replace(small_config(400), lora=replace(small_config().lora, rank=64)))
    jobs.claim()
    process = spawn(filled, jobs.get(job))
    folder = filled.experiments / "0001-lora-r64"
    wait_for_steps(folder, 6)
    limit = (folder / BEST).stat().st_size + 1000
    assert limit < (folder / LAST).stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    process.wait(60)
    ended = jobs.get(job)
    assert (ended.state, ended.error) == (JobState.FAILED, "file_not_written"), ended
    assert ended.error_details["file"] == LAST
    assert (folder / BEST).is_file() and (folder / LAST).is_file()
    jobs.resume(job)
    going_on = run_job(filled, job, beside=StopAt(jobs, job, 1))
    assert going_on.state is JobState.CANCELLED and step_numbers(folder) == list(
        range(1, len(step_numbers(folder)) + 1)
    )


def test_a_run_does_not_go_on_with_other_data(filled, db):
    jobs, job = Jobs(db), submitted(filled, small_config(200))
    assert run_job(filled, job, beside=StopAt(jobs, job, 1)).state is JobState.CANCELLED
    rebuild(filled, kinds=["modern"])
    jobs.resume(job)
    ended = run_job(filled, job)
    assert (ended.state, ended.error) == (JobState.FAILED, "run_dataset_rebuilt")
    assert (folder_of(filled, job) / LAST).is_file()


def test_a_run_neither_begins_nor_goes_on_with_files_that_were_changed(filled, db):
    folder, jobs = filled.datasets / "lake", Jobs(db)
    valid = {file: file.read_bytes() for file in (folder / "valid_texts.jsonl", folder / "lmdb/valid/imgs/data.mdb")}
    job = submitted(filled, small_config(8))
    assert run_job(filled, job, beside=StopAt(jobs, job, 1)).state is JobState.CANCELLED
    for file in valid:
        file.write_bytes((folder / file.relative_to(folder).as_posix().replace("valid", "train")).read_bytes())
    jobs.resume(job)
    for each in (job, submitted(filled, small_config(3, seed=1))):
        ended = run_job(filled, each)
        assert (ended.state, ended.error) == (JobState.FAILED, "dataset_changed"), ended
        assert ended.error_details["files"] == "lmdb/valid/imgs/data.mdb, valid_texts.jsonl"
    assert not (folder_of(filled, each) / METRICS).exists(), "nothing was trained"
    for file, data in valid.items():
        file.write_bytes(data)
    jobs.resume(job)
    assert run_job(filled, job).state is JobState.DONE


def test_a_double_click_makes_one_run_and_another_seed_a_second(filled, db):
    first = queue_run(filled, db, train_params("lake", "mini", small_config()))
    queue_run(filled, db, train_params("lake", "mini", small_config(seed=1)))
    again = queue_run(filled, db, train_params("lake", "mini", small_config()))
    assert again.id == first.id
    waiting = Jobs(db).page(kind="train", active=True)
    assert [job.params["options"]["seed"] for job in waiting] == [1, 0]
    assert [job.id for job in Jobs(db).claim()] == [first.id], "one at a time"


def test_a_run_once_more_has_the_same_options_and_says_of_which_it_is(filled, db):
    job = run_job(filled, submitted(filled, small_config(1), kinds=["original"]))
    run = Runs(db).of_job(job.id)
    repeated = run_job(filled, queue_run(filled, db, params_again(run)).id)
    second = Runs(db).of_job(repeated.id)
    assert second.config["extra"]["again"] == run.name and second.config["extra"]["kinds"] == ["original"]
    assert {**second.config, "extra": 0} == {**run.config, "extra": 0}
    first_loss, second_loss = ([r["loss"] for r in read_metrics(filled.experiments / x.name)[0]] for x in (run, second))
    assert first_loss == second_loss
    assert params_again(run, seed=9)["options"]["seed"] == 9


def test_nothing_is_queued_for_what_is_not_there(filled, db):
    with pytest.raises(NotFoundError):
        queue_run(filled, db, train_params("nowhere", "mini", small_config()))
    with pytest.raises(Exception, match="weights_absent"):
        queue_run(filled, db, train_params("lake", "ViT-B-16", small_config()))
    assert Jobs(db).page() == []


def step(number, epoch=1, micro_batch=8, seconds=0.0):
    return {"step": number, "epoch": epoch, "micro_batch": micro_batch, "seconds": seconds, "loss": 1.0, "lr": 0.1}


def test_steps_that_are_repeated_replace_those_after_the_checkpoint(tmp_path):
    file = tmp_path / METRICS
    log = MetricsLog(file, fresh=True)
    for number in (1, 2, 3):
        log.step(step(number))
    log.epoch({"epoch": 1})
    log.step(step(4, epoch=2))
    resumed = MetricsLog(file, fresh=False)
    resumed.step(step(3, micro_batch=4))
    assert step_numbers(tmp_path) == [1, 2, 3]
    steps, epochs = read_metrics(tmp_path)
    assert steps[-1]["micro_batch"] == 4 and epochs == []
    resumed.epoch({"epoch": 1})
    MetricsLog(file, fresh=False).epoch({"epoch": 2})
    assert step_numbers(tmp_path) == [1, 2, 3] and [row["epoch"] for row in read_metrics(tmp_path)[1]] == [1, 2]
    MetricsLog(file, fresh=False).complete([{"epoch": 0}, {"epoch": 1}, {"epoch": 2}])
    assert [row["epoch"] for row in read_metrics(tmp_path)[1]] == [0, 1, 2]
    assert MetricsLog(file, fresh=True) and not file.exists()


def test_time_left_and_what_the_memory_guard_did_are_read_from_the_steps():
    steps = [step(1, seconds=2.0), step(2, seconds=4.0), step(3, micro_batch=4, seconds=6.0)]
    assert time_left(steps[:1], [], 10, 5) is None
    assert time_left(steps, [], 10, 5) == 14
    assert time_left(steps, [{"epoch": 1, "valid_seconds": 1.5}], 10, 5) == 14 + 4 * 1.5
    assert memory_notes(steps) == [{"step": 3, "before": 8, "now": 4}]


def test_the_command_line_takes_the_options_and_refuses_what_cannot_be(filled):
    def train(*words):
        line = [sys.executable, "-m", "workbench.cli", "--home", str(filled.path), "train", "--dataset", "lake", *words]
        return subprocess.run([*line, "--json"], capture_output=True, text=True, encoding="utf-8")

    options = ["--preset", "careful", "--alpha", "6", "--dropout", "0.1", "--targets", "q, v", "--texts", "all"]
    options += ["--towers", "text", "--layers", "1", "--batch-size", "4", "--accumulation", "2", "--best-at", "texts"]
    said = json.loads(train(*options, "--epochs", "1", "--patience", "1", "--memory", "2").stdout)
    config = Runs(filled.open()).get(said["run"]).config
    assert (config["lora"]["towers"], config["lora"]["layers"]) == (["text"], [-1])
    assert (config["batch_size"], config["accumulation"], config["best_at"]) == (4, 2, "texts")
    assert (config["lora"]["alpha"], config["lora"]["dropout"], config["lora"]["targets"]) == (6, 0.1, ["q", "v"])
    assert (config["texts_per_image"], config["patience"], config["memory_gb"]) == ("all", 1, 2)
    wrong = train("--targets", "q,z")
    assert wrong.returncode == 1 and "targets" in wrong.stderr and wrong.stderr.count("\n") == 1
    assert train("--texts", "some").returncode == train("--dropout", "1").returncode == 2
    assert len(Runs(filled.open()).all()) == 1
