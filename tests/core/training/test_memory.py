"""Running out of memory, on a CPU: a real model that raises torch's own error above a size."""

import dataclasses
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ModelError, Stopped
from core.model.features import encode_images
from core.model.lora import LoraConfig
from core.progress import Silent
from core.training.checkpoints import LAST
from core.training.config import TrainConfig
from core.training.loop import train
from core.training.memory import GB, budget_bytes, find_micro_batch, guarded, largest, memory_used, release
from core.training.plan import make_plan
from core.training.step import prepare, train_mode

LORA = LoraConfig(rank=4, alpha=8, dropout=0.2)
CONFIG = TrainConfig(epochs=2, batch_size=4, accumulation=3, learning_rate=3e-3, augment=True, lora=LORA, seed=4)


def narrow(model, most, from_call=0):
    """The model on a device that holds the graph of ``most`` pictures, from some forward pass on."""
    calls = []

    def check(module, inputs):
        calls.append(len(inputs[0]))
        if len(calls) > from_call and len(inputs[0]) > most and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 20.00 MiB")

    model.clip.visual.register_forward_pre_hook(check)
    return model


def weights(model):
    return {name: p.detach().clone() for name, p in model.clip.named_parameters() if p.requires_grad}


def apart(one, other):
    return max(float((one[k] - other[k]).abs().max()) for k in one)


@pytest.mark.parametrize("texts_per_image", ["one", "all"])
def test_training_goes_on_with_half_and_the_same_numbers(tmp_path, new_model, in_double, world, texts_per_image):
    """Dropout and augmentation included: a micro-batch decides on nothing but time and memory."""
    config = dataclasses.replace(CONFIG, texts_per_image=texts_per_image)
    roomy, tight = in_double(new_model()), narrow(in_double(new_model()), 5, from_call=1)
    steps, fewer = [], []
    whole = train(roomy, world, config, tmp_path / "a", on_step=steps.append, micro_batch=12)
    cut = train(tight, world, config, tmp_path / "b", on_step=fewer.append, micro_batch=12)
    assert [s["loss"] for s in fewer] == pytest.approx([s["loss"] for s in steps], abs=1e-9)
    assert apart(weights(roomy), weights(tight)) < 1e-7
    assert [s["micro_batch"] for s in fewer] == [12, 3, 3, 3] and cut.micro_batch == 3
    assert cut.notes == [{"step": 2, "what": "micro_batch", "before": 12, "now": 3}] and whole.notes == []


def test_a_resumed_run_keeps_the_micro_batch_it_came_down_to(tmp_path, new_model, world):
    class Stop(Silent):
        def __init__(self):
            self.done = 0

        def report(self, done, total, message="", **details):
            self.done = done

        def should_stop(self):
            return self.done == 3

    whole, parts = narrow(new_model(), 5), narrow(new_model(), 5)
    train(whole, world, CONFIG, tmp_path / "a", micro_batch=12)
    with pytest.raises(Stopped):
        train(parts, world, CONFIG, tmp_path / "b", micro_batch=12, progress=Stop())
    parts = new_model()
    seen = []
    result = train(parts, world, CONFIG, tmp_path / "b", on_step=seen.append, resume=tmp_path / "b" / LAST)
    assert apart(weights(whole), weights(parts)) == 0
    assert [s["micro_batch"] for s in seen] == [3] and len(result.notes) == 1


def test_when_not_even_one_fits_it_says_so_and_the_best_is_kept(tmp_path, new_model, world):
    model = narrow(new_model(), 0, from_call=3)
    with pytest.raises(ModelError) as error:
        train(model, world, CONFIG, tmp_path, micro_batch=12)
    assert error.value.code == "memory_too_small" and (tmp_path / LAST).is_file()


def test_memory_that_runs_out_between_the_steps_says_so_too(tmp_path, new_model, world):
    """In an evaluation; what was trained until then is kept."""
    model, calls = new_model(), []

    def check(module, inputs):
        calls.append(not torch.is_grad_enabled())
        if calls.count(True) > 1:
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 20.00 MiB")

    model.clip.visual.register_forward_pre_hook(check)
    valid = partial(validated, model, world)
    with pytest.raises(ModelError) as error:
        train(model, world, CONFIG, tmp_path, valid=valid, micro_batch=12)
    assert error.value.code == "memory_too_small" and len(calls) == 4
    assert torch.load(tmp_path / LAST, weights_only=True)["state"]["history"][0]["epoch"] == 0


def validated(model, world):
    return {"mean_recall": float(encode_images(model, world.pixels).mean())}


@pytest.mark.parametrize("said", ["shapes do not fit", "could not create a primitive descriptor for a convolution"])
def test_other_errors_pass(said):
    def wrong(size):
        raise RuntimeError(said)

    with pytest.raises(RuntimeError, match=said):
        guarded(wrong, 8, "cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_was_freed_is_given_back_to_the_system():
    """Else a second attempt in less memory would find none: glibc keeps freed blocks between those that live."""

    def resident():
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    blocks = [bytearray(b"1" * 40_000) for _ in range(5000)]
    living = blocks[::100]
    del blocks
    kept = resident() - before
    release("cpu")
    assert len(living) == 50 and resident() - before < 40e6 < 150e6 < kept


def test_the_hosts_own_error_counts_too():
    def full(size):
        if size > 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")
        if size > 2:
            raise RuntimeError("could not create a primitive")  # oneDNN under a limited address space
        if size > 1:
            raise MemoryError
        return "done"

    assert guarded(full, 16, "cpu") == ("done", 1)


@pytest.mark.parametrize("room", [1, 2, 3, 7, 20, 31, 32, 99])
def test_the_probe_finds_the_largest_that_fits(room):
    sizes = []

    def tried(size):
        sizes.append(size)
        if size > room:
            raise torch.OutOfMemoryError("out of memory")
        return 100 * size

    assert largest(tried, 32, "cpu") == (min(room, 32), 100 * min(room, 32))
    assert len(sizes) <= 11


def test_the_probe_says_when_nothing_fits():
    def tried(size):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(ModelError) as error:
        largest(tried, 32, "cpu")
    assert error.value.code == "memory_too_small"


def fitting(model, world, **changes):
    config = dataclasses.replace(CONFIG, accumulation=6, **changes)
    prepare(model, config)
    train_mode(model.clip.modules(), model.clip)
    return find_micro_batch(model, world, model.tokenize(world.texts), config)


def test_a_budget_cuts_the_batch_into_equal_parts(new_model, world):
    model = new_model()
    size, peak = fitting(model, world)
    assert size == 24 and 0 < peak < budget_bytes("cpu")
    one, least = fitting(model, world, memory_gb=1.0)[0], fitting(model, world, texts_per_image="all")[1]
    assert one == 24 and least > peak
    base = 2 * peak - fitting_peak_of(model, world, 48)
    each = (peak - base) / 24
    size, tight = fitting(model, world, memory_gb=(base + 15.5 * each) / GB)
    assert size == 12 and tight <= base + 15.5 * each  # 15 would fit, but 12 + 12 are quicker than 15 + 9
    with pytest.raises(ModelError) as error:
        fitting(model, world, memory_gb=(base + 0.5 * each) / GB)
    assert error.value.code == "memory_too_small"


def fitting_peak_of(model, world, pictures):
    twice = dataclasses.replace(
        world,
        pixels=np.concatenate([world.pixels, world.pixels]),
        texts=[*world.texts, *world.texts],
        text_images=[*world.text_images, *([i + 24 for i in images] for images in world.text_images)],
    )
    config = dataclasses.replace(CONFIG, batch_size=pictures, accumulation=1)
    prepare(model, config)
    train_mode(model.clip.modules(), model.clip)
    return find_micro_batch(model, twice, model.tokenize(twice.texts), config)[1]


def test_checkpointing_is_seen_in_the_estimate():
    """On a model deep enough for it to matter."""
    from core.model.loading import load_model
    from core.training.data import TrainingData

    model = load_model("mini", Path())
    data = TrainingData(np.zeros((24, 3, 112, 112), np.uint8), ["西湖断桥"] * 24, [[i] for i in range(24)])
    assert fitting(model, data, checkpointing=True)[1] < 0.75 * fitting(model, data)[1]


def test_a_plan_says_what_a_run_will_take_and_leaves_the_model_as_it_was(new_model, world):
    model = new_model()
    before = {name: tensor.clone() for name, tensor in model.clip.state_dict().items()}
    torch.manual_seed(8)
    expected = torch.rand(2)
    torch.manual_seed(8)
    config = dataclasses.replace(CONFIG, epochs=7, method="full")
    plan = make_plan(model, world, config)
    assert torch.equal(torch.rand(2), expected)
    assert (plan.effective_batch, plan.steps_per_epoch, plan.epochs, plan.micro_batch) == (12, 2, 7, 12)
    assert plan.trainable == plan.total and plan.share == 1
    assert 0 < plan.epoch_seconds < 60 and plan.peak_bytes > 4 * 4 * plan.total
    lora = make_plan(model, world, CONFIG)
    assert 0 < lora.share < 0.1 and lora.peak_bytes < plan.peak_bytes
    after = model.clip.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[k], before[k]) for k in before)
    assert not model.clip.training and not any(p.requires_grad or p.grad is not None for p in model.clip.parameters())


def test_a_plan_learns_from_a_step_that_ran_out(new_model, world):
    assert make_plan(narrow(new_model(), 5, from_call=3), world, CONFIG).micro_batch == 3


def test_the_peak_of_the_process_is_known_here():
    assert memory_used("cpu") > 50 * 1024**2
