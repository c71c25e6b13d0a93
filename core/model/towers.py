"""The towers' stacks of blocks, text attention and activations in our own words, with the same results.

cn_clip checkpoints with re-entrant checkpoints, which lose every gradient when the base is frozen, and computes text
attention and its activations step by step, each step a pass over memory that is kept for the backward pass. Of a
tower's last block it uses one token, so that only this one is computed here. Key names stay cn_clip's.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from core.model.dropout import SampleDropout


class VisionStack(nn.Module):
    """The blocks of the vision tower; with ``grad_checkpointing`` each is computed again for its gradients.

    The features are the class token of the last block, which is all that comes out of it.
    """

    def __init__(self, resblocks: nn.Sequential) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.resblocks = resblocks

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [length, batch, width] to [1, batch, width]."""
        again = self.grad_checkpointing and self.training
        *blocks, last = self.resblocks
        for block in blocks:
            x = _called(block, again, x)
        return _called(partial(_class_token, last), again, x)


def _class_token(block: Any, x: Tensor) -> Tensor:
    normed = block.ln_1(x)
    token = x[:1] + block.attn(normed[:1], normed, normed)[0]
    return cast(Tensor, token + block.mlp(block.ln_2(token)))


class TextStack(nn.Module):
    """The layers of BERT; with ``grad_checkpointing`` each is computed again for its gradients.

    The features are [CLS] of the last layer, which is all that comes out of it.
    """

    def __init__(self, layer: nn.ModuleList) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.layer = layer

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, head_mask: Any = None
    ) -> tuple[Tensor]:
        """``hidden_states`` [batch, length, width] to [batch, 1, width] in a tuple; head masks are never given."""
        again = self.grad_checkpointing and self.training
        *layers, last = self.layer
        for layer in layers:
            hidden_states = _called(layer, again, hidden_states, attention_mask)
        return (_called(partial(_cls, last), again, hidden_states, attention_mask),)


def _cls(layer: Any, hidden_states: Tensor, attention_mask: Tensor | None) -> Tensor:
    first = hidden_states[:, :1]
    (mixed,) = layer.attention.self(hidden_states, attention_mask, queries=first)
    attended = layer.attention.output(mixed, first)
    return cast(Tensor, layer.output(layer.intermediate(attended), attended))


def _called(block: Callable[..., Tensor], again: bool, *inputs: Tensor | None) -> Tensor:
    if not again:
        return block(*inputs)
    found: Tensor = checkpoint(block, *inputs, use_reentrant=False)
    return found


class TextAttention(nn.Module):
    """BERT's self-attention through ``scaled_dot_product_attention``, equal to cn_clip's ``BertSelfAttention``."""

    def __init__(self, old: Any) -> None:
        super().__init__()
        self.heads = int(old.num_attention_heads)
        self.query, self.key, self.value = old.query, old.key, old.value
        self.dropout = SampleDropout(old.dropout.p, "text")

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Any = None,
        queries: Tensor | None = None,
    ) -> tuple[Tensor]:
        """``hidden_states`` [batch, length, width]; ``attention_mask`` is added to the scores.

        ``queries`` [batch, n, width] are the tokens wanted, the first n, when not all are.
        """
        query = self._heads(self.query(hidden_states if queries is None else queries))
        key, value = self._heads(self.key(hidden_states)), self._heads(self.value(hidden_states))
        mask = None if attention_mask is None else attention_mask.to(query.dtype)
        if self.training and self.dropout.p > 0:
            # the fused kernel draws its own mask for the whole batch, which no micro-batch could repeat
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
            weights = scores if mask is None else scores + mask
            mixed = self.dropout(weights.softmax(-1)).to(value.dtype) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return (mixed.transpose(1, 2).flatten(2),)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class QuickGelu(nn.Module):
    """``x · sigmoid(1.702 x)`` that keeps one tensor for its backward pass instead of two."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        return F.silu(x * 1.702) * (1 / 1.702)


def replace_stacks(clip: nn.Module) -> None:
    """Put our stacks, text attention, activations and dropout in the place of cn_clip's, in place, keeping the
    weights.

    A ResNet's vision tower stays as it is.
    """
    visual = clip.get_submodule("visual")
    if hasattr(getattr(visual, "transformer", None), "grad_checkpointing"):
        visual.transformer = VisionStack(cast(Any, visual).transformer.resblocks).train(visual.training)
        for block in visual.transformer.resblocks:
            cast(Any, block).mlp.gelu = QuickGelu()
    bert: Any = getattr(clip, "bert", None)
    if bert is None or isinstance(bert.encoder, TextStack):
        return
    for layer in bert.encoder.layer:
        layer.attention.self = TextAttention(layer.attention.self)
        if bert.config.hidden_act == "gelu":
            layer.intermediate.intermediate_act_fn = F.gelu
    for module in list(bert.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, SampleDropout(child.p, "text"))
    bert.encoder = TextStack(bert.encoder.layer)
    bert.train(bert.training)


def set_checkpointing(clip: nn.Module, wanted: bool) -> None:
    """Keep only each block's input for the backward pass of training: a fraction of the memory, a third more time.

    A ResNet's vision tower is not checkpointed.
    """
    for module in clip.modules():
        if isinstance(module, VisionStack | TextStack):
            module.grad_checkpointing = wanted
