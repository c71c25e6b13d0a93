"""What goes into one optimiser step, and how far it moves."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.model.lora import apply_lora
from core.model.towers import set_checkpointing
from core.model.trainable import train_everything
from core.training.augment import augment
from core.training.batches import Batch
from core.training.config import TrainConfig
from core.training.data import TrainingData

MAX_LOGIT_SCALE = math.log(100)
"""CLIP's own limit: beyond it training becomes unstable."""


class ContrastiveModel(Protocol):
    """All that training knows of a model."""

    @property
    def clip(self) -> nn.Module:
        """The module whose parameters are trained."""

    @property
    def device(self) -> str:
        """Where it computes."""

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of the factor on the cosines."""

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids [n, length]."""

    def image_features(self, pixels: Tensor, precision: str = "auto") -> Tensor:
        """Unit-length features of uint8 pixels [n, 3, r, r], with gradients."""

    def text_features(self, tokens: Tensor, precision: str = "auto") -> Tensor:
        """Unit-length features of token ids, with gradients."""


@dataclass(frozen=True)
class StepInput:
    """A batch on its device: ``pixels`` uint8 [n, 3, r, r], ``tokens`` int64 [m, length], ``positives`` bool [n, m].

    ``image_seeds`` and ``text_seeds``, int32, decide each sample's dropout (core/model/dropout.py).
    """

    pixels: Tensor
    tokens: Tensor
    positives: Tensor
    image_seeds: Tensor
    text_seeds: Tensor


def step_input(
    data: TrainingData, tokens: Tensor, batch: Batch, device: str, rng: np.random.Generator, *, augmented: bool
) -> StepInput:
    """Fetch a batch; augmentation and dropout seeds come from ``rng``, so the same ``rng`` gives the same step."""
    pixels = torch.from_numpy(np.array(data.pixels[batch.images])).to(device, non_blocking=True)
    return StepInput(
        pixels=augment(pixels, rng) if augmented else pixels,
        tokens=tokens[torch.from_numpy(batch.texts)].to(device),
        positives=torch.from_numpy(data.positives(batch.images, batch.texts)).to(device),
        image_seeds=_seeds(rng, len(batch.images), device),
        text_seeds=_seeds(rng, len(batch.texts), device),
    )


def _seeds(rng: np.random.Generator, count: int, device: str) -> Tensor:
    return torch.from_numpy(rng.integers(0, 2**31, count, dtype=np.int32)).to(device)


def prepare(model: ContrastiveModel, config: TrainConfig) -> None:
    """Make trainable what the method trains: fresh adapters on a frozen base, or every weight but batch norms."""
    if config.method == "lora":
        apply_lora(model.clip, config.lora, config.seed)
    else:
        train_everything(model.clip)
    set_checkpointing(model.clip, config.checkpointing)


def make_optimizer(model: ContrastiveModel, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over what is trainable, with CLIP's betas; no weight decay on biases, norms, logit scale."""
    trained = [p for p in model.clip.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )


def learning_rate(step: int, total: int, config: TrainConfig) -> float:
    """Linear warm-up over a share of the steps (at least one), then half a cosine down to nothing."""
    warm = max(1, round(total * config.warmup)) if config.warmup else 0
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, total - warm)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def apply_step(
    model: ContrastiveModel,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rate: float,
    clip_norm: float,
) -> float:
    """Move the parameters along their gradients, clipped; returns the gradient's length before clipping.

    In fp16 a step whose gradients overflowed is left out and its length is infinite.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = rate
    scaler.unscale_(optimizer)
    length = float(nn.utils.clip_grad_norm_(parameters, clip_norm))
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if model.logit_scale.requires_grad:
        with torch.no_grad():
            model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
    return length


def train_mode(modules: Iterable[nn.Module], clip: nn.Module) -> None:
    """Training mode, except for batch norms: their running means stay the base model's.

    The mean of a micro-batch is not the mean of the batch, so a norm that used it would make the result depend on
    how a batch is cut.
    """
    clip.train()
    for module in modules:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
