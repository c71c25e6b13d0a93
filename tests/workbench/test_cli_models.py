"""The command line from pictures and passages to a tuned model, its figures and a search, on a tiny home."""

import csv
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from core.demo.worlds import training_world
from core.model.spec import MINI
from db.experiments import Datasets, Evaluations, Runs
from db.home import Home
from db.jobs import Jobs
from workbench.cli import songclip as command
from workbench.tasks.models import base_name

SCENES = 20


def invoke(home, *arguments):
    ended = CliRunner().invoke(command, ["--home", str(home), *map(str, arguments), "--json"], catch_exceptions=False)
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.count("\n") == 1
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The home after the walk, and the document of each command."""
    folder = tmp_path_factory.mktemp("walk")
    home, pictures = folder / "clip_data", folder / "pictures"
    pictures.mkdir()
    records, pairs = [], []
    for number, item in enumerate(training_world(SCENES, 5), 1):
        (pictures / f"{number}.jpg").write_bytes(item.jpeg())
        shape = {"id": number, "source": "示例", "original_text": item.passage, "entities": []}
        records.append(shape | {"modern_chinese": item.modern, "search_prompt": item.modern[:12]})
        pairs.append([number, f"{number}.jpg"])
    (folder / "annotations.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["passage_id", "image"], *pairs])
    said = {"annotations": invoke(home, "annotations", "import", folder / "annotations.json", "--as", "approved")}
    said["images"] = invoke(home, "images", "import", pictures)
    said["pairs"] = invoke(home, "pairs", "import", folder / "pairs.csv")
    said["dataset"] = invoke(home, "dataset", "build", "lake", "--valid", 0.2, "--test", 0.3)
    said["base"] = invoke(home, "evaluate", "--dataset", "lake")
    said["train"] = invoke(home, "train", "--dataset", "lake", "--epochs", 1, "--device", "cpu")
    said["tuned"] = invoke(home, "evaluate", "--dataset", "lake", "--run", said["train"]["run"], "--split", "valid")
    said["search"] = invoke(home, "search", "湖上石桥", "--top", 5)
    return Home(home), said


@pytest.fixture
def home(walked):
    """The walk's home, also for the ``songclip`` fixture."""
    return walked[0]


@pytest.fixture
def said(walked):
    return walked[1]


def test_the_dataset_holds_every_approved_pair_once(home, said):
    assert said["annotations"]["imported"] == said["images"]["imported"] == said["pairs"]["added"] == SCENES
    built = said["dataset"]
    assert (built["name"], Path(built["path"])) == ("lake", home.datasets / "lake")
    assert built["excluded"] == []
    assert set(built["splits"]) == {"train", "valid", "test"}
    assert sum(split["images"] for split in built["splits"].values()) == SCENES
    assert all(set(split) >= {"images", "texts", "pairs"} and split["pairs"] for split in built["splits"].values())
    assert built["hash"] == Datasets(home.open()).get("lake").hash
    for name in ("train_imgs.tsv", "train_texts.jsonl", "lmdb/train/pairs", "manifest.json"):
        assert (home.datasets / "lake" / name).exists()


def test_built_again_it_is_the_same_dataset(home, said):
    again = invoke(home.path, "dataset", "build", "again", "--valid", 0.2, "--test", 0.3)
    assert again["hash"] == said["dataset"]["hash"]
    other = invoke(home.path, "dataset", "build", "other", "--valid", 0.2, "--test", 0.3, "--seed", 1)
    assert other["hash"] != said["dataset"]["hash"]


def test_the_run_leaves_its_adapter_and_its_figures(home, said):
    trained = said["train"]
    assert {"run", "path", "adapter", "merged", "trainable", "total", "best_epoch", "epochs"} <= set(trained)
    assert Path(trained["adapter"]).is_file() and Path(trained["path"]) == home.experiments / trained["run"]
    assert 0 < trained["trainable"] < trained["total"] and trained["best_epoch"] == 1
    config = json.loads((home.experiments / trained["run"] / "config.json").read_text(encoding="utf-8"))
    assert (config["dataset_hash"], config["model"]) == (said["dataset"]["hash"], MINI)
    assert Runs(home.open()).get(trained["run"]).summary["adapter"] == trained["adapter"]


def test_the_figures_say_what_they_were_measured_on(home, said):
    for name, split, run in (("base", "test", None), ("tuned", "valid", said["train"]["run"])):
        figures = said[name]
        size = said["dataset"]["splits"][split]
        assert (figures["run"], figures["model"], figures["split"]) == (run, MINI, split)
        assert (figures["queries"], figures["gallery"]) == (size["texts"], size["images"])
        for way in ("t2i", "i2t"):
            assert {"R@1", "R@5", "R@10", "mean", "ci"} <= set(figures[way])
            low, high = figures[way]["ci"]["R@5"]
            assert 0 <= low <= figures[way]["R@5"] <= high <= 100
        assert set(figures["chance"]) >= {"R@1"} or set(figures["chance"]) >= {"t2i"}
    assert {record.run for record in Evaluations(home.open()).current()} == {"", said["train"]["run"]}


def test_the_figures_a_person_reads_have_their_intervals(songclip, said):
    lines = songclip(
        "evaluate", "--dataset", "lake", "--split", "valid", "--run", said["train"]["run"]
    ).out.splitlines()
    for line, way in zip(lines, ("t2i", "i2t"), strict=True):
        figures = said["tuned"][way]
        for k in (1, 5, 10):
            low, high = figures["ci"][f"R@{k}"]
            assert f"R@{k} {figures[f'R@{k}']:.1f} [{low:.1f}–{high:.1f}]" in line


@pytest.mark.parametrize("name", ["search", "evaluate", "ablate", "train"])
def test_every_option_that_names_something_is_explained(name):
    options = [parameter for parameter in command.commands[name].params if isinstance(parameter, click.Option)]
    assert not [option.name for option in options if not option.help]


def test_a_search_names_the_nearest_pictures_in_order(home, said):
    document = said["search"]
    assert (document["query"], document["run"], document["model"]) == ("湖上石桥", None, MINI)
    assert [row["rank"] for row in document["results"]] == [1, 2, 3, 4, 5]
    scores = [row["score"] for row in document["results"]]
    assert scores == sorted(scores, reverse=True)
    assert {"rank", "image_id", "sha256", "title", "score"} <= set(document["results"][0])
    again = invoke(home.path, "search", "湖上石桥", "--top", 5)
    assert again["results"] == document["results"]
    tuned = invoke(home.path, "search", "湖上石桥", "--run", said["train"]["run"])
    assert (tuned["run"], tuned["model"], len(tuned["results"])) == (said["train"]["run"], MINI, 10)


def test_a_picture_finds_itself(home, said, tmp_path):
    image = said["search"]["results"][2]
    file = next(home.images.rglob(f"{image['sha256']}.jpg"))
    found = invoke(home.path, "search", "", "--image", file, "--top", 1)["results"]
    assert found[0]["sha256"] == image["sha256"] and found[0]["score"] > 0.98


def test_each_long_command_is_a_job_that_ended(home):
    jobs = Jobs(home.open()).page()
    assert {"dataset", "train"} <= {job.kind for job in jobs}
    assert {job.state.value for job in jobs} == {"done"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "--dataset", "nowhere"], "nowhere"),
        (["train", "--dataset", "lake", "--model", "oracle"], "oracle"),
        (["train", "--dataset", "lake", "--model", "ViT-B-16"], "ViT-B-16"),
        (["train", "--dataset", "lake", "--device", "abacus"], "abacus"),
        (["train", "--dataset", "lake", "--preset", "hasty"], "hasty"),
        (
            ["train", "--dataset", "lake", "--towers", "text,ears"],
            "towers cannot be “text,ears”; there are: vision, text",
        ),
        (["train", "--dataset", "lake", "--targets", "x"], "q, k, v, o, mlp"),
        (["train", "--dataset", "lake", "--layers", 5], "layers"),
        (["ablate", "--dataset", "lake", "--model", "oracle"], "oracle"),
        (["evaluate", "--dataset", "nowhere"], "nowhere"),
        (["evaluate", "--dataset", "lake", "--run", "0099-lora"], "0099-lora"),
        (["evaluate", "--dataset", "lake", "--run", "0001-lora-r16", "--model", "mini"], ""),
        (["search", " "], ""),
        (["search", "湖", "--run", "0099-lora"], "0099-lora"),
        (["search", "湖", "--strength", 0.5], "--run"),
        (["search", "湖", "--image", "nowhere.jpg"], "nowhere.jpg"),
        (["search", "湖", "--model", "oracle"], "oracle"),
        (["dataset", "build", "../outside"], ""),
        (["dataset", "build", "x", "--status", "perfect"], "perfect"),
        (["dataset", "build", "x", "--caption", "song"], "song"),
        (["doctor", "--model", "oracle"], "oracle"),
    ],
)
def test_mistakes_are_said_in_one_line(songclip, home, arguments, part):
    recorded = (Runs(home.open()).all(), Evaluations(home.open()).all(), Datasets(home.open()).all())
    trained = len(Jobs(home.open()).page(kind="train"))
    assert songclip(*arguments, "--json").mistake(part)
    assert (Runs(home.open()).all(), Evaluations(home.open()).all(), Datasets(home.open()).all()) == recorded
    assert len(Jobs(home.open()).page(kind="train")) == trained
    assert len(list(home.experiments.iterdir())) == 1


@pytest.mark.parametrize(
    "wrong", [["--accumulation", 0], ["--layers", -1], ["--layers", "last"], ["--accumulation", "1.5"]]
)
def test_options_that_are_no_such_number_are_not_taken(songclip, wrong):
    ended = songclip("train", "--dataset", "lake", *wrong)
    assert ended.code == 2 and wrong[0] in ended.err


def test_an_empty_home_says_what_is_missing(songclip, tmp_path):
    empty = tmp_path / "empty"
    assert songclip("dataset", "build", "x", at=empty).mistake()
    assert songclip("search", "湖", at=empty).mistake("no pictures")


def test_doctor_encodes_three_texts(songclip):
    document = songclip("doctor", "--model", MINI, "--json").document
    assert document["shape"][0] == 3 and document["model"] == MINI
    assert {"device", "versions", "weights"} <= set(document)
    assert "西湖美景" in songclip("doctor", "--model", MINI).out


def test_a_model_file_is_remembered_by_its_whole_path(home, tmp_path, monkeypatch):
    (tmp_path / "own.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    assert base_name(home, "own.safetensors") == str(tmp_path / "own.safetensors")
    assert base_name(home, MINI) == base_name(home, "") == MINI
    assert base_name(home, "nowhere.safetensors") == "nowhere.safetensors"
