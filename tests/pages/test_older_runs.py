"""A run that an earlier version recorded, which measured and configured less, is still shown."""

import json

from core.progress import Silent
from db.experiments import Datasets, Runs
from workbench.tasks.datasets import build


def test_the_metrics_of_an_earlier_version_are_drawn(filled, open_page):
    params = {"name": "mine", "kinds": ["original"], "statuses": ["approved"], "valid": 0, "test": 0, "seed": 1}
    build(filled, filled.open(), params, Silent())
    old = {"method": "lora", "epochs": 1, "batch_size": 8, "seed": 0, "lora": {"rank": 4, "alpha": 16.0}}
    run = Runs(filled.open()).add(
        dataset=Datasets(filled.open()).get("mine"), model="mini", method="lora", config=old, job_id=None
    )
    step = {"kind": "step", "step": 1, "epoch": 1, "loss": 2.0, "lr": 1e-3, "images_per_second": 10.0, "seconds": 1.0}
    folder = filled.experiments / run.name
    folder.mkdir(parents=True)
    rows = [step, {**step, "step": 2}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    app = open_page("model/run.py", run=run.name)
    assert not app.exception and not app.error
    assert any(metric.value == "10" for metric in app.metric)
