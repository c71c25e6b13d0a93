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

from core.errors import InputError, ModelError
from core.model.device import autocast_dtype
from core.model.dropout import seed_dropout
from core.model.loading import LoadedModel
from core.model.lora import count_parameters
from core.progress import Progress, Silent, stop_if_asked
from core.training.batches import Batch, epoch_batches
from core.training.checkpoints import (
    BEST,
    RunState,
    clear_unfinished,
    epoch_of_best,
    load_best,
    load_last,
    save_best,
    save_last,
)
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.gradcache import batch_gradients, rng_state, set_rng_state
from core.training.memory import capped, find_micro_batch, guarded, memory_used, out_of_memory, release
from core.training.step import (
    ContrastiveModel,
    apply_step,
    learning_rate,
    make_optimizer,
    prepare,
    step_input,
    train_mode,
)

log = logging.getLogger(__name__)

Validate = Callable[[], Mapping[str, Any]]
"""Evaluates the model as it stands; the answer holds at least ``mean_recall`` in per cent."""
Listener = Callable[[dict[str, Any]], None]

CHECKPOINT_SECONDS = 300.0
"""A killed run of long epochs loses no more than this."""
MIN_SCALE = 1e-4
"""A gradient scale that has been halved down to this meets gradients that are no numbers at any scale."""


@dataclass(frozen=True)
class TrainResult:
    """A finished run; the model holds the weights of ``best_epoch``.

    ``chosen_by`` is ``mean_recall``, or ``last`` when there was nothing to validate on. ``epochs`` were trained,
    fewer than planned when the run ``ended_early`` (patience). ``history`` has one dict an epoch, beginning with
    epoch 0, the untuned model (when there was a validation); ``notes`` say where threads or micro-batch changed.
    """

    best_epoch: int
    chosen_by: str
    epochs: int
    ended_early: bool
    steps: int
    trainable: int
    total: int
    seconds: float
    threads: int
    micro_batch: int
    history: list[dict[str, Any]]
    notes: list[dict[str, Any]]


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
    micro_batch: int | None = None,
) -> TrainResult:
    """Tune ``model`` in place; ``folder`` receives ``best.pt`` and ``last.pt``, each written atomically.

    ``micro_batch`` pictures are computed at once; without it a probe finds what fits, and a resumed run keeps what
    it had. ``on_step`` hears step, epoch, loss, lr, logit_scale, gradient, micro_batch, memory (peak bytes or
    None), images_per_second, texts_per_second, seconds; ``on_epoch`` epoch, loss, best and what ``valid`` said. A
    resumed run repeats the steps after its checkpoint under the same numbers. Among the epochs trained the one with
    the best ``mean_recall`` is chosen (epoch 0 is reported, never chosen). When asked to stop it writes ``last.pt``
    at the end of the step and raises :class:`core.errors.Stopped`.

    Raises :class:`ModelError` ``training_diverged``, ``memory_too_small``; :class:`InputError` ``resume_mismatch``,
    ``checkpoint_missing``, ``checkpoint_damaged``, ``checkpoint_other_epoch``; :class:`StorageError`
    ``file_not_written``. What was the best until then stays on disk.
    """
    torch.manual_seed(config.seed)
    prepare(model, config)
    identity = {
        "base": model.fingerprint,
        "options": config.to_dict(),
        "data": data.signature(),
        "valid": valid is not None,
    }
    run = _Run(model, data, config, folder, identity, valid, on_step, on_epoch, progress or Silent())
    with capped(model.device, config.memory_gb):
        try:
            return run.go(resume, micro_batch)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            release(model.device)
            raise ModelError("memory_too_small", device=model.device) from error
        finally:
            seed_dropout(model.clip, "vision", None)
            seed_dropout(model.clip, "text", None)


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
        self.total = len(self._batches(1)) * config.epochs
        self.state = RunState(threads=torch.get_num_threads())
        self.saved_at = time.monotonic()

    def go(self, resume: Path | None, micro_batch: int | None) -> TrainResult:
        clear_unfinished(self.folder)
        if resume is not None:
            self._restore(resume)
        else:
            self.state.micro_batch = micro_batch or self._fitting()
            if self.valid is not None:
                self.model.clip.eval()
                self._close_epoch({"epoch": 0, "untuned": True, **self.valid()})
        while self.state.epoch <= self.config.epochs and not self._exhausted():
            self._epoch(self.state.epoch)
        self._as_reported(load_best(self.folder, self.model.clip, self.identity["base"]))
        self.model.clip.eval()
        trainable, total = count_parameters(self.model.clip)
        return TrainResult(
            best_epoch=self.state.best_epoch,
            chosen_by="last" if self.valid is None else "mean_recall",
            epochs=self.state.epoch - 1,
            ended_early=self.state.epoch <= self.config.epochs,
            steps=self.state.step,
            trainable=trainable,
            total=total,
            seconds=self.state.seconds,
            threads=self.state.threads,
            micro_batch=self.state.micro_batch,
            history=self.state.history,
            notes=self.state.notes,
        )

    def _batches(self, epoch: int) -> list[Batch]:
        config = self.config
        return epoch_batches(self.data, config.effective_batch, config.seed, epoch, config.texts_per_image)

    def _fitting(self) -> int:
        state = rng_state(self.model.device)
        train_mode(self.model.clip.modules(), self.model.clip)
        size, peak = find_micro_batch(self.model, self.data, self.tokens, self.config)
        set_rng_state(self.model.device, state)
        log.info("%d pictures at a time, about %d MB at the peak.", size, peak >> 20)
        return size

    def _restore(self, path: Path) -> None:
        self.state = load_last(
            path, self.model.clip, self.optimizer, self.scaler, self.identity, device=self.model.device
        )
        before, now = self.state.threads, torch.get_num_threads()
        if before != now:
            log.warning("Threads were %d, now %d: last digits may differ.", before, now)
            self.state.note("threads", before, now)
            self.state.threads = now
        held, best = epoch_of_best(self.folder), self.state.best_epoch
        if held != best == self.state.epoch - 1 and self.state.step_in_epoch == 0:
            self._save_best()  # it was killed between the two files: the last one holds these very weights
        elif held != self.state.epoch:  # which an earlier version wrote before the last one; it is repeated now
            self._as_reported(held)

    def _as_reported(self, held: int) -> None:
        """Refuse weights of another epoch than the one the run says was best, whose figures are not theirs."""
        if held and held != self.state.best_epoch:
            raise InputError("checkpoint_other_epoch", file=BEST, held=held, best=self.state.best_epoch)

    def _exhausted(self) -> bool:
        """Whether the recall has not risen for too many epochs."""
        waited = self.state.epoch - 1 - self.state.best_epoch
        return self.valid is not None and 0 < self.config.patience <= waited

    def _epoch(self, epoch: int) -> None:
        state = self.state
        batches = self._batches(epoch)
        train_mode(self.model.clip.modules(), self.model.clip)
        for batch in batches[state.step_in_epoch :]:
            self._step(epoch, batch)
            if self.progress.should_stop():
                self._save_last()
                stop_if_asked(self.progress)
            if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
                self._save_last()
        self.model.clip.eval()
        said = self._evaluated(epoch)
        score = float(said["mean_recall"]) if self.valid is not None else float(epoch)
        best = state.best_epoch == 0 or score > state.best_score
        if best:
            state.best_epoch, state.best_score = epoch, score
        loss = state.loss_sum / len(batches)
        state.epoch, state.step_in_epoch, state.loss_sum = epoch + 1, 0, 0.0
        self._close_epoch({"epoch": epoch, "loss": loss, "best": best, **said})

    def _evaluated(self, epoch: int) -> dict[str, Any]:
        """What the validation says; the loss before the epoch's last move shows nothing of where that led."""
        finite = all(bool(p.isfinite().all()) for p in self.model.clip.parameters() if p.requires_grad)
        try:
            said = dict(self.valid()) if finite and self.valid is not None else {}
        except ModelError as error:
            if error.code != "features_no_number":
                raise
            raise ModelError("training_diverged", step=self.state.step, epoch=epoch) from error
        if not finite:
            raise ModelError("training_diverged", step=self.state.step, epoch=epoch)
        return said

    def _close_epoch(self, record: dict[str, Any]) -> None:
        self.state.history.append({**record, "seconds": self.state.seconds})
        self._save_last()  # before the best, so that it knows of an epoch whose weights took the place of others
        if record.get("best"):
            self._save_best()
        if self.on_epoch:
            self.on_epoch(self.state.history[-1])

    def _step(self, epoch: int, batch: Batch) -> None:
        state, config = self.state, self.config
        began = time.perf_counter()
        rate = learning_rate(state.step, self.total, config)
        loss = self._gradients(epoch, batch)
        if not math.isfinite(loss):
            raise ModelError("training_diverged", step=state.step + 1, epoch=epoch)
        gradient = apply_step(self.model, self.optimizer, self.scaler, rate, config.clip_norm)
        hopeless = self.scaler.get_scale() < MIN_SCALE if self.scaler.is_enabled() else not math.isfinite(gradient)
        if hopeless:
            raise ModelError("training_diverged", step=state.step + 1, epoch=epoch)
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
                    "gradient": gradient if math.isfinite(gradient) else None,
                    "micro_batch": state.micro_batch,
                    "memory": memory_used(self.model.device),
                    "images_per_second": len(batch.images) / took,
                    "texts_per_second": len(batch.texts) / took,
                    "seconds": state.seconds,
                }
            )
        said = {"epoch": epoch, "epochs": config.epochs, "loss": round(loss, 3)}
        self.progress.report(state.step, self.total, "progress.train_step", **said)

    def _gradients(self, epoch: int, batch: Batch) -> float:
        """The gradients of a step in parts that fit; a repeated attempt draws the same random numbers."""
        state, config, device = self.state, self.config, self.model.device
        before = rng_state(device)

        def attempt(micro_batch: int) -> float:
            set_rng_state(device, before)
            self.optimizer.zero_grad(set_to_none=True)
            rng = np.random.default_rng([config.seed, epoch, state.step])
            inputs = step_input(self.data, self.tokens, batch, device, rng, augmented=config.augment)
            return batch_gradients(self.model, inputs, micro_batch, self.scaler, config.precision)

        loss, fitted = guarded(attempt, state.micro_batch, device)
        if fitted != state.micro_batch:
            log.warning("From step %d on %d pictures at a time, not %d.", state.step + 1, fitted, state.micro_batch)
            state.note("micro_batch", state.micro_batch, fitted)
            state.micro_batch = fitted
        return loss

    def _save_best(self) -> None:
        save_best(self.folder, self.model.clip, self.state.best_epoch, self.identity["base"])

    def _save_last(self) -> None:
        self.saved_at = time.monotonic()
        save_last(
            self.folder, self.model.clip, self.optimizer, self.scaler, self.state, self.identity, self.model.device
        )
