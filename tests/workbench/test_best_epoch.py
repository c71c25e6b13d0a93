"""Which epoch becomes the result of a run: the one that is best at what was asked for."""

import pytest

from core.progress import Silent
from core.training.config import TrainConfig
from core.training.presets import PRESETS, default_config
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import fill, small_config
from workbench.jobs.running import run_job, submit
from workbench.tasks.evaluating import measure
from workbench.tasks.options import config_for, train_params
from workbench.tasks.run_files import read_metrics
from workbench.tasks.training import best_recall


def figures(**kinds):
    return {"t2i": {"mean": 60.0}, "i2t": {"mean": 100.0}, "kinds": {k: {"mean": v} for k, v in kinds.items()}}


def test_the_sources_own_words_all_texts_or_both_directions():
    found = figures(original=30.0, modern=90.0)
    assert [best_recall(found, how) for how in ("sources", "texts", "both")] == [30.0, 60.0, 80.0]
    assert best_recall(figures(modern=90.0), "sources") == 60.0, "where no source has words of its own, all texts ask"


def test_whoever_chooses_nothing_gets_the_words_of_the_sources_and_an_older_run_keeps_what_it_had():
    assert {config.best_at for config in PRESETS.values()} == {"sources"}
    assert default_config("mini", "full").best_at == config_for("ViT-B-16").best_at == "sources"
    assert config_for("mini", best_at="both").best_at == "both"
    older = default_config("mini").to_dict()
    del older["best_at"]
    assert TrainConfig.from_dict(older).best_at == "both"


@pytest.mark.parametrize("best_at", ["sources", "texts", "both"])
def test_the_result_is_the_epoch_that_was_best_at_it(home, db, best_at):
    fill(home, kinds=["original", "modern"])
    params = train_params("lake", "mini", small_config(4, best_at=best_at))
    ended = run_job(home, submit(home, Jobs(db), "train", params).id)
    run = Runs(db).of_job(ended.id)
    scores = {row["epoch"]: row["mean_recall"] for row in read_metrics(home.experiments / run.name)[1]}
    best = run.summary["best_epoch"]
    assert run.summary["best_at"] == best_at and best > 0
    assert scores[best] == max(score for epoch, score in scores.items() if epoch)
    measured = measure(home, db, "lake", split="valid", run=run.name, progress=Silent())
    assert best_recall(measured, best_at) == pytest.approx(scores[best])
