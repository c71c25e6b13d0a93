"""Half precision with a gradient scaler, on the CPU: torch computes in fp16 there as on an older card, only slowly."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import ModelError, Stopped
from core.model.dropout import seed_dropout
from core.model.loading import LoadedModel
from core.model.lora import LoraConfig, adapters
from core.progress import Silent
from core.training.batches import epoch_batches
from core.training.checkpoints import BEST, LAST
from core.training.config import TrainConfig
from core.training.gradcache import batch_gradients
from core.training.loop import train
from core.training.step import learning_rate, prepare, step_input, train_mode

LORA = LoraConfig(rank=4, alpha=8, dropout=0.2)
CONFIG = TrainConfig(epochs=4, batch_size=8, learning_rate=3e-3, augment=True, lora=LORA, seed=4)
TOO_HIGH = 2.0**22
"""A first scale at which fp16's gradients overflow for several steps."""
GROWTH = 3
"""Steps after which the scale is doubled again: too high now and then, as in a long run."""


@dataclasses.dataclass(frozen=True)
class Half(LoadedModel):
    """The same model, computing in fp16."""

    def image_features(self, pixels, precision="auto"):
        with torch.autocast("cpu", dtype=torch.float16):
            return super().image_features(pixels, "fp32")

    def text_features(self, tokens, precision="auto"):
        with torch.autocast("cpu", dtype=torch.float16):
            return super().text_features(tokens, "fp32")


def half(model):
    return Half(model.clip, model.spec, model.fingerprint)


@pytest.fixture
def scaled(monkeypatch):
    """Let torch's scaler work although this is no card: the loop itself computes in fp16 on cards alone."""

    class Scaler(torch.amp.GradScaler):
        def __init__(self, device, enabled=True):
            super().__init__(device, init_scale=TOO_HIGH, growth_interval=GROWTH)

    monkeypatch.setattr(torch.amp, "GradScaler", Scaler)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_gradients_over_micro_batches_are_close_to_those_of_fp32(new_model, world, method):
    config = dataclasses.replace(CONFIG, method=method)
    model = new_model()
    prepare(model, config)
    torch.manual_seed(5)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.3)
    train_mode(model.clip.modules(), model.clip)
    trained = [p for p in model.clip.parameters() if p.requires_grad]
    (batch,) = epoch_batches(world, 1000, 0, 1)
    inputs = step_input(world, model.tokenize(world.texts), batch, "cpu", np.random.default_rng(7), augmented=True)

    def gradients(of, scaler, micro_batch):
        optimizer = torch.optim.SGD(trained)
        loss = batch_gradients(of, inputs, micro_batch, scaler)
        scaler.unscale_(optimizer)
        found = torch.cat([p.grad.flatten() for p in trained])
        optimizer.zero_grad()
        return loss, found

    expected_loss, expected = gradients(model, torch.amp.GradScaler("cpu", enabled=False), 24)
    for micro_batch in (24, 5):
        loss, found = gradients(half(model), torch.amp.GradScaler("cpu", init_scale=1024.0), micro_batch)
        assert loss == pytest.approx(expected_loss, rel=1e-3) and loss != expected_loss, "it did compute in fp16"
        assert (found - expected).norm() < 0.02 * expected.norm()
    seed_dropout(model.clip, "vision", None)


class Seen:
    """What a run looked like after each step: its record and all that it trains."""

    def __init__(self, model):
        self.model, self.steps, self.weights = model, [], []

    def __call__(self, record):
        self.steps.append(record)
        self.weights.append({n: p.detach().clone() for n, p in self.model.clip.named_parameters() if p.requires_grad})


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def scale_of(folder):
    return torch.load(folder / LAST, weights_only=True)["scaler"]["scale"]


@pytest.mark.parametrize("micro_batch", [8, 3])
def test_steps_that_overflow_are_left_out_and_the_run_goes_on(tmp_path, new_model, world, scaled, micro_batch):
    model = half(new_model())
    seen = Seen(model)
    result = train(model, world, CONFIG, tmp_path, on_step=seen, micro_batch=micro_batch)
    skipped = [step["gradient"] is None for step in seen.steps]
    assert skipped[:3] == [True] * 3 and not all(skipped)
    assert not any(w.any() for name, w in seen.weights[2].items() if name.endswith("lora_B")), "as they began"
    stood_still = [equal(before, after) for before, after in pairwise(seen.weights)]
    assert stood_still == skipped[1:], "not even decay moves what a step leaves out"
    assert [step["lr"] for step in seen.steps] == [learning_rate(number, 12, CONFIG) for number in range(12)]
    assert all(math.isfinite(step["loss"]) for step in seen.steps) and result.steps == 12
    assert scale_of(tmp_path) == expected_scale(skipped)


def expected_scale(skipped):
    """Halved at each step left out, doubled after so many that were not."""
    scale, good = TOO_HIGH, 0
    for left_out in skipped:
        good = 0 if left_out else good + 1
        scale *= 0.5 if left_out else 2.0 if good % GROWTH == 0 else 1.0
    return scale


@pytest.mark.parametrize("stop", [2, 8])
def test_a_run_stopped_while_steps_overflow_or_later_goes_on_the_same(tmp_path, new_model, world, scaled, stop):
    class Stop(Silent):
        def __init__(self):
            self.done = 0

        def report(self, done, total, message="", **details):
            self.done = done

        def should_stop(self):
            return self.done == stop

    whole, parts = half(new_model()), half(new_model())
    seen = Seen(whole)
    train(whole, world, CONFIG, tmp_path / "a", on_step=seen, micro_batch=3)
    with pytest.raises(Stopped):
        train(parts, world, CONFIG, tmp_path / "b", micro_batch=3, progress=Stop())
    assert scale_of(tmp_path / "b") < TOO_HIGH
    parts = half(new_model())
    rest = Seen(parts)
    train(parts, world, CONFIG, tmp_path / "b", on_step=rest, resume=tmp_path / "b" / LAST)
    assert [step["loss"] for step in rest.steps] == [step["loss"] for step in seen.steps[stop:]]
    assert [step["gradient"] for step in rest.steps] == [step["gradient"] for step in seen.steps[stop:]]
    assert equal(rest.weights[-1], seen.weights[-1]) and scale_of(tmp_path / "a") == scale_of(tmp_path / "b")


def test_gradients_that_never_are_numbers_end_the_run(tmp_path, new_model, world, scaled):
    """Else every step would be left out and the untuned model handed over as tuned."""
    model = half(new_model())
    config = dataclasses.replace(CONFIG, epochs=60)

    def spoil(record):
        if record["epoch"] == 3:
            adapter = next(adapter for _, adapter in adapters(model.clip))
            adapter.lora_B.register_hook(lambda gradient: gradient * math.nan)

    with pytest.raises(ModelError) as error:
        train(model, world, config, tmp_path, on_epoch=spoil, micro_batch=8)
    assert error.value.code == "training_diverged" and error.value.details["epoch"] > 3
    assert all(t.isfinite().all() for t in torch.load(tmp_path / BEST, weights_only=True)["weights"].values())
