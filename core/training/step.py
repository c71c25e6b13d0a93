"""One optimiser step: the gradients of its micro-batches, and how far to move."""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.training.augment import augment
from core.training.batches import Batch
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.loss import contrastive_loss

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


def accumulate_gradients(
    model: ContrastiveModel,
    data: TrainingData,
    tokens: Tensor,
    batches: Sequence[Batch],
    config: TrainConfig,
    scaler: torch.amp.GradScaler,
    rng: np.random.Generator,
) -> float:
    """Add the gradients of the mean loss over micro-batches to the parameters; returns that loss.

    Each micro-batch is contrasted within itself: accumulating saves memory but makes no larger contrastive
    batch.
    """
    total = 0.0
    for batch in batches:
        pixels = torch.from_numpy(np.array(data.pixels[batch.images])).to(model.device, non_blocking=True)
        if config.augment:
            pixels = augment(pixels, rng)
        images = model.image_features(pixels, config.precision)
        texts = model.text_features(tokens[torch.from_numpy(batch.texts)], config.precision)
        positives = torch.from_numpy(data.positives(batch.images, batch.texts)).to(images.device)
        loss = contrastive_loss(images, texts, positives, model.logit_scale.exp()) / len(batches)
        scaler.scale(loss).backward()
        total += float(loss.detach())
    return total


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
    """Move the parameters along their gradients, clipped; returns the gradient's length before clipping."""
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
    """Training mode, except for batch norms that are frozen: their running means belong to the base model."""
    clip.train()
    for module in modules:
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.weight.requires_grad:
            module.eval()
