"""The vision tower's attention with separate q, k, v and o Linears, so that each can be adapted.

``nn.MultiheadAttention`` keeps q, k and v in one ``in_proj_weight`` and reads ``out_proj.weight`` past the
module's forward, so that an adapter put there is ignored without a word. Here the same computation runs over
four Linears and ``scaled_dot_product_attention``; :func:`original_keys` gives a state dict its original names
back.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.model.towers import replace_stacks

_SPLIT = re.compile(r"^(visual\.transformer\.resblocks\.\d+\.attn)\.(q|k|v)_proj\.(weight|bias)$")


class SplitAttention(nn.Module):
    """Self-attention equal to ``nn.MultiheadAttention(width, heads)`` on [length, batch, width]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Called by cn_clip's ``ResidualAttentionBlock``; attention weights are never returned."""
        mixed = F.scaled_dot_product_attention(
            self._heads(self.q_proj(query)),
            self._heads(self.k_proj(key)),
            self._heads(self.v_proj(value)),
            attn_mask=attn_mask,
        )
        return self.out_proj(mixed.permute(2, 0, 1, 3).flatten(2)), None

    def _heads(self, x: Tensor) -> Tensor:
        length, batch, width = x.shape
        return x.view(length, batch, self.heads, width // self.heads).permute(1, 2, 0, 3)


def split_attention(clip: nn.Module) -> None:
    """Replace every ``nn.MultiheadAttention`` of the vision tower in place, keeping its weights; then the rest
    that :func:`core.model.towers.replace_stacks` replaces.

    A ResNet has none of them and stays as it is.
    """
    for block in getattr(getattr(clip.visual, "transformer", None), "resblocks", ()):
        if isinstance(block.attn, nn.MultiheadAttention):
            block.attn = _split(block.attn)
    replace_stacks(clip)


def _split(joined: nn.MultiheadAttention) -> SplitAttention:
    with torch.device("meta"):
        split = SplitAttention(joined.embed_dim, joined.num_heads)
    weights, biases = joined.in_proj_weight.detach().chunk(3), joined.in_proj_bias.detach().chunk(3)
    state = {
        "out_proj.weight": joined.out_proj.weight.detach(),
        "out_proj.bias": joined.out_proj.bias.detach(),
    }
    for name, weight, bias in zip("qkv", weights, biases, strict=True):
        state[f"{name}_proj.weight"], state[f"{name}_proj.bias"] = weight.clone(), bias.clone()
    split.load_state_dict(state, assign=True)
    split.train(joined.training)
    return split.requires_grad_(joined.in_proj_weight.requires_grad)


def original_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with cn_clip's names: q, k and v joined as ``in_proj_weight`` and ``in_proj_bias``."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        match = _SPLIT.match(key)
        if match is None:
            renamed[key] = tensor
        elif match.group(2) == "q":
            prefix, _, kind = match.groups()
            parts = [state[f"{prefix}.{name}_proj.{kind}"] for name in "qkv"]
            renamed[f"{prefix}.in_proj_{kind}"] = torch.cat(parts)
    return renamed
