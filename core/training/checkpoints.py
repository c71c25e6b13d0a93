"""Checkpoints of a run: the best weights, and all that is needed to go on exactly where it stopped."""

import pickle
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InputError, StorageError
from core.model.files import replacing
from core.training.gradcache import rng_state, set_rng_state
from core.training.memory import out_of_memory

BEST = "best.pt"
LAST = "last.pt"
_UNREADABLE = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    LookupError,
    ArithmeticError,
    ValueError,
    AttributeError,
    TypeError,
    OSError,
)
"""An unpickler fed with any file raises whatever its bytes happen to mean, and so does what reads its content."""


@dataclass
class RunState:
    """Where a run stands, in plain values. ``epoch`` counts from 1; ``step`` counts the whole run's steps.

    ``threads`` and ``micro_batch`` are those of its beginning or of the latest change; both decide on last digits.
    ``history`` holds one dict an epoch, the first of them epoch 0, the untuned model; ``notes`` what changed on
    the way: ``{"step", "what": "threads" | "micro_batch", "before", "now"}``.
    """

    epoch: int = 1
    step_in_epoch: int = 0
    step: int = 0
    threads: int = 0
    micro_batch: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    best_score: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str, before: int, now: int) -> None:
        """Remember that ``what`` is ``now`` from the next step on."""
        self.notes.append({"step": self.step + 1, "what": what, "before": before, "now": now})


def trainable_state(module: nn.Module) -> dict[str, Tensor]:
    """What training changes: the trainable parameters."""
    return {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}


def load_trainable(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put the tensors of :func:`trainable_state` back; ``resume_mismatch`` when they are of another model."""
    own = trainable_state(module)
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in weights.items()}:
        raise InputError("resume_mismatch", what="model")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed process had begun to write into the folder of its run."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def save_best(folder: Path, module: nn.Module, epoch: int, base: str) -> None:
    """Keep the present weights as the best ones; ``base`` is the fingerprint of the model they were tuned from."""
    _save(folder / BEST, {"epoch": epoch, "base": base, "weights": trainable_state(module)})


def load_best(folder: Path, module: nn.Module, base: str) -> int:
    """Give the model its best weights back; returns their epoch.

    Raises :class:`InputError` ``checkpoint_missing``, ``checkpoint_damaged``, or ``resume_mismatch`` when they are of
    another model or another ``base``.
    """
    file = folder / BEST
    with _whole(file):
        content = _load(file)
        if content.get("base", base) != base:  # runs of an earlier version do not say it
            raise InputError("resume_mismatch", what="base")
        load_trainable(module, _finite(content["weights"]))
        return _epoch_of(content)


def epoch_of_best(folder: Path) -> int:
    """The epoch whose weights are kept as the best ones; 0 where there are none.

    Raises :class:`InputError` ``checkpoint_damaged``.
    """
    file = folder / BEST
    if not file.is_file():
        return 0
    with _whole(file):
        return _epoch_of(_load(file))


def save_last(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    state: RunState,
    identity: Mapping[str, Any],
    device: str,
) -> None:
    """Keep everything that the rest of the run depends on; ``identity`` says which run on which data."""
    content = {
        "identity": dict(identity),
        "state": asdict(state),
        "weights": trainable_state(module),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "rng": list(rng_state(device)),
    }
    _save(folder / LAST, content)


def load_last(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    identity: Mapping[str, Any],
    device: str,
) -> RunState:
    """Restore a run from its checkpoint, random number generators included (the device's where it is the same kind).

    Raises :class:`InputError` ``checkpoint_missing``, ``checkpoint_damaged``, or ``resume_mismatch`` when base model,
    options or data are not those it was started with.
    """
    with _whole(path):
        content = _load(path)
        for what, value in identity.items():
            stored = content["identity"].get(what)
            # an option that an earlier version did not have is as it always was
            if ({**value, **stored} if isinstance(stored, dict) else stored) != value:
                raise InputError("resume_mismatch", what=what)
        state = _state(content["state"])
        load_trainable(module, _finite(content["weights"]))
        _load_optimizer(optimizer, content["optimizer"])
        if not all(isinstance(value, int | float) for value in content["scaler"].values()):
            raise TypeError("scaler")
        scaler.load_state_dict(content["scaler"])
        host, own = content["rng"]
        now = rng_state(device)[1]
        fits = own is not None and now is not None and own.shape == now.shape
        set_rng_state(device, (host, own if fits else None))
        return state


def _state(values: Mapping[str, Any]) -> RunState:
    state = RunState(**values)
    for one in fields(state):
        value, wanted = getattr(state, one.name), type(one.default)
        if one.name in ("history", "notes"):
            good = isinstance(value, list) and all(isinstance(row, dict) for row in value)
        else:
            good = type(value) is wanted or (wanted is float and type(value) is int)
        if not good:
            raise TypeError(one.name)
    if not all(isinstance(row["epoch"], int) for row in state.history):
        raise TypeError("history")
    if min(state.epoch, state.micro_batch) < 1 or min(state.step, state.step_in_epoch, state.best_epoch) < 0:
        raise ValueError("state")
    return state


def _load_optimizer(optimizer: torch.optim.Optimizer, stored: Mapping[str, Any]) -> None:
    """Take the moments alone: everything else of an optimiser is as the run's options say."""
    optimizer.load_state_dict({**stored, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        if any(moments[name].shape != parameter.shape for name in ("exp_avg", "exp_avg_sq")):
            raise ValueError("optimizer")


def _finite(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if not all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise ValueError("weights")
    return weights


def _epoch_of(content: Mapping[str, Any]) -> int:
    epoch = content["epoch"]
    if type(epoch) is not int or epoch < 1:
        raise TypeError("epoch")
    return epoch


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Whatever its content lacks or holds instead means that a checkpoint is damaged."""
    try:
        yield
    except _UNREADABLE as error:
        if out_of_memory(error):
            raise
        raise InputError("checkpoint_damaged", file=path.name) from error


def _save(path: Path, content: dict[str, Any]) -> None:
    try:
        with replacing(path) as temporary:
            torch.save(content, temporary)
    except RuntimeError as error:  # what torch raises when the disk is full
        raise StorageError("file_not_written", file=path.name, reason=str(error).splitlines()[0]) from error


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError("checkpoint_missing", file=path.name, folder=str(path.absolute().parent))
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise TypeError(type(content).__name__)
    return content
