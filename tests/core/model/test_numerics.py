"""LoRA in float64, where rounding hides nothing, on the shipped mini model and on a ViT-B-16 with random weights.

A forward pass of the latter takes seconds, so each is made once and looked at from several sides.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from core.model.adapters import load_adapter, save_adapter
from core.model.loading import LoadedModel, build_clip, load_model
from core.model.lora import LoraConfig, adapters, apply_lora, merge, remove_lora, set_strength, strength, unmerge
from core.model.spec import ModelSpec, released_config

EVERYWHERE = LoraConfig(rank=3, alpha=6, rslora=True, targets=("q", "k", "v", "o", "mlp"))
EXACT = 1e-12
TEXTS = ["德寿宫在望仙桥东", "𠮷湖"]


@pytest.fixture(scope="module", autouse=True)
def _float64_norms():
    """cn_clip's LayerNorm computes in float32 whatever it is given."""
    from cn_clip.clip import model as cn_model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cn_model.LayerNorm, "forward", nn.LayerNorm.forward)
        yield


def loaded(name, random_state):
    if name == "mini":
        return load_model("mini", None)
    config = released_config(name)
    return LoadedModel(build_clip(config, random_state(config)), ModelSpec(name, config), "random")


@pytest.fixture(scope="module", params=["mini", "ViT-B-16"])
def seen(request, random_state, _float64_norms):
    """The model with random adapters everywhere; what it answered without them, with fresh ones, and with these; the
    gradients of a loss."""
    model = loaded(request.param, random_state)
    model.clip.double()
    generator = torch.Generator().manual_seed(7)
    side = model.spec.resolution
    inputs = torch.randint(256, (1, 3, side, side), generator=generator).to(torch.uint8), model.tokenize(TEXTS)
    seen = SimpleNamespace(model=model, inputs=inputs, base=answers(model, inputs))
    seen.names = apply_lora(model.clip, EVERYWHERE, seed=5)
    seen.start = answers(model, inputs)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.02, generator=generator)
    images, words = model.image_features(inputs[0]), model.text_features(inputs[1])
    (images @ words.T).square().sum().backward()
    seen.gradients = {name: p.grad for name, p in model.clip.named_parameters() if p.grad is not None}
    model.clip.zero_grad(set_to_none=True)
    seen.whole = torch.cat([images, words]).detach()
    return seen


def answers(model, inputs):
    with torch.no_grad():
        return torch.cat([model.image_features(inputs[0]), model.text_features(inputs[1])])


def far(a, b):
    return float((a - b).detach().abs().max())


def test_the_start_is_exactly_the_base_model(seen):
    assert seen.base.dtype == torch.float64 and torch.equal(seen.start, seen.base)
    blocks = seen.model.spec.config["vision_layers"] + seen.model.spec.config["text_num_hidden_layers"]
    assert len(seen.names) == len(set(seen.names)) == 6 * blocks


def test_every_adapter_gets_a_gradient_and_changes_the_answer(seen):
    """What an adapter adds is linear in B, so d loss / d strength is the sum over d loss/dB times B."""
    found = dict(adapters(seen.model.clip))
    assert sorted(found) == sorted(seen.names)
    assert set(seen.gradients) == {f"{name}.{part}" for name in seen.names for part in ("lora_A", "lora_B")}
    for name, adapter in found.items():
        first, second = seen.gradients[f"{name}.lora_A"], seen.gradients[f"{name}.lora_B"]
        assert first.abs().max() > 0 and second.abs().max() > 0, name
        assert abs((second * adapter.lora_B.detach()).sum().item()) > 1e-12, name


def test_strength_merging_and_unmerging_agree(seen):
    model, inputs = seen.model, seen.inputs
    assert far(seen.whole, seen.base) > 1e-3
    set_strength(model.clip, 0.4)
    part = answers(model, inputs)
    assert min(far(part, seen.whole), far(part, seen.base)) > 1e-4
    for name, adapter in adapters(model.clip):
        before = adapter.weight.detach().clone()
        adapter.merge(True)
        assert far(adapter.weight, before + 0.4 * adapter.scale * (adapter.lora_B @ adapter.lora_A)) < EXACT, name
        adapter.merge(False)
        assert far(adapter.weight, before) < EXACT, name
    merge(model.clip)
    assert far(answers(model, inputs), part) < EXACT
    unmerge(model.clip)
    set_strength(model.clip, 1)
    assert strength(model.clip) == 1


def test_the_file_brings_the_same_adapters_back(seen, tmp_path):
    model, file = seen.model, tmp_path / "adapter.safetensors"
    before = {name: (a.lora_A.detach().clone(), a.lora_B.detach().clone()) for name, a in adapters(model.clip)}
    save_adapter(file, model, EVERYWHERE)
    assert file.stat().st_size < 20e6
    remove_lora(model.clip)
    load_adapter(file, model)
    for name, adapter in adapters(model.clip):
        first, second = before[name]
        assert torch.equal(adapter.lora_A, first) and torch.equal(adapter.lora_B, second), name
    if model.spec.name == "mini":  # a pass is cheap
        assert far(answers(model, seen.inputs), seen.whole) < EXACT
        set_strength(model.clip, 0)
        assert far(answers(model, seen.inputs), seen.base) < EXACT
        set_strength(model.clip, 1)
        merge(model.clip)
        assert far(answers(model, seen.inputs), seen.whole) < EXACT
        unmerge(model.clip)
        assert far(answers(model, seen.inputs), seen.whole) < EXACT
