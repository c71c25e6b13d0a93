import dataclasses
import math

import numpy as np
import pytest
import torch

from core.errors import InputError, ModelError, Stopped, StorageError
from core.model.dropout import SampleDropout
from core.model.features import encode_images, encode_texts
from core.model.lora import LoraConfig, adapter_state, count_parameters
from core.progress import Silent
from core.training import checkpoints, loop
from core.training.augment import augment
from core.training.checkpoints import BEST, LAST, RunState
from core.training.config import TrainConfig
from core.training.loop import train
from core.training.presets import PRESETS, default_config, preset
from core.training.step import MAX_LOGIT_SCALE, learning_rate, make_optimizer, prepare

SHORT = TrainConfig(epochs=3, batch_size=8, learning_rate=3e-3, lora=LoraConfig(rank=4, alpha=8, dropout=0.1), seed=4)


def validation(model, world):
    """Recall on the whole gallery, text to picture."""

    def valid():
        scores = encode_texts(model, world.texts) @ encode_images(model, world.pixels).T
        truth = np.array([images[0] for images in world.text_images])
        ranks = (scores > scores[np.arange(len(truth)), truth][:, None]).sum(1)
        return {"mean_recall": 100 * float(np.mean([(ranks < k).mean() for k in (1, 5, 10)]))}

    return valid


class StopAt(Silent):
    def __init__(self, step):
        self.step, self.done = step, 0

    def report(self, done, total, message="", **details):
        if message == "progress.train_step":
            self.done = done

    def should_stop(self):
        return self.done == self.step


def weights(model):
    return {name: p.detach().clone() for name, p in model.clip.named_parameters()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_learns_and_the_best_epoch_is_what_the_model_holds(tmp_path, new_model, world, method):
    model = new_model()
    rate = {"lora": 1e-2, "full": 2e-3}[method]
    config = dataclasses.replace(SHORT, method=method, epochs=20, learning_rate=rate, lora=LoraConfig(rank=8, alpha=16))
    for module in model.clip.modules():  # 24 pictures and a random base: whether dropout lets it learn is luck
        if isinstance(module, SampleDropout):
            module.p = 0.0
    steps, epochs = [], []
    valid = validation(model, world)
    before = weights(model)
    result = train(model, world, config, tmp_path, valid=valid, on_step=steps.append, on_epoch=epochs.append)
    assert [e["epoch"] for e in epochs] == list(range(21)) and epochs[0]["untuned"]
    assert result.history == epochs and result.chosen_by == "mean_recall"
    scores = [e["mean_recall"] for e in epochs]
    assert scores[result.best_epoch] == max(scores[1:]) > scores[0] + 15
    assert valid()["mean_recall"] == scores[result.best_epoch]
    assert [s["step"] for s in steps] == list(range(1, 61)) and result.steps == 60
    assert min(e["loss"] for e in epochs[1:]) < 0.8 * epochs[1]["loss"]
    assert set(steps[0]) == {
        "step", "epoch", "loss", "lr", "logit_scale", "gradient", "micro_batch", "memory",
        "images_per_second", "texts_per_second", "seconds",
    }  # fmt: skip
    assert (result.trainable, result.total) == count_parameters(model.clip)
    after = weights(model)
    if method == "lora":
        assert all(torch.equal(after[k], before[k]) for k in before)
        assert result.trainable == sum(t.numel() for t in adapter_state(model.clip).values())
    else:
        assert result.trainable == result.total
        assert sum(not torch.equal(after[k], before[k]) for k in before) == len(before)
    assert not model.clip.training


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("stop", [1, 3, 5])
@pytest.mark.parametrize("texts_per_image", ["one", "all"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, new_model, world, method, stop, texts_per_image):
    """Stopped in the first epoch, at its end before the evaluation, and in the second epoch."""
    config = dataclasses.replace(SHORT, method=method, augment=True, texts_per_image=texts_per_image)
    whole, parts = new_model(), new_model()
    steps, resumed = [], []
    first = train(whole, world, config, tmp_path / "a", valid=validation(whole, world), on_step=steps.append)
    with pytest.raises(Stopped):
        train(
            parts, world, config, tmp_path / "b",
            valid=validation(parts, world), on_step=resumed.append, progress=StopAt(stop),
        )  # fmt: skip
    assert len(resumed) == stop
    torch.manual_seed(999)  # a new process would not have the generator where the old one left it
    parts = new_model()
    second = train(
        parts, world, config, tmp_path / "b",
        valid=validation(parts, world), on_step=resumed.append, resume=tmp_path / "b" / LAST,
    )  # fmt: skip
    assert all(s["step"] == i + 1 for i, s in enumerate(resumed))
    assert equal(weights(whole), weights(parts))
    assert [s["loss"] for s in steps] == [s["loss"] for s in resumed]
    strip = lambda history: [{k: v for k, v in e.items() if k != "seconds"} for e in history]  # noqa: E731
    assert strip(first.history) == strip(second.history) and first.best_epoch == second.best_epoch


def test_a_killed_run_goes_on_from_its_last_epoch(tmp_path, new_model, world):
    class Killed(Exception):  # noqa: N818
        pass

    def die(record):
        if record["step"] == 5:
            raise Killed

    whole, parts = new_model(), new_model()
    train(whole, world, SHORT, tmp_path / "a")
    with pytest.raises(Killed):
        train(parts, world, SHORT, tmp_path / "b", on_step=die)
    seen = []
    parts = new_model()
    train(parts, world, SHORT, tmp_path / "b", on_step=seen.append, resume=tmp_path / "b" / LAST)
    assert seen[0]["step"] == 4 and equal(weights(whole), weights(parts))


def test_without_validation_the_last_epoch_is_chosen_and_said(tmp_path, new_model, world):
    result = train(new_model(), world, SHORT, tmp_path)
    assert (result.best_epoch, result.chosen_by) == (3, "last")
    assert [e["epoch"] for e in result.history] == [1, 2, 3]


def test_a_recall_that_does_not_rise_ends_the_run(tmp_path, new_model, world):
    def answers():
        scores = iter([50.0, 10.0, 30.0, 30.0, 20.0, 25.0, 99.0])
        return lambda: {"mean_recall": next(scores)}

    patient = dataclasses.replace(SHORT, epochs=8, patience=3)
    result = train(new_model(), world, patient, tmp_path / "a", valid=answers())
    assert result.ended_early and (result.epochs, result.best_epoch, result.steps) == (5, 2, 15)
    assert [e["epoch"] for e in result.history] == [0, 1, 2, 3, 4, 5]
    again = train(new_model(), world, patient, tmp_path / "a", valid=answers(), resume=tmp_path / "a" / LAST)
    assert again == result
    forever = train(new_model(), world, dataclasses.replace(SHORT, epochs=6), tmp_path / "b", valid=answers())
    assert not forever.ended_early and forever.best_epoch == 6
    unmeasured = train(new_model(), world, dataclasses.replace(SHORT, patience=1), tmp_path / "c")
    assert not unmeasured.ended_early and unmeasured.epochs == 3


def test_patience_is_counted_across_a_stop(tmp_path, new_model, world):
    patient = dataclasses.replace(SHORT, epochs=8, patience=2)
    scores = iter([50.0, 40.0, 30.0, 20.0, 99.0, 99.0])
    valid = lambda: {"mean_recall": next(scores)}  # noqa: E731
    with pytest.raises(Stopped):
        train(new_model(), world, patient, tmp_path, valid=valid, progress=StopAt(8))
    result = train(new_model(), world, patient, tmp_path, valid=valid, resume=tmp_path / LAST)
    assert result.ended_early and (result.epochs, result.best_epoch) == (3, 1)


def test_other_threads_are_said(tmp_path, new_model, world, caplog):
    with pytest.raises(Stopped):
        train(new_model(), world, SHORT, tmp_path, progress=StopAt(2))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        result = train(new_model(), world, SHORT, tmp_path, resume=tmp_path / LAST)
    finally:
        torch.set_num_threads(threads)
    assert result.notes == [{"step": 3, "what": "threads", "before": threads, "now": threads + 1}]
    assert "last digits may differ" in caplog.text and result.threads == threads + 1


def test_a_long_epoch_is_kept_on_the_way(tmp_path, new_model, world, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    kept = []

    def look(record):
        if (tmp_path / LAST).is_file():
            kept.append(torch.load(tmp_path / LAST, weights_only=True)["state"]["step"])

    train(new_model(), world, SHORT, tmp_path, on_step=look)
    assert kept == list(range(1, 9))


def test_what_a_killed_process_left_half_written_is_cleared(tmp_path, new_model, world):
    (tmp_path / ".best.pt.123.part").write_bytes(b"half")
    train(new_model(), world, SHORT, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [BEST, LAST]


def test_the_untuned_model_is_never_chosen(tmp_path, new_model, world):
    answers = iter([90.0, 10.0, 30.0, 20.0])
    result = train(new_model(), world, SHORT, tmp_path, valid=lambda: {"mean_recall": next(answers)})
    assert result.best_epoch == 2 and result.history[0]["mean_recall"] == 90.0
    assert [e.get("best") for e in result.history] == [None, True, True, False]


def test_a_finished_run_resumed_gives_its_result_again(tmp_path, new_model, world):
    one, two = new_model(), new_model()
    first = train(one, world, SHORT, tmp_path)
    second = train(two, world, SHORT, tmp_path, resume=tmp_path / LAST)
    assert first == second and equal(weights(one), weights(two))


def test_weights_of_another_epoch_than_the_reported_best_are_refused(tmp_path, new_model, world):
    train(new_model(), world, SHORT, tmp_path)
    content = torch.load(tmp_path / BEST, weights_only=True)
    torch.save({**content, "epoch": 77}, tmp_path / BEST)
    last = torch.load(tmp_path / LAST, weights_only=True)
    last["state"]["best_epoch"] = 2  # the last checkpoint is of another epoch and cannot stand in for it
    torch.save(last, tmp_path / LAST)
    assert refused(new_model, world, SHORT, tmp_path, tmp_path / LAST) == "checkpoint_other_epoch"
    torch.save({**content, "epoch": 2}, tmp_path / BEST)
    assert train(new_model(), world, SHORT, tmp_path, resume=tmp_path / LAST).best_epoch == 2

    # exchanged while it trains
    def exchange(record):
        if record["epoch"] == 3:
            torch.save({**content, "epoch": 1}, tmp_path / BEST)

    with pytest.raises(InputError) as error:
        train(new_model(), world, SHORT, tmp_path, on_epoch=exchange)
    assert error.value.details == {"file": BEST, "held": 1, "best": 3}


def test_a_run_killed_before_its_best_epoch_is_written_goes_on_with_that_very_epoch(
    tmp_path, new_model, world, monkeypatch
):
    class Killed(Exception):  # noqa: N818
        pass

    def die(folder, module, epoch, base):
        if epoch == 2:
            raise Killed
        real(folder, module, epoch, base)

    real = loop.save_best
    monkeypatch.setattr(loop, "save_best", die)
    scores = {0: 0.0, 1: 10.0, 2: 30.0, 3: 20.0}
    answers = iter(scores.values())
    with pytest.raises(Killed):
        train(new_model(), world, SHORT, tmp_path, valid=lambda: {"mean_recall": next(answers)})
    monkeypatch.undo()
    assert torch.load(tmp_path / BEST, weights_only=True)["epoch"] == 1
    best = torch.load(tmp_path / LAST, weights_only=True)["weights"]
    model = new_model()
    # had the second epoch been repeated, on other threads say, it might have come out below the first
    result = train(model, world, SHORT, tmp_path, valid=lambda: {"mean_recall": 5.0}, resume=tmp_path / LAST)
    assert result.best_epoch == 2 and [row["mean_recall"] for row in result.history] == [0.0, 10.0, 30.0, 5.0]
    assert all(torch.equal(p.detach(), best[n]) for n, p in model.clip.named_parameters() if p.requires_grad)


def test_a_checkpoint_holds_scaler_and_random_numbers(tmp_path, new_model):
    def parts(scale):
        model = new_model()
        prepare(model, SHORT)
        return model.clip, make_optimizer(model, SHORT), torch.amp.GradScaler("cpu", init_scale=scale)

    clip, optimizer, scaler = parts(512.0)
    scaler.scale(torch.ones(1))
    torch.manual_seed(6)
    checkpoints.save_last(tmp_path, clip, optimizer, scaler, RunState(step=7, micro_batch=3), {"data": "a"}, "cpu")
    expected = torch.rand(3)
    clip, optimizer, scaler = parts(4.0)
    state = checkpoints.load_last(tmp_path / LAST, clip, optimizer, scaler, {"data": "a"}, "cpu")
    assert torch.equal(torch.rand(3), expected) and scaler.get_scale() == 512.0
    assert state == RunState(step=7, micro_batch=3)


def refused(new_model, world, config, folder, resume):
    with pytest.raises(InputError) as error:
        train(new_model(), world, config, folder, resume=resume)
    return error.value.code


def test_resuming_something_else_is_refused(tmp_path, new_model, world):
    train(new_model(), world, SHORT, tmp_path)
    last = tmp_path / LAST
    longer = dataclasses.replace(SHORT, epochs=9)
    assert refused(new_model, world, longer, tmp_path, last) == "resume_mismatch"
    other = dataclasses.replace(world, texts=[text + "也" for text in world.texts])
    assert refused(new_model, other, SHORT, tmp_path, last) == "resume_mismatch"
    assert refused(new_model, world, SHORT, tmp_path, tmp_path / "none.pt") == "checkpoint_missing"
    last.write_bytes(last.read_bytes()[:500])
    assert refused(new_model, world, SHORT, tmp_path, last) == "checkpoint_damaged"


def spoilt(kind, content):
    """The content of a checkpoint with something of another type or value inside."""
    name = next(iter(content["weights"]))
    if kind == "moments":
        content["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)
    elif kind == "no moments":
        content["optimizer"] = 5
    elif kind == "state":
        content["state"]["step"] = "9"
    elif kind == "field":
        content["state"]["more"] = 1
    elif kind == "history":
        content["state"]["history"] = [5]
    elif kind == "random":
        content["rng"] = [torch.zeros(3)]
    elif kind == "identity":
        content["identity"] = []
    elif kind == "nan":
        content["weights"][name] = torch.full_like(content["weights"][name], math.nan)
    elif kind == "whole numbers":
        content["weights"][name] = content["weights"][name].int()
    else:
        content["weights"] = kind
    return content


@pytest.mark.parametrize(
    "kind",
    ["moments", "no moments", "state", "field", "history", "random", "identity", "nan", "whole numbers", "no weights"],
)
def test_a_checkpoint_with_other_things_inside_is_damaged(tmp_path, new_model, world, kind):
    train(new_model(), world, SHORT, tmp_path)
    last = tmp_path / LAST
    torch.save(spoilt(kind, torch.load(last, weights_only=True)), last)
    assert refused(new_model, world, SHORT, tmp_path, last) == "checkpoint_damaged"


def test_a_run_goes_on_that_was_begun_before_there_was_an_option(tmp_path, new_model, world):
    train(new_model(), world, SHORT, tmp_path)
    content = torch.load(tmp_path / LAST, weights_only=True)
    del content["identity"]["options"]["best_at"]
    torch.save(content, tmp_path / LAST)
    train(new_model(), world, SHORT, tmp_path, resume=tmp_path / LAST)
    content["identity"]["options"]["epochs"] += 1
    torch.save(content, tmp_path / LAST)
    assert refused(new_model, world, SHORT, tmp_path, tmp_path / LAST) == "resume_mismatch"


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path, new_model, world, monkeypatch):
    real, calls = torch.save, []

    def full(content, path):
        calls.append(path)
        if len(calls) > 2:
            path.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        real(content, path)

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(StorageError) as error:
        train(new_model(), world, SHORT, tmp_path)
    assert error.value.code == "file_not_written"
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == [BEST, LAST]
    assert torch.load(tmp_path / LAST, weights_only=True)["state"]["epoch"] == 2


def test_a_loss_that_is_no_number_ends_the_run_with_its_best_kept(tmp_path, new_model, world):
    model = new_model()

    def spoil(record):
        if record["epoch"] == 1:
            next(p for p in model.clip.parameters() if p.requires_grad).data.fill_(math.nan)

    with pytest.raises(ModelError) as error:
        train(model, world, SHORT, tmp_path, on_epoch=spoil)
    assert error.value.code == "training_diverged" and error.value.details == {"epoch": 2, "step": 4}
    kept = torch.load(tmp_path / BEST, weights_only=True)
    assert kept["epoch"] == 1 and all(t.isfinite().all() for t in kept["weights"].values())


def test_accumulation_is_one_large_contrastive_batch(tmp_path, new_model, world):
    """More accumulation than pictures is one step an epoch, not none; its negatives are all pictures."""
    still = dataclasses.replace(SHORT, learning_rate=1e-12, epochs=1)
    steps, large, single = [], [], []
    train(new_model(), world, dataclasses.replace(still, accumulation=50), tmp_path, on_step=steps.append)
    train(new_model(), world, dataclasses.replace(still, batch_size=24), tmp_path, on_step=large.append)
    train(new_model(), world, still, tmp_path, on_step=single.append)
    assert len(steps) == len(large) == 1 and len(single) == 3 and steps[0]["lr"] == still.learning_rate
    assert steps[0]["loss"] == large[0]["loss"] > np.mean([s["loss"] for s in single]) + 0.5


def test_the_logit_scale_stays_below_its_limit(tmp_path, new_model, world):
    model = new_model()
    model.logit_scale.data.fill_(9.0)
    train(model, world, dataclasses.replace(SHORT, method="full"), tmp_path)
    assert model.logit_scale.item() <= MAX_LOGIT_SCALE + 1e-6


def test_warm_up_and_cosine():
    config = dataclasses.replace(SHORT, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1.0 and rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0 < rates[-1] < 0.001
    assert learning_rate(0, 3, config) == 1.0  # a short run still has a step of warm-up


def test_augmentation_never_flips():
    picture = np.zeros((1, 3, 32, 32), np.uint8)
    picture[..., :16] = 200
    many = torch.from_numpy(picture).repeat(64, 1, 1, 1)
    changed = augment(many, np.random.default_rng(0)).float()
    assert (changed[..., :12].mean((1, 2, 3)) > changed[..., 20:].mean((1, 2, 3)) + 100).all()
    assert changed.dtype == torch.float32 and len(changed.flatten(1).unique(dim=0)) > 60
    again = augment(many, np.random.default_rng(0)).float()
    assert torch.equal(changed, again)


def test_the_users_plan_is_a_preset():
    plan = preset("plan")
    assert (plan.lora.rank, plan.lora.alpha, plan.learning_rate, plan.weight_decay) == (4, 16, 1e-4, 0.01)
    assert (plan.epochs, plan.batch_size, plan.accumulation) == (30, 8, 4)
    assert {"plan", "quick", "laptop_6gb", "careful", "mini"} == set(PRESETS)
    assert default_config("mini").lora.rank >= 8 and default_config("ViT-B-16") == plan
    assert default_config("ViT-B-16", "full").learning_rate < plan.learning_rate
    with pytest.raises(InputError):
        preset("fast")


def test_options_go_through_json_and_are_checked():
    for config in PRESETS.values():
        assert TrainConfig.from_dict(config.to_dict()) == config
    with pytest.raises(InputError) as error:
        TrainConfig(epochs=0)
    assert error.value.details["field"] == "epochs"
    with pytest.raises(InputError):
        TrainConfig.from_dict({**SHORT.to_dict(), "newer": 1})


@pytest.mark.parametrize("validated", [True, False])
def test_a_last_step_that_leads_nowhere_is_a_divergence(tmp_path, new_model, world, validated):
    model = new_model()
    wild = dataclasses.replace(SHORT, epochs=1, batch_size=24)

    def spoil(record):
        if record["step"] == 1:
            for parameter in (p for p in model.clip.parameters() if p.requires_grad):
                parameter.data.fill_(1e38 if validated else math.inf)

    with pytest.raises(ModelError) as error:
        train(model, world, wild, tmp_path, valid=validation(model, world) if validated else None, on_step=spoil)
    assert error.value.code == "training_diverged" and error.value.details == {"epoch": 1, "step": 1}
    assert not (tmp_path / BEST).exists()
