"""Figures along the strength, on the mini model: by adapters, and by weights, which must be the same thing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import InputError, Stopped
from core.evaluation.interpolation import STRENGTHS, recall_along
from core.model.blend import line
from core.model.loading import build_clip, load_model
from core.model.lora import LoraConfig, adapters, apply_lora, merged_state_dict, set_strength, strength
from core.progress import Silent

TEXTS = ["湖上石桥", "雪中的塔", "城门外的宫殿"]


@pytest.fixture(scope="module")
def tuned():
    model = load_model("mini", Path())
    base = load_model("mini", Path())
    apply_lora(model.clip, LoraConfig(rank=2, targets=("q", "k", "v", "o", "mlp")))
    torch.manual_seed(4)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.1)
    return base, model


def features(model):
    with torch.no_grad():
        return model.text_features(model.tokenize(TEXTS))


def test_each_strength_is_measured_in_turn_and_the_model_is_as_it_was(tuned):
    base, model = tuned
    set_strength(model.clip, 0.6)
    before = features(model)
    seen = []
    watcher = Silent()
    watcher.report = lambda done, total, message="", **details: seen.append((done, total, message))
    rows = recall_along(lambda: {"tuned": features(model)}, model.clip, STRENGTHS, progress=watcher)
    assert [row.strength for row in rows] == list(STRENGTHS)
    assert torch.equal(rows[0].figures["tuned"], features(base))
    assert (rows[4].figures["tuned"] - rows[0].figures["tuned"]).abs().max() > 0.05
    assert strength(model.clip) == 0.6 and torch.equal(features(model), before)
    assert seen[-1] == (5, 5, "progress.strength")
    set_strength(model.clip, 1)


def test_weights_between_base_and_tuned_are_the_adapters_at_that_strength(tuned):
    base, model = tuned
    full = load_model("mini", Path())
    full.clip.load_state_dict(build_clip(model.spec.config, merged_state_dict(model.clip)).state_dict())
    between = line(base, full)
    by_weights = recall_along(lambda: features(full), full.clip, (0, 0.25, 1), between)
    by_adapters = recall_along(lambda: features(model), model.clip, (0, 0.25, 1))
    for one, other in zip(by_weights, by_adapters, strict=True):
        assert one.strength == other.strength
        assert (one.figures - other.figures).abs().max() < 1e-5
    assert torch.equal(features(full), by_weights[2].figures)


def test_an_error_or_a_stop_on_the_way_leaves_the_model_as_it_was(tuned):
    _, model = tuned
    before = features(model)

    def breaks():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        recall_along(breaks, model.clip, (0.5,))
    watcher = Silent()
    asked = iter((False, True))
    watcher.should_stop = lambda: next(asked)
    with pytest.raises(Stopped):
        recall_along(lambda: 1, model.clip, (0.25, 0.5), progress=watcher)
    assert torch.equal(features(model), before)


def test_what_has_no_strength_and_what_is_none(tuned):
    base, model = tuned
    measured = []
    for clip, strengths, code in (
        (base.clip, (0.5,), "strength_nothing"),
        (model.clip, (0.5, 1.5), "strength_range"),
    ):
        with pytest.raises(InputError) as error:
            recall_along(lambda: measured.append(1), clip, strengths)
        assert error.value.code == code
    assert not measured
