"""Which device is there, and in which precision it computes."""

import contextlib
from contextlib import AbstractContextManager

import torch

from core.errors import ModelError


def best_device() -> str:
    """``cuda`` when torch sees a card, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def checked_device(name: str) -> str:
    """``auto`` resolved, and a device that is not there refused (:class:`ModelError` ``device_missing``)."""
    if name == "auto":
        return best_device()
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError("device_missing", device=name) from error
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= there.get(device.type, 0):
        raise ModelError("device_missing", device=name)
    return name


def autocast_dtype(device: str, precision: str = "auto") -> torch.dtype | None:
    """The dtype to compute in, or None for plain fp32. Weights stay fp32 in any case.

    ``auto``: bf16 on cards that have it (Ampere and newer), fp16 on older ones, fp32 on the CPU.
    """
    if precision == "bf16":
        return torch.bfloat16
    if precision == "fp32" or torch.device(device).type != "cuda":
        return None
    if precision == "fp16":
        return torch.float16
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def autocast(device: str, precision: str = "auto") -> AbstractContextManager[object]:
    """The autocast context of :func:`autocast_dtype`, or one that does nothing."""
    dtype = autocast_dtype(device, precision)
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)
