"""Dropout whose mask belongs to the sample and not to the batch.

Torch draws one mask for a whole tensor, so that a batch cut at another place meets other masks: GradCache would
then depend on the micro-batch, and a step repeated after running out of memory would be another step. Here every
sample brings a seed, and its mask is a hash of seed, module and position. It is the same in any micro-batch, on any
device, in a replay and in a recomputation, and nothing is kept for the backward pass.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Tower = Literal["vision", "text"]
BATCH_DIM: dict[Tower, int] = {"vision": 1, "text": 0}
"""Where cn_clip's towers keep the samples: [length, batch, width] and [batch, length, width]."""

_FLOOR = 64
"""A dimension counts as at least so long in a position: texts padded to other lengths (52 at most) agree."""
_GOLDEN = -1640531535  # 2654435761 as int32: neighbouring positions land far apart


class SampleDropout(nn.Module):
    """Dropout with a mask for each sample of a tower; without seeds (:func:`seed_dropout`) it is torch's own.

    The probability is kept to 1/65,536.
    """

    def __init__(self, p: float, tower: Tower) -> None:
        super().__init__()
        self.p, self.tower = p, tower
        self.seeds: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with the samples along the tower's batch dimension; the same shape."""
        if not self.training or self.p == 0:
            return x
        if self.seeds is None:
            return F.dropout(x, self.p, training=True)
        kept: Tensor = _Masked.apply(x, self.seeds, self.p, BATCH_DIM[self.tower])
        return kept


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, seeds: Tensor, p: float, dim: int) -> Tensor:
        ctx.save_for_backward(seeds)
        ctx.p, ctx.dim = p, dim
        return _masked(x, seeds, p, dim)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (seeds,) = ctx.saved_tensors
        return _masked(gradients[0], seeds, ctx.p, ctx.dim), None, None, None


def _masked(x: Tensor, seeds: Tensor, p: float, dim: int) -> Tensor:
    return (x * sample_mask(x.shape, seeds, p, dim)).mul_(1 / (1 - p))


def sample_mask(shape: Sequence[int], seeds: Tensor, p: float, dim: int) -> Tensor:
    """What is kept, bool of ``shape``; ``seeds`` int32 [shape[dim]], one for each sample along ``dim``.

    One round of the integer hash "lowbias32" (Wellons, 2018) decides on two neighbours of the last dimension.
    """
    sizes = [*shape[:-1], (shape[-1] + 1) // 2]
    along = [[-1 if i == d else 1 for i in range(len(sizes))] for d in range(len(sizes))]
    positions = torch.zeros((), dtype=torch.int32, device=seeds.device)
    stride = 1
    for d in reversed(range(len(sizes))):
        if d != dim:
            place = torch.arange(sizes[d], dtype=torch.int32, device=seeds.device)
            positions = positions + (place * stride).view(along[d])
            stride *= max(sizes[d], _FLOOR)
    hashed = (positions * _GOLDEN) ^ seeds.view(along[dim])
    hashed ^= (hashed >> 16) & 0xFFFF  # int32 shifts keep the sign, which the hash does not want
    hashed *= 0x7FEB352D
    hashed ^= (hashed >> 15) & 0x1FFFF
    hashed *= -2073254261
    hashed ^= (hashed >> 16) & 0xFFFF
    return hashed.view(torch.int16)[..., : shape[-1]] >= round(p * 65536) - 32768


def seed_dropout(clip: nn.Module, tower: Tower, seeds: Tensor | None) -> None:
    """Give the samples that go through a tower next their seeds, int32 [n]; None for torch's own dropout."""
    for number, module in enumerate(m for m in clip.modules() if isinstance(m, SampleDropout)):
        if module.tower == tower:
            salt = number * 0x9E3779B9 % 2**31
            module.seeds = None if seeds is None else seeds ^ salt
