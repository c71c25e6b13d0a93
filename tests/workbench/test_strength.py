"""How much a run's tuning counts: in a search, in a figure, along the line from base to tuned."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import torch

from core.errors import InputError, ModelError
from core.model.weights import read_safetensors, save_merged, write_safetensors
from core.progress import Silent
from db.experiments import Evaluations
from tests.tuned_home import tuned_home
from workbench.i18n import explain
from workbench.tasks import searching
from workbench.tasks.evaluating import measure
from workbench.tasks.models import FULL, load, load_for_search, picture_key
from workbench.tasks.options import config_for
from workbench.tasks.strengths import measure_along
from workbench.tasks.training import carry_out, start_run


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The home, a connection, and its runs by method."""
    home, runs = tuned_home(tmp_path_factory.mktemp("strength"))
    return home, home.open(), runs


def ranking(home, db, **asked):
    return [(hit.image.id, hit.score) for hit in searching.search(home, db, "湖上石桥", **asked)]


def same(first, second):
    """The same pictures in the same order; how an array lies in memory moves the last digit of a score."""
    alike = [score for _, score in first] == pytest.approx([score for _, score in second], abs=1e-5)
    return [image for image, _ in first] == [image for image, _ in second] and alike


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_search_at_strength_0_is_the_bases_and_at_1_the_tuned_models(tuned, method):
    home, db, runs = tuned
    base, whole = ranking(home, db, model="mini"), ranking(home, db, run=runs[method])
    half = ranking(home, db, run=runs[method], strength=0.5)
    assert same(ranking(home, db, run=runs[method], strength=0.0), base)
    assert same(ranking(home, db, run=runs[method], strength=1.0), whole)
    assert not (same(base, whole) or same(half, base) or same(half, whole))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_a_search_says_does_not_depend_on_what_was_asked_before(tuned, method):
    home, db, runs = tuned
    alone = {strength: load(home, db, run=runs[method], strength=strength).key for strength in (0.0, 0.3, 1.0)}
    for strength in (0.3, 1.0, 0.0, 0.3):
        with load_for_search(home, db, run=runs[method], strength=strength) as model:
            assert model.key == alone[strength]
    assert len(set(alone.values())) == 3
    assert alone[0.0] == load(home, db, model="mini").key


def test_two_who_search_at_once_do_not_move_each_others_strength(tuned):
    home, _, runs = tuned
    for file in (home.features / searching.BETWEEN).glob("*.npz"):
        file.unlink()

    def search_at(strength):
        return [ranking(home, home.open(), run=runs["lora"], strength=strength) for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        low, high = pool.map(search_at, (0.2, 0.9))
    for file in (home.features / searching.BETWEEN).glob("*.npz"):
        file.unlink()
    for found, strength in ((low, 0.2), (high, 0.9)):
        alone = search_at(strength)[0]
        assert all(same(ranked, alone) for ranked in found)


def test_moving_along_encodes_each_strength_once_and_keeps_the_last_few(tuned):
    home, db, runs = tuned
    between = home.features / searching.BETWEEN

    class Counted(Silent):
        encoded = 0

        def report(self, done, total, message="", **details):
            self.encoded += message == "progress.reading_pictures"

    def encoded(strength):
        counted = Counted()
        ranking(home, db, run=runs["lora"], strength=strength, progress=counted)
        return counted.encoded > 0

    for file in between.glob("*.npz"):
        file.unlink()
    ranking(home, db, model="mini")
    assert not encoded(0.0)
    assert encoded(0.4) and not encoded(0.4)
    for number, file in enumerate(sorted(between.glob("*.npz"))):
        os.utime(file, (number, number))
    first = {file.name for file in between.glob("*.npz")}
    for number in range(searching.KEPT_BETWEEN):
        assert encoded(0.5 + number / 10)
    left = {file.name for file in between.glob("*.npz")}
    assert len(left) == searching.KEPT_BETWEEN and not first & left
    assert not encoded(0.5) and not encoded(1.0)


def test_an_adapter_of_the_text_tower_alone_needs_no_picture_anew(tuned):
    home, db, _ = tuned
    config = config_for("mini", epochs=1)
    config = replace(config, batch_size=8, lora=replace(config.lora, towers=("text",)))
    run = start_run(home, db, "lake", "mini", config, job_id=None, label="text-only")
    carry_out(home, db, run, Silent())
    base = load(home, db, model="mini")
    for strength in (0.5, 1.0):
        model = load(home, db, run=run.name, strength=strength)
        assert picture_key(model) == picture_key(base) != model.key
    whole = load(home, db, run=tuned[2]["lora"])
    assert picture_key(whole) == whole.key
    assert not same(ranking(home, db, run=run.name), ranking(home, db, model="mini"))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_figures_at_0_are_the_zero_shot_ones_and_each_strength_is_kept(tuned, method):
    home, db, runs = tuned
    base = measure(home, db, "lake", model="mini", progress=Silent())
    at = {s: measure(home, db, "lake", run=runs[method], strength=s, progress=Silent()) for s in (0.0, 0.5, 1.0)}
    assert (at[0.0]["t2i"], at[0.0]["i2t"], at[0.0]["kinds"]) == (base["t2i"], base["i2t"], base["kinds"])
    assert (at[1.0]["t2i"], at[1.0]["i2t"]) != (base["t2i"], base["i2t"])
    measure(home, db, "lake", run=runs[method], progress=Silent())
    kept = [record.figures["strength"] for record in Evaluations(db).current() if record.run == runs[method]]
    assert sorted(kept) == [0.0, 0.5, 1.0]


@pytest.fixture
def own_base(tuned):
    """A base of one's own in a file, a full run from it, and a function that puts other weights into that file."""
    home, db, _ = tuned
    file = home.weights / "own.safetensors"
    model = load(home, db, model="mini")
    save_merged(file, model.clip, model.spec)
    config = replace(config_for("mini", method="full", epochs=1), batch_size=8)
    run = start_run(home, db, "lake", str(file), config, job_id=None)
    carry_out(home, db, run, Silent())

    def swap():
        with torch.no_grad():
            model.clip.visual.proj.mul_(1.01)
        save_merged(file, model.clip, model.spec)

    return run.name, swap


def test_a_full_run_is_not_mixed_with_other_weights_than_it_began_with(tuned, own_base):
    home, db, _ = tuned
    run, swap = own_base
    before = {strength: load(home, db, run=run, strength=strength).key for strength in (0.0, 0.5, 1.0)}
    swap()
    asks = [partial(load, home, db, run=run, strength=strength) for strength in (0.0, 0.5)]
    asks += [partial(measure, home, db, "lake", run=run, strength=0.5, progress=Silent())]
    asks += [partial(measure_along, home, db, run, "far", Silent())]
    for ask in asks:
        with pytest.raises(ModelError) as error:
            ask()
        assert error.value.code == "adapter_wrong_base"
        assert FULL in explain(error.value, "en") and "own.safetensors" in explain(error.value, "zh")
    assert load(home, db, run=run).key == before[1.0], "as tuned it needs no base"


def test_a_full_run_of_an_earlier_version_is_taken_as_it_is(tuned, own_base):
    home, db, _ = tuned
    run, swap = own_base
    half = load(home, db, run=run, strength=0.5).key
    file = home.experiments / run / FULL
    state, about = read_safetensors(file)
    assert about.pop("base") == load(home, db, run=run, strength=0.0).fingerprint
    write_safetensors(file, state, about)
    assert load(home, db, run=run, strength=0.5).key == half
    swap()
    assert load(home, db, run=run, strength=0.5).key != half


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_a_strength_lies_between_0_and_1(tuned, strength):
    home, db, runs = tuned
    measured = len(Evaluations(db).all())
    for task in (
        lambda: searching.search(home, db, "湖", run=runs["lora"], strength=strength),
        lambda: measure(home, db, "lake", run=runs["full"], strength=strength, progress=Silent()),
    ):
        with pytest.raises(InputError) as error:
            task()
        assert error.value.code == "strength_range"
        assert "searched or measured" in explain(error.value, "en") and "没有检索，也没有测量" in explain(
            error.value, "zh"
        )
    assert len(Evaluations(db).all()) == measured


def test_a_base_model_has_no_strength(tuned):
    home, db, _ = tuned
    with pytest.raises(InputError) as error:
        searching.search(home, db, "湖", model="mini", strength=0.5)
    assert error.value.code == "strength_nothing"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "湖", "--run", "0001-lora-r16", "--strength", "1.5"], 2),
        (["evaluate", "--dataset", "lake", "--run", "0001-lora-r16", "--strength", "-1"], 2),
        (["search", "湖", "--strength", "0.5"], 1),
        (["evaluate", "--dataset", "lake", "--strength", "0.5"], 1),
    ],
)
def test_the_command_line_refuses_what_is_no_strength(tuned, songclip, arguments, code):
    assert songclip(*arguments, at=tuned[0].path).code == code


def test_the_command_line_searches_and_measures_at_a_strength(tuned, songclip):
    home, _, runs = tuned
    said = songclip("search", "湖上石桥", "--run", runs["lora"], "--strength", 0, "--json", at=home.path).document
    base = songclip("search", "湖上石桥", "--model", "mini", "--json", at=home.path).document
    assert said["results"] == base["results"] and (said["strength"], base["strength"]) == (0.0, 1.0)
    half = ["evaluate", "--dataset", "lake", "--run", runs["full"], "--strength", 0.5, "--json"]
    assert songclip(*half, at=home.path).document["strength"] == 0.5
