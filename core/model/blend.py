"""Weights between a base model and the same model fully tuned (WiSE-FT: Wortsman et al. 2022, arXiv 2109.01903).

For adapters the same is done by :func:`core.model.lora.set_strength`, without a second model in memory.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import InputError, ModelError
from core.model.loading import LoadedModel


@dataclass(frozen=True)
class Line:
    """The straight line from ``base`` to ``tuned``: their weights by name, and the fingerprints of both."""

    base: Mapping[str, Tensor]
    tuned: Mapping[str, Tensor]
    fingerprints: tuple[str, str] = ("", "")

    def put(self, clip: nn.Module, strength: float) -> None:
        """Give ``clip`` the weights at ``strength``: 0 is the base exactly, 1 the tuned model exactly."""
        if not 0 <= strength <= 1:
            raise InputError("strength_range", value=strength)
        with torch.no_grad():
            for name, tensor in _weights(clip).items():
                tensor.copy_(torch.lerp(self.base[name], self.tuned[name], strength))


def line(base: LoadedModel, tuned: LoadedModel) -> Line:
    """The line between two models of one shape; raises :class:`ModelError` ``weights_misfit`` for two shapes.

    The weights of both are copied to the CPU, so ``tuned.clip`` may be given to :meth:`Line.put` afterwards.
    """
    ends = [
        {name: tensor.detach().to("cpu", copy=True) for name, tensor in _weights(model.clip).items()}
        for model in (base, tuned)
    ]
    if {k: v.shape for k, v in ends[0].items()} != {k: v.shape for k, v in ends[1].items()}:
        raise ModelError("weights_misfit", file=tuned.spec.name)
    return Line(ends[0], ends[1], (base.fingerprint, tuned.fingerprint))


def blended(model: LoadedModel, between: Line, strength: float) -> LoadedModel:
    """The model at ``strength`` on the line, its features kept apart from those of any other strength.

    ``model.clip`` is changed in place.
    """
    between.put(model.clip, strength)
    first, second = between.fingerprints
    named = {0.0: first, 1.0: second}.get(float(strength))
    mixed = hashlib.sha256(f"{first}>{second}*{float(strength)!r}".encode()).hexdigest()
    return replace(model, fingerprint=named or mixed)


def _weights(clip: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in clip.state_dict().items() if tensor.is_floating_point()}
