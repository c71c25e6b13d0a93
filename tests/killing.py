"""Kill -9 at a named moment, by the process itself: from outside such moments are too short to be met.

``MOMENT:N`` is the Nth time of: ``backward`` a backward pass begins, ``moved`` the optimiser has moved the weights,
``write/FILE`` half of a file has been written, ``written/FILE`` it has just come into its place, ``opened`` a picture
is to be decoded; a script may call :func:`at` for moments of its own. What is patched is torch, Pillow and Python,
never the code under test.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook

_asked, _times = "", 0
_seen: Counter[str] = Counter()


def at(moment: str) -> None:
    """Die here when this is what :func:`die_at` was asked for."""
    if _comes(moment):
        _die()


def die_at(asked: str) -> None:
    """Let this process be killed at ``MOMENT:N``."""
    global _asked, _times
    _asked, _, times = asked.partition(":")
    _times = int(times)
    real_backward, real_replace, real_open = torch.Tensor.backward, Path.replace, Image.open

    def backward(self: torch.Tensor, *arguments: object, **named: object) -> None:
        at("backward")
        real_backward(self, *arguments, **named)

    def replace(self: Path, target: Path) -> Path:
        if _comes(f"write/{target.name}"):
            os.truncate(self, self.stat().st_size // 2)
            _die()
        found = real_replace(self, target)
        at(f"written/{target.name}")
        return found

    def opened(*arguments: Any, **named: Any) -> Image.Image:
        at("opened")
        return real_open(*arguments, **named)

    Image.open = opened
    torch.Tensor.backward, Path.replace = backward, replace  # type: ignore[method-assign, assignment]
    register_optimizer_step_post_hook(lambda *_: at("moved"))


def _comes(moment: str) -> bool:
    _seen[moment] += 1
    return moment == _asked and _seen[moment] == _times


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
