"""Pairs that somebody refused, from the table to the weights of a run."""

import numpy as np
import pytest

from core.dataset.manifest import read_manifest
from core.progress import Silent
from core.records import JobState
from db.images import Images, Pairs
from db.jobs import Jobs
from tests.training_home import fill, rebuild, small_config
from workbench.jobs.running import run_job, submit
from workbench.tasks.models import load
from workbench.tasks.options import train_params
from workbench.tasks.splits import read_encoded


@pytest.fixture
def filled(home):
    fill(home)
    return home


def encoded(home, split="train"):
    return read_encoded(home.datasets / "lake", split, load(home, home.open(), model="mini"), Silent())


def wrong_pairs(split, count=6):
    """Passages of a split, each with the picture of the next one."""
    return [(split.passages[t], split.image_ids[split.text_images[(t + 1) % count][0]]) for t in range(count)]


def refuse(home, pairs):
    Pairs(home.open()).refuse([(*pair, "") for pair in pairs], who="test")


def test_refused_pairs_are_in_the_next_dataset_and_only_within_a_split(filled):
    before = read_manifest(filled.datasets / "lake")
    train, valid = encoded(filled), encoded(filled, "valid")
    across = [(train.passages[0], valid.image_ids[0]), (valid.passages[0], train.image_ids[0])]
    refuse(filled, [*wrong_pairs(train), *across])
    assert encoded(filled).training_data().rejected == [], "a built dataset does not change"
    rebuild(filled)
    after = read_manifest(filled.datasets / "lake")
    assert after.hash != before.hash
    assert after.splits["train"]["refused"] == 6 and "refused" not in after.splits["valid"]
    again = encoded(filled)
    data = again.training_data()
    assert {(again.passages[text], again.image_ids[image]) for image, text in data.rejected} == set(wrong_pairs(train))
    assert sum(map(len, data.wrong_texts.values())) == 6
    for passage, image in (*wrong_pairs(train), *across):
        Pairs(filled.open()).take_back(passage, image)
    rebuild(filled)
    assert read_manifest(filled.datasets / "lake").hash == before.hash


def test_training_pushes_refused_pairs_apart(filled):
    config = small_config(12)
    pairs = wrong_pairs(encoded(filled))

    def margin(home):
        ended = run_job(home, submit(home, Jobs(home.open()), "train", train_params("lake", "mini", config)).id)
        assert ended.state is JobState.DONE, ended
        split = encoded(home)
        texts, images = split.features(load(home, home.open(), run=ended.result["run"]))
        scores = texts @ images.T
        right = [scores[text, split.text_images[text][0]] for text in range(len(pairs))]
        wrong = [scores[text, split.image_ids.index(image)] for text, (_, image) in enumerate(pairs)]
        return float(np.mean(np.subtract(right, wrong)))

    without = margin(filled)
    refuse(filled, pairs)
    rebuild(filled)
    assert margin(filled) > without


def test_a_table_does_not_undo_what_somebody_decided(songclip, filled, tmp_path):
    db = filled.open()
    images = {image.id: image.sha256 for image in Images(db).all()}
    Pairs(db).refuse([(1, 2, "another hill")], who="test")
    table = tmp_path / "pairs.csv"
    table.write_text(f"passage_id,image\n1,{images[2]}\n1,{images[3]}\n1,{images[1]}\n", encoding="utf-8")
    found = songclip("pairs", "import", table, "--json").document
    assert (found["added"], found["present"], [row["where"] for row in found["rejected"]]) == (1, 1, ["pairs.csv:2"])
    found = songclip("pairs", "import", table, "--refused", "--json").document
    assert (found["added"], found["present"], len(found["rejected"])) == (0, 1, 2)
    out = tmp_path / "refused.csv"
    assert songclip("pairs", "export", out, "--refused", "--json").document["exported"] == 1
    assert out.read_text(encoding="utf-8-sig").splitlines()[1:] == [f"1,{images[2]},1.jpg,another hill"]
    Pairs(db).take_back(1, 2)
    assert songclip("pairs", "import", out, "--refused", "--json").document["added"] == 1
    (refused,) = Pairs(db).all(refused=True)
    assert (refused.passage_id, refused.image_id, refused.note) == (1, 2, "another hill")
