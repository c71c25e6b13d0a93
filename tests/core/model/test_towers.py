"""Our stacks and text attention against cn_clip's own, in float64."""

import copy

import pytest
import torch
from torch import nn

from core.model.attention import split_attention
from core.model.dropout import SampleDropout, seed_dropout
from core.model.lora import LoraConfig, adapters, apply_lora
from core.model.towers import TextStack, VisionStack, set_checkpointing

LORA = LoraConfig(rank=3, alpha=6, dropout=0.2, targets=("q", "k", "v", "o", "mlp"))


@pytest.fixture
def theirs(original, monkeypatch):
    """cn_clip's model in float64; its LayerNorm would fall back to float32."""
    from cn_clip.clip import model as cn_model

    monkeypatch.setattr(cn_model.LayerNorm, "forward", nn.LayerNorm.forward)
    return copy.deepcopy(original).double()


@pytest.fixture
def ours(theirs):
    clip = copy.deepcopy(theirs)
    split_attention(clip)
    return clip


@pytest.fixture
def batch(texts):
    from cn_clip.clip import tokenize

    torch.manual_seed(1)
    return torch.randn(5, 3, 32, 32, dtype=torch.float64), tokenize(texts, 52)


def test_both_towers_equal_cn_clips(ours, theirs, batch):
    with torch.no_grad():
        assert torch.allclose(ours.encode_image(batch[0]), theirs.encode_image(batch[0]), atol=1e-12)
        assert torch.allclose(ours.encode_text(batch[1]), theirs.encode_text(batch[1]), atol=1e-12)
    assert ours.bert.state_dict().keys() == theirs.bert.state_dict().keys()
    assert not [m for m in ours.modules() if isinstance(m, nn.Dropout)]


def test_text_attention_in_training_equals_cn_clips_but_for_what_is_dropped(ours, theirs, batch):
    """A probability that rounds to nothing takes the way of training and drops nothing."""
    for module in ours.modules():
        if isinstance(module, SampleDropout):
            module.p = 1e-9
    ours.train()
    seed_dropout(ours, "text", torch.zeros(5, dtype=torch.int32))
    with torch.no_grad():
        assert torch.allclose(ours.encode_text(batch[1]), theirs.encode_text(batch[1]), atol=1e-6)


def test_replacing_twice_changes_nothing(ours):
    stack = ours.bert.encoder
    split_attention(ours)
    assert ours.bert.encoder is stack and isinstance(stack, TextStack)
    assert isinstance(ours.visual.transformer, VisionStack)


@pytest.mark.parametrize("through_cn_clip", [False, True])
def test_checkpointing_on_a_frozen_base_gives_every_adapter_the_same_gradient(ours, batch, through_cn_clip):
    apply_lora(ours, LORA)
    torch.manual_seed(2)
    for _, adapter in adapters(ours):
        nn.init.normal_(adapter.lora_B, std=0.3)
    ours.train()
    for tower in ("vision", "text"):
        seed_dropout(ours, tower, torch.arange(5, dtype=torch.int32) * 7919)
    calls = []
    blocks = [b.ln_2 for b in ours.visual.transformer.resblocks] + [la.intermediate for la in ours.bert.encoder.layer]
    for block in blocks:
        block.register_forward_pre_hook(lambda *_: calls.append(1))

    def gradients():
        ours.zero_grad()
        calls.clear()
        (ours.encode_image(batch[0]) @ ours.encode_text(batch[1]).T).square().sum().backward()
        return [p.grad.clone() for p in ours.parameters() if p.requires_grad]

    plain = gradients()
    assert len(calls) == len(blocks)
    if through_cn_clip:
        ours.set_grad_checkpointing(True)
    else:
        set_checkpointing(ours, True)
    again = gradients()
    assert len(calls) == 2 * len(blocks)
    assert len(plain) == 2 * 2 * 6 * 2 and all(g.abs().max() > 0 for g in again)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
