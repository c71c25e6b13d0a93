"""What a run will take, measured before it starts."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from core.model.dropout import seed_dropout
from core.model.loading import LoadedModel
from core.model.lora import count_parameters, remove_lora
from core.model.towers import set_checkpointing
from core.training.batches import Batch, epoch_batches
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.gradcache import batch_gradients, rng_state, set_rng_state
from core.training.memory import capped, find_micro_batch, guarded, release
from core.training.step import prepare, step_input, train_mode

_WARM_SECONDS = 10.0
"""A first step that took longer is measurement enough."""


@dataclass(frozen=True)
class Plan:
    """What a page can show before the start.

    ``trainable`` of ``total`` numbers are trained; a batch of ``effective_batch`` pictures is computed
    ``micro_batch`` at a time; ``peak_bytes`` of the card, or of the process's tensors on a CPU, is an estimate; so
    is ``epoch_seconds``, which leaves evaluation out.
    """

    device: str
    trainable: int
    total: int
    micro_batch: int
    effective_batch: int
    steps_per_epoch: int
    epochs: int
    peak_bytes: int
    epoch_seconds: float

    @property
    def share(self) -> float:
        """The trainable part of all parameters, from 0 to 1."""
        return self.trainable / self.total


def make_plan(model: LoadedModel, data: TrainingData, config: TrainConfig) -> Plan:
    """Probe memory and time a few steps; afterwards the model is the untuned base in eval mode.

    Adapters that were on the model are taken off. Raises :class:`ModelError` (``memory_too_small``).
    """
    state = rng_state(model.device)
    prepare(model, config)
    train_mode(model.clip.modules(), model.clip)
    try:
        trainable, total = count_parameters(model.clip)
        tokens = model.tokenize(data.texts)
        batches = epoch_batches(data, config.effective_batch, config.seed, 1, config.texts_per_image)
        with capped(model.device, config.memory_gb):
            micro_batch, peak = find_micro_batch(model, data, tokens, config)
            seconds, micro_batch = _step_seconds(model, data, tokens, config, batches, micro_batch)
    finally:
        model.clip.zero_grad(set_to_none=True)
        seed_dropout(model.clip, "vision", None)
        seed_dropout(model.clip, "text", None)
        set_checkpointing(model.clip, False)
        remove_lora(model.clip)
        model.clip.requires_grad_(False).eval()
        set_rng_state(model.device, state)
        release(model.device)
    return Plan(
        device=model.device,
        trainable=trainable,
        total=total,
        micro_batch=micro_batch,
        effective_batch=max(len(batch.images) for batch in batches),
        steps_per_epoch=len(batches),
        epochs=config.epochs,
        peak_bytes=peak,
        epoch_seconds=seconds * len(batches),
    )


def _step_seconds(
    model: LoadedModel,
    data: TrainingData,
    tokens: torch.Tensor,
    config: TrainConfig,
    batches: list[Batch],
    micro_batch: int,
) -> tuple[float, int]:
    """The median time of a step after a warm one, and the micro-batch that carried it."""
    scaler = torch.amp.GradScaler(torch.device(model.device).type, enabled=False)
    took: list[float] = []

    def attempt(size: int) -> float:
        model.clip.zero_grad(set_to_none=True)
        rng = np.random.default_rng(0)
        batch = step_input(data, tokens, batches[len(took) % len(batches)], model.device, rng, augmented=config.augment)
        return batch_gradients(model, batch, size, scaler, config.precision)

    for _ in range(4):
        began = time.perf_counter()
        _, micro_batch = guarded(attempt, micro_batch, model.device)
        took.append(time.perf_counter() - began)
        if took[-1] > _WARM_SECONDS:
            break
    return float(np.median(took[1:] or took)), micro_batch
