import copy

import pytest
import torch
from torch import nn

from core.errors import InputError
from core.model.attention import SplitAttention, original_keys, split_attention
from core.model.lora import (
    LoraConfig,
    adapters,
    apply_lora,
    count_parameters,
    has_vision_blocks,
    merge,
    merged_state_dict,
    remove_lora,
    set_strength,
    unmerge,
)

EVERYWHERE = LoraConfig(rank=3, alpha=6, targets=("q", "k", "v", "o", "mlp"))


@pytest.fixture
def double(monkeypatch, model):
    """The tiny model in float64; cn_clip's LayerNorm would fall back to float32."""
    from cn_clip.clip import model as cn_model

    monkeypatch.setattr(cn_model.LayerNorm, "forward", nn.LayerNorm.forward)
    model.clip.double()
    return model


@pytest.fixture
def inputs(model, pictures, texts):
    pixels = torch.stack([torch.from_numpy(model.preprocess(p)) for p in pictures[:5]])
    return pixels, model.tokenize(texts)


def outputs(model, inputs):
    with torch.no_grad():
        return torch.cat([model.image_features(inputs[0]), model.text_features(inputs[1])])


def randomise(clip, seed=0):
    torch.manual_seed(seed)
    for _, adapter in adapters(clip):
        nn.init.normal_(adapter.lora_B, std=0.3)


@pytest.mark.parametrize("masked", [False, True])
def test_split_attention_equals_multihead_attention(masked):
    torch.manual_seed(0)
    joined = nn.MultiheadAttention(24, 3).double()
    nn.init.normal_(joined.in_proj_bias)
    holder = nn.Module()
    holder.visual = nn.Module()
    holder.visual.transformer = nn.Module()
    holder.visual.transformer.resblocks = nn.ModuleList([nn.Module()])
    block = holder.visual.transformer.resblocks[0]
    block.attn = joined
    keys = {k: v.clone() for k, v in holder.state_dict().items()}
    split_attention(holder)
    assert isinstance(block.attn, SplitAttention)
    x = torch.randn(7, 4, 24, dtype=torch.float64)
    mask = torch.full((7, 7), float("-inf"), dtype=torch.float64).triu(1) if masked else None
    expected = joined(x, x, x, need_weights=False, attn_mask=mask)[0]
    assert torch.allclose(block.attn(x, x, x, need_weights=False, attn_mask=mask)[0], expected, atol=1e-12)
    back = original_keys(holder.state_dict())
    assert back.keys() == keys.keys() and all(torch.equal(back[k], keys[k]) for k in keys)


def test_the_start_is_exactly_the_base_model(model, inputs):
    before = outputs(model, inputs)
    names = apply_lora(model.clip, EVERYWHERE)
    assert torch.equal(outputs(model, inputs), before)
    assert len(names) == len(set(names)) == 2 * 2 * 6
    assert sorted(name for name, _ in adapters(model.clip)) == sorted(names)
    remove_lora(model.clip)
    assert torch.equal(outputs(model, inputs), before) and not list(adapters(model.clip))


def test_names_are_cn_clips_paths(model):
    names = apply_lora(model.clip, LoraConfig(layers=(-1,)))
    assert names == [
        "visual.transformer.resblocks.1.attn.q_proj",
        "visual.transformer.resblocks.1.attn.k_proj",
        "visual.transformer.resblocks.1.attn.v_proj",
        "visual.transformer.resblocks.1.attn.out_proj",
        "bert.encoder.layer.1.attention.self.query",
        "bert.encoder.layer.1.attention.self.key",
        "bert.encoder.layer.1.attention.self.value",
        "bert.encoder.layer.1.attention.output.dense",
    ]


def test_every_adapter_gets_a_gradient_and_changes_the_output(double, inputs):
    apply_lora(double.clip, EVERYWHERE)
    randomise(double.clip)
    images, words = double.image_features(inputs[0]), double.text_features(inputs[1])
    (images @ words.T).square().sum().backward()
    for name, adapter in adapters(double.clip):
        assert adapter.lora_A.grad.abs().max() > 0, name
        assert adapter.lora_B.grad.abs().max() > 0, name
        assert adapter.weight.grad is None, name
    full = outputs(double, inputs)
    for name, adapter in adapters(double.clip):
        adapter.strength = 0.0
        # keys of a softmax over equal rows could hide: the change is small but there
        assert (outputs(double, inputs) - full).abs().max() > 1e-9, name
        adapter.strength = 1.0


def test_gradients_agree_with_the_merged_weights(double, inputs):
    """d loss/dB = scale · d loss/dW · Aᵀ, with W's own gradient as the witness."""
    apply_lora(double.clip, EVERYWHERE)
    randomise(double.clip)
    double.image_features(inputs[0])[:, 0].sum().backward()
    merge(double.clip)
    for _, adapter in adapters(double.clip):
        adapter.weight.requires_grad_(True)
    double.image_features(inputs[0])[:, 0].sum().backward()
    for name, adapter in adapters(double.clip):
        if name.startswith("visual."):
            expected = adapter.scale * adapter.weight.grad @ adapter.lora_A.T
            assert torch.allclose(adapter.lora_B.grad, expected, atol=1e-9), name
            assert expected.abs().max() > 1e-6, name


@pytest.mark.parametrize("rslora", [False, True])
def test_merge_and_unmerge_agree(model, inputs, rslora):
    base = outputs(model, inputs)
    apply_lora(model.clip, LoraConfig(rank=4, alpha=8, rslora=rslora))
    assert next(adapters(model.clip))[1].scale == (4 if rslora else 2)
    randomise(model.clip)
    tuned = outputs(model, inputs)
    assert (tuned - base).abs().max() > 0.05
    merge(model.clip)
    assert torch.allclose(outputs(model, inputs), tuned, atol=1e-5)
    merge(model.clip)  # twice is once
    assert torch.allclose(outputs(model, inputs), tuned, atol=1e-5)
    unmerge(model.clip)
    assert torch.allclose(outputs(model, inputs), tuned, atol=1e-5)
    remove_lora(model.clip)
    assert torch.allclose(outputs(model, inputs), base, atol=1e-5)


def test_strength_interpolates_the_weights(model, inputs):
    base = outputs(model, inputs)
    apply_lora(model.clip, LoraConfig(rank=4, alpha=8))
    randomise(model.clip)
    tuned = outputs(model, inputs)
    set_strength(model.clip, 0)
    assert torch.equal(outputs(model, inputs), base)
    set_strength(model.clip, 0.5)
    half = outputs(model, inputs)
    merge(model.clip)
    assert torch.allclose(outputs(model, inputs), half, atol=1e-5)
    set_strength(model.clip, 1)
    assert torch.allclose(outputs(model, inputs), tuned, atol=1e-5)
    assert not torch.allclose(half, tuned, atol=1e-3) and not torch.allclose(half, base, atol=1e-3)
    with pytest.raises(InputError):
        set_strength(model.clip, 1.5)


def test_merged_state_has_the_original_names_and_runs_in_cn_clip(model, original, inputs):
    apply_lora(model.clip, EVERYWHERE)
    randomise(model.clip)
    state = merged_state_dict(model.clip)
    assert state.keys() == original.state_dict().keys()
    plain = copy.deepcopy(original)
    plain.load_state_dict(state)
    from core.model.preprocess import normalise

    with torch.no_grad():
        images = nn.functional.normalize(plain.encode_image(normalise(inputs[0])), dim=-1)
        words = nn.functional.normalize(plain.encode_text(inputs[1]), dim=-1)
    assert torch.allclose(torch.cat([images, words]), outputs(model, inputs), atol=1e-5)
    merge(model.clip)
    again = merged_state_dict(model.clip)
    assert all(torch.allclose(again[k], state[k], atol=1e-6) for k in state)


def test_parameters_are_counted_as_measured(model):
    base = sum(p.numel() for p in model.clip.parameters())
    apply_lora(model.clip, LoraConfig(rank=4))
    assert count_parameters(model.clip) == (16 * 4 * 128, base + 16 * 4 * 128)


def test_dropout_only_in_training(model, inputs):
    apply_lora(model.clip, LoraConfig(rank=4, dropout=0.5, towers=("vision",)))
    randomise(model.clip)
    assert torch.equal(outputs(model, inputs), outputs(model, inputs))
    model.clip.train()
    with torch.no_grad():
        assert not torch.equal(model.image_features(inputs[0]), model.image_features(inputs[0]))


def test_the_seed_decides_the_start(model):
    def first(seed):
        apply_lora(model.clip, LoraConfig(), seed)
        return next(adapters(model.clip))[1].lora_A.detach().clone()

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


def test_rn50_gets_text_adapters_only():
    from cn_clip.clip.model import CLIP

    from core.model.spec import released_config

    with torch.device("meta"):
        clip = CLIP(**released_config("RN50"))
    split_attention(clip)
    assert not has_vision_blocks(clip)
    names = apply_lora(clip, LoraConfig())
    assert len(names) == 3 * 4 and all(name.startswith("bert.") for name in names)
    with pytest.raises(InputError) as error:
        apply_lora(clip, LoraConfig(towers=("vision",)))
    assert error.value.code == "lora_nothing"


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 0}, {"alpha": 0}, {"dropout": 1}, {"layers": ()}],
)
def test_options_that_make_no_sense(wrong):
    with pytest.raises(InputError) as error:
        LoraConfig(**wrong)
    assert error.value.code == "lora_config" and error.value.details["field"] == next(iter(wrong))


@pytest.mark.parametrize(
    ("wrong", "known"),
    [({"targets": ("x",)}, "q, k, v, o, mlp"), ({"towers": ("text", "ears")}, "vision, text"), ({"towers": ()}, "vi")],
)
def test_parts_that_are_not_there_are_said_with_those_that_are(wrong, known):
    with pytest.raises(InputError) as error:
        LoraConfig(**wrong)
    assert error.value.details["field"] == next(iter(wrong)) and known in error.value.details["known"]


@pytest.mark.parametrize("layers", [(5,), (-1, -4)])
def test_a_layer_that_is_not_there(model, layers):
    with pytest.raises(InputError) as error:
        apply_lora(model.clip, LoraConfig(layers=layers))
    assert error.value.details == {"layer": layers[-1], "count": 2}


def test_options_go_through_json():
    config = LoraConfig(rank=2, layers=(0, -1), rslora=True)
    assert LoraConfig.from_dict(config.to_dict()) == config
