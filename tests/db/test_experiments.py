import pytest

from core.errors import NotFoundError
from db.experiments import Datasets, Evaluations, Runs


@pytest.fixture
def dataset(db):
    Datasets(db).put("西湖", "hash-1", {"splits": {"train": {"pairs": 4}}})
    return Datasets(db).get("西湖")


def test_a_dataset_built_again_replaces_the_record(db, dataset):
    datasets = Datasets(db)
    datasets.put("other", "h", {})
    datasets.put("西湖", "hash-2", {"seed": 1})
    assert [(record.name, record.hash) for record in datasets.all()] == [("西湖", "hash-2"), ("other", "h")]
    assert datasets.get("西湖").manifest == {"seed": 1}
    with pytest.raises(NotFoundError):
        datasets.get("西湖 ")


def test_runs_get_names_of_their_own_and_end_with_a_summary(db, dataset):
    runs = Runs(db)
    made = [
        runs.add(dataset=dataset, model="mini", method="lora", config={"rank": 4}, job_id=None, label=label)
        for label in ("lora-r4", "lora-r4", "")
    ]
    assert [run.name for run in made] == ["0001-lora-r4", "0002-lora-r4", "0003-lora"]
    assert made[0].summary == {} and made[0].config == {"rank": 4}
    assert (made[0].dataset, made[0].dataset_hash) == ("西湖", "hash-1")
    runs.finish(made[0].name, {"best_epoch": 3})
    assert runs.get(made[0].name).summary == {"best_epoch": 3}
    assert [run.name for run in runs.all()] == [run.name for run in reversed(made)]
    with pytest.raises(NotFoundError):
        runs.get("0009-lora")


def test_a_job_finds_its_run(db, dataset):
    from db.jobs import Jobs

    job = Jobs(db).submit("train", "gpu", {})
    runs = Runs(db)
    assert runs.of_job(job.id) is None
    run = runs.add(dataset=dataset, model="mini", method="lora", config={}, job_id=job.id)
    assert runs.of_job(job.id) == run


def test_a_measurement_of_data_built_anew_does_not_replace_the_old(db, dataset):
    evaluations = Evaluations(db)
    for figure in (1, 2):
        evaluations.add(dataset=dataset, split="test", model="mini", run="", figures={"R@1": figure})
    evaluations.add(dataset=dataset, split="test", model="mini", run="0001-lora", figures={"R@1": 3})
    Datasets(db).put("西湖", "hash-2", {})
    evaluations.add(dataset=Datasets(db).get("西湖"), split="test", model="mini", run="", figures={"R@1": 4})
    assert [record.figures["R@1"] for record in evaluations.all()] == [4, 3, 2, 1]
    assert [record.figures["R@1"] for record in evaluations.current()] == [4, 3, 2]
