"""Large contrastive batches in little memory: GradCache (Gao et al. 2021, arXiv 2101.06983).

A batch is encoded in parts without a graph; the loss of the whole batch gives the gradient of every feature; then
each part is encoded again, from the same random state, and takes its features' gradients from there. The gradients
of the parameters are those of the whole batch, which accumulating losses of parts would not give.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.model.dropout import Tower, seed_dropout
from core.training.loss import contrastive_loss
from core.training.step import ContrastiveModel, StepInput

TEXTS_A_PICTURE = 4
"""How many texts are computed where one picture would be: they weigh a quarter (52 against 197 tokens)."""


def rng_state(device: str) -> tuple[Tensor, Tensor | None]:
    """The state of torch's random numbers on the CPU and on the device."""
    kind = torch.device(device).type
    return torch.get_rng_state(), None if kind == "cpu" else torch.get_device_module(kind).get_rng_state()


def set_rng_state(device: str, state: tuple[Tensor, Tensor | None]) -> None:
    """Put back what :func:`rng_state` gave."""
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.get_device_module(torch.device(device).type).set_rng_state(state[1])


def batch_gradients(
    model: ContrastiveModel,
    batch: StepInput,
    micro_batch: int,
    scaler: torch.amp.GradScaler,
    precision: str = "auto",
) -> float:
    """Add the gradients of the batch's contrastive loss to the parameters; returns the loss.

    At most ``micro_batch`` pictures, and four times as many texts, are held with their graph at once. What fits in
    one part is encoded once; otherwise every part is encoded twice.
    """
    images = _Side(
        model,
        "vision",
        partial(model.image_features, precision=precision),
        batch.pixels,
        batch.image_seeds,
        micro_batch,
    )
    texts = _Side(
        model,
        "text",
        partial(model.text_features, precision=precision),
        batch.tokens,
        batch.text_seeds,
        TEXTS_A_PICTURE * micro_batch,
    )
    loss = contrastive_loss(images.encode(), texts.encode(), batch.positives, model.logit_scale.exp())
    scaler.scale(loss).backward()
    after = rng_state(model.device)
    images.replay()
    texts.replay()
    set_rng_state(model.device, after)
    return float(loss.detach())


@dataclass
class _Side:
    """One tower's samples, cut into parts."""

    model: ContrastiveModel
    tower: Tower
    features: Callable[[Tensor], Tensor]
    samples: Tensor
    seeds: Tensor
    size: int
    cached: Tensor | None = None
    states: list[Any] = field(default_factory=list)

    def encode(self) -> Tensor:
        """The features of all samples: with their graph when they are one part, else as a leaf."""
        if len(self.samples) <= self.size:
            return self._part(self.samples, self.seeds)
        found = []
        with torch.no_grad():
            for samples, seeds in zip(self.samples.split(self.size), self.seeds.split(self.size), strict=True):
                self.states.append(rng_state(self.model.device))
                found.append(self._part(samples, seeds))
        self.cached = torch.cat(found).requires_grad_(True)
        return self.cached

    def replay(self) -> None:
        """Encode each part again and send its share of the features' gradients through it."""
        if self.cached is None or self.cached.grad is None:
            return
        parts = zip(
            self.samples.split(self.size),
            self.seeds.split(self.size),
            self.cached.grad.split(self.size),
            self.states,
            strict=True,
        )
        for samples, seeds, gradient, state in parts:
            set_rng_state(self.model.device, state)
            features = self._part(samples, seeds)
            if not features.requires_grad:  # nothing in this tower is trained
                return
            features.backward(gradient)
            del features

    def _part(self, samples: Tensor, seeds: Tensor) -> Tensor:
        seed_dropout(self.model.clip, self.tower, seeds)
        return self.features(samples)
