"""What a method trains: the set of parameters, their number as measured, and what people should be told of it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from core.model.loading import blank_clip
from core.model.lora import LoraConfig, apply_lora, count_parameters, remove_lora
from core.model.spec import ModelSpec


class Parameters(NamedTuple):
    """How many numbers are trained and how many there are, adapters included."""

    trainable: int
    total: int

    @property
    def percent(self) -> float:
        """The share that is trained, 0 to 100."""
        return 100 * self.trainable / self.total if self.total else 0.0


@dataclass(frozen=True)
class Notice:
    """Something people should read before they start; the sentence is ``warnings.CODE`` in the catalogues."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)


def train_everything(clip: nn.Module) -> None:
    """Full fine-tuning: every weight is trained, and no adapter is left.

    A ResNet's batch norms stay as the base model has them, statistics and factors: those of a few dozen pictures would
    be noise, and a batch cut into micro-batches would be another batch.
    """
    remove_lora(clip)
    clip.requires_grad_(True)
    for module in clip.modules():
        if isinstance(module, _BatchNorm):
            module.requires_grad_(False)


def parameters(clip: nn.Module) -> Parameters:
    """Counted on the model as it stands."""
    return Parameters(*count_parameters(clip))


def parameters_of(spec: ModelSpec, lora: LoraConfig | None) -> Parameters:
    """Counted on a model of that shape without its weights, so that a plan needs no loading; None: full fine-tuning.

    Raises :class:`core.errors.InputError` as :func:`core.model.lora.apply_lora`.
    """
    clip = blank_clip(spec.config)
    if lora is None:
        train_everything(clip)
    else:
        apply_lora(clip, lora)
    return parameters(clip)


def notices(spec: ModelSpec, lora: LoraConfig | None) -> tuple[Notice, ...]:
    """What people should know of this method on this model; None: full fine-tuning."""
    if not spec.resnet:
        return ()
    if lora is None:
        return (Notice("full_norms_kept", {"model": spec.name}),)
    return (Notice("lora_text_only", {"model": spec.name}),) if "vision" in lora.towers else ()
