"""The towers' stacks of blocks and the text tower's attention, in our own words, with the same results.

cn_clip checkpoints with re-entrant checkpoints, which lose every gradient when the base is frozen, and computes text
attention step by step. Key names stay cn_clip's.
"""

import math
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from core.model.dropout import SampleDropout


class VisionStack(nn.Module):
    """The blocks of the vision tower; with ``grad_checkpointing`` each is computed again for its gradients."""

    def __init__(self, resblocks: nn.Sequential) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.resblocks = resblocks

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [length, batch, width] to the same."""
        for block in self.resblocks:
            x = _called(block, self.grad_checkpointing and self.training, x)
        return x


class TextStack(nn.Module):
    """The layers of BERT; with ``grad_checkpointing`` each is computed again for its gradients."""

    def __init__(self, layer: nn.ModuleList) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.layer = layer

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, head_mask: Any = None
    ) -> tuple[Tensor]:
        """``hidden_states`` [batch, length, width] to the same, in a tuple; head masks are never given."""
        for layer in self.layer:
            hidden_states = _called(layer, self.grad_checkpointing and self.training, hidden_states, attention_mask)
        return (hidden_states,)


def _called(block: nn.Module, again: bool, *inputs: Tensor | None) -> Tensor:
    if not again:
        return cast(Tensor, block(*inputs))
    return cast(Tensor, checkpoint(block, *inputs, use_reentrant=False))


class TextAttention(nn.Module):
    """BERT's self-attention through ``scaled_dot_product_attention``, equal to cn_clip's ``BertSelfAttention``."""

    def __init__(self, old: Any) -> None:
        super().__init__()
        self.heads = int(old.num_attention_heads)
        self.query, self.key, self.value = old.query, old.key, old.value
        self.dropout = SampleDropout(old.dropout.p, "text")

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, head_mask: Any = None
    ) -> tuple[Tensor]:
        """``hidden_states`` [batch, length, width]; ``attention_mask`` is added to the scores."""
        query, key, value = (self._heads(part(hidden_states)) for part in (self.query, self.key, self.value))
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


def replace_stacks(clip: nn.Module) -> None:
    """Put our stacks, text attention and dropout in the place of cn_clip's, in place, keeping the weights.

    A ResNet's vision tower stays as it is.
    """
    visual = clip.get_submodule("visual")
    if hasattr(getattr(visual, "transformer", None), "grad_checkpointing"):
        visual.transformer = VisionStack(cast(Any, visual).transformer.resblocks).train(visual.training)
    bert: Any = getattr(clip, "bert", None)
    if bert is None or isinstance(bert.encoder, TextStack):
        return
    for layer in bert.encoder.layer:
        layer.attention.self = TextAttention(layer.attention.self)
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
