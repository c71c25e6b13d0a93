"""The training loop: any contrastive model, no screen, no database.

For every epoch: batches, steps, evaluation on the whole valid gallery, checkpoints. On one machine with the
same number of threads a resumed run equals an uninterrupted one bit for bit (on the CPU).
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.errors import ModelError
from core.model.device import autocast_dtype
from core.model.loading import LoadedModel
from core.model.lora import apply_lora, count_parameters, remove_lora
from core.progress import Progress, Silent, stop_if_asked
from core.training.batches import Batch, epoch_batches, steps_per_epoch
from core.training.checkpoints import RunState, load_best, load_last, save_best, save_last
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.step import (
    ContrastiveModel,
    accumulate_gradients,
    apply_step,
    learning_rate,
    make_optimizer,
    train_mode,
)

log = logging.getLogger(__name__)

Validate = Callable[[], Mapping[str, Any]]
"""Evaluates the model as it stands; the answer holds at least ``mean_recall`` in per cent."""
Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainResult:
    """A finished run; the model holds the weights of ``best_epoch``.

    ``chosen_by`` is ``mean_recall``, or ``last`` when there was nothing to validate on. ``history`` has one
    dict an epoch, beginning with epoch 0, the untuned model (when there was a validation).
    """

    best_epoch: int
    chosen_by: str
    epochs: int
    steps: int
    trainable: int
    total: int
    seconds: float
    threads: int
    history: list[dict[str, Any]]


def prepare(model: LoadedModel, config: TrainConfig) -> None:
    """Make trainable what the method trains: fresh adapters on a frozen base, or every weight."""
    if config.method == "lora":
        apply_lora(model.clip, config.lora, config.seed)
    else:
        remove_lora(model.clip)
        model.clip.requires_grad_(True)


def train(
    model: LoadedModel,
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    *,
    valid: Validate | None = None,
    on_step: Listener | None = None,
    on_epoch: Listener | None = None,
    progress: Progress | None = None,
    resume: Path | None = None,
) -> TrainResult:
    """Tune ``model`` in place; ``folder`` receives ``best.pt`` and ``last.pt``, each written atomically.

    ``on_step`` hears step, epoch, loss, lr, logit_scale, gradient, images_per_second, seconds; ``on_epoch``
    epoch, loss, best and what ``valid`` said. A resumed run repeats the steps after its checkpoint under the
    same numbers. Among the epochs trained the one with the best ``mean_recall`` is chosen (epoch 0 is
    reported, never chosen). When asked to stop it writes ``last.pt`` at the end of the step and raises
    :class:`core.errors.Stopped`.

    Raises :class:`ModelError` ``training_diverged``; :class:`InputError` ``resume_mismatch``,
    ``checkpoint_missing``; :class:`StorageError` ``file_not_written``. What was the best until then stays on
    disk.
    """
    torch.manual_seed(config.seed)
    prepare(model, config)
    identity = {"base": model.fingerprint, "options": config.to_dict(), "data": data.signature()}
    run = _Run(model, data, config, folder, identity, valid, on_step, on_epoch, progress or Silent())
    return run.go(resume)


class _Run:
    """One run's moving parts, so that the loop reads as a loop."""

    def __init__(
        self,
        model: ContrastiveModel,
        data: TrainingData,
        config: TrainConfig,
        folder: Path,
        identity: dict[str, Any],
        valid: Validate | None,
        on_step: Listener | None,
        on_epoch: Listener | None,
        progress: Progress,
    ) -> None:
        self.model, self.data, self.config, self.folder, self.identity = model, data, config, folder, identity
        self.valid, self.on_step, self.on_epoch, self.progress = valid, on_step, on_epoch, progress
        self.tokens = model.tokenize(data.texts)
        self.optimizer = make_optimizer(model, config)
        half = autocast_dtype(model.device, config.precision) == torch.float16
        self.scaler = torch.amp.GradScaler(torch.device(model.device).type, enabled=half)
        batches = len(epoch_batches(data, config.batch_size, config.seed, 1))
        self.group = min(config.accumulation, batches)
        self.steps_an_epoch = steps_per_epoch(batches, config.accumulation)
        self.total = self.steps_an_epoch * config.epochs
        self.state = RunState(threads=torch.get_num_threads())

    def go(self, resume: Path | None) -> TrainResult:
        threads = torch.get_num_threads()
        if resume is not None:
            self._restore(resume, threads)
        elif self.valid is not None:
            self._close_epoch({"epoch": 0, "untuned": True, **self.valid()})
        for epoch in range(self.state.epoch, self.config.epochs + 1):
            self._epoch(epoch)
        load_best(self.folder, self.model.clip)
        self.model.clip.eval()
        trainable, total = count_parameters(self.model.clip)
        return TrainResult(
            best_epoch=self.state.best_epoch,
            chosen_by="last" if self.valid is None else "mean_recall",
            epochs=self.config.epochs,
            steps=self.state.step,
            trainable=trainable,
            total=total,
            seconds=self.state.seconds,
            threads=threads,
            history=self.state.history,
        )

    def _restore(self, path: Path, threads: int) -> None:
        identity = {**self.identity, "valid": self.valid is not None}
        self.state = load_last(path, self.model.clip, self.optimizer, self.scaler, identity)
        if self.state.threads != threads:
            log.warning("Threads were %d, now %d: last digits may differ.", self.state.threads, threads)

    def _epoch(self, epoch: int) -> None:
        state = self.state
        batches = epoch_batches(self.data, self.config.batch_size, self.config.seed, epoch)
        groups = [batches[i : i + self.group] for i in range(0, len(batches), self.group)]
        train_mode(self.model.clip.modules(), self.model.clip)
        for group in groups[state.step_in_epoch :]:
            self._step(epoch, group)
            if self.progress.should_stop():
                self._save_last()
                stop_if_asked(self.progress)
        self.model.clip.eval()
        said = dict(self.valid()) if self.valid is not None else {}
        score = float(said["mean_recall"]) if self.valid is not None else float(epoch)
        best = state.best_epoch == 0 or score > state.best_score
        if best:
            save_best(self.folder, self.model.clip, epoch)
            state.best_epoch, state.best_score = epoch, score
        loss = state.loss_sum / len(groups)
        state.epoch, state.step_in_epoch, state.loss_sum = epoch + 1, 0, 0.0
        self._close_epoch({"epoch": epoch, "loss": loss, "best": best, **said})

    def _close_epoch(self, record: dict[str, Any]) -> None:
        self.state.history.append({**record, "seconds": self.state.seconds})
        self._save_last()
        if self.on_epoch:
            self.on_epoch(self.state.history[-1])

    def _step(self, epoch: int, group: list[Batch]) -> None:
        state, config = self.state, self.config
        began = time.perf_counter()
        rate = learning_rate(state.step, self.total, config)
        rng = np.random.default_rng([config.seed, epoch, state.step])
        loss = accumulate_gradients(self.model, self.data, self.tokens, group, config, self.scaler, rng)
        if not math.isfinite(loss):
            raise ModelError("training_diverged", step=state.step, epoch=epoch)
        gradient = apply_step(self.model, self.optimizer, self.scaler, rate, config.clip_norm)
        took = time.perf_counter() - began
        state.step, state.step_in_epoch = state.step + 1, state.step_in_epoch + 1
        state.loss_sum, state.seconds = state.loss_sum + loss, state.seconds + took
        if self.on_step:
            self.on_step(
                {
                    "step": state.step,
                    "epoch": epoch,
                    "loss": loss,
                    "lr": rate,
                    "logit_scale": float(self.model.logit_scale.detach().exp()),
                    "gradient": gradient,
                    "images_per_second": sum(len(batch.images) for batch in group) / took,
                    "seconds": state.seconds,
                }
            )
        said = {"epoch": epoch, "epochs": config.epochs, "loss": round(loss, 3)}
        self.progress.report(state.step, self.total, "progress.train_step", **said)

    def _save_last(self) -> None:
        identity = {**self.identity, "valid": self.valid is not None}
        save_last(self.folder, self.model.clip, self.optimizer, self.scaler, self.state, identity)
