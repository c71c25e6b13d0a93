"""LoRA in both towers of Chinese-CLIP (Hu et al. 2021, arXiv 2106.09685; rank-stabilised scale: arXiv
2312.03732).

``W x + strength · scale · B A x`` with A Kaiming-uniform and B zero, so that the start is exactly the base
model. Scaling ``strength`` between 0 and 1 interpolates between base and tuned weights (WiSE-FT, arXiv
2109.01903).
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import InputError
from core.model.attention import original_keys
from core.model.dropout import SampleDropout, Tower

log = logging.getLogger(__name__)

TARGETS = ("q", "k", "v", "o", "mlp")
TOWERS: tuple[Tower, ...] = ("vision", "text")
_MODULES: dict[Tower, dict[str, tuple[str, ...]]] = {
    "vision": {
        "q": ("attn.q_proj",),
        "k": ("attn.k_proj",),
        "v": ("attn.v_proj",),
        "o": ("attn.out_proj",),
        "mlp": ("mlp.c_fc", "mlp.c_proj"),
    },
    "text": {
        "q": ("attention.self.query",),
        "k": ("attention.self.key",),
        "v": ("attention.self.value",),
        "o": ("attention.output.dense",),
        "mlp": ("intermediate.dense", "output.dense"),
    },
}


@dataclass(frozen=True)
class LoraConfig:
    """Where adapters stand and how strong they are. ``layers`` None means all; negative numbers count from
    the end.

    The scale is ``alpha / rank``, or ``alpha / sqrt(rank)`` with ``rslora``. Raises :class:`InputError`
    (``lora_config``, for targets and towers ``lora_parts``) for values that make no sense.
    """

    rank: int = 4
    alpha: float = 16.0
    dropout: float = 0.0
    rslora: bool = False
    targets: tuple[str, ...] = ("q", "k", "v", "o")
    towers: tuple[Tower, ...] = TOWERS
    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        checks = {
            "rank": self.rank >= 1,
            "alpha": self.alpha > 0,
            "dropout": 0 <= self.dropout < 1,
            "layers": self.layers is None or len(self.layers) > 0,
        }
        for name, good in checks.items():
            if not good:
                raise InputError("lora_config", field=name, value=getattr(self, name))
        for name, parts, known in (("targets", self.targets, TARGETS), ("towers", self.towers, TOWERS)):
            if not parts or not set(parts) <= set(known):
                raise InputError("lora_parts", field=name, value=",".join(parts), known=", ".join(known))

    @property
    def scale(self) -> float:
        """What the product B A is multiplied with."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` gives the configuration back."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LoraConfig":
        """Read what :meth:`to_dict` wrote."""
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**given)


class LoraLinear(nn.Linear):
    """A Linear that keeps its own weight under its own name, with an adapter beside it."""

    def __init__(self, base: nn.Linear, config: LoraConfig, generator: torch.Generator, tower: Tower) -> None:
        super().__init__(base.in_features, base.out_features, bias=base.bias is not None, device="meta")
        self.weight, self.bias = base.weight, base.bias
        self.scale, self.dropout = config.scale, SampleDropout(config.dropout, tower)
        self.strength, self.merged = 1.0, False
        # drawn on the CPU in fp32 whatever the device, so that a seed means the same start everywhere
        first = torch.empty(config.rank, base.in_features)
        nn.init.kaiming_uniform_(first, a=math.sqrt(5), generator=generator)
        device, dtype = base.weight.device, base.weight.dtype
        self.lora_A = nn.Parameter(first.to(device, dtype))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, config.rank, device=device, dtype=dtype))
        self.train(base.training)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [..., in] to [..., out]."""
        out = F.linear(x, self.weight, self.bias)
        if self.merged or self.strength == 0:
            return out
        low = F.linear(self.dropout(x), self.lora_A).flatten(0, -2)
        # one product that adds, scaled, instead of three passes over the activations
        both = torch.addmm(out.flatten(0, -2), low, self.lora_B.T, alpha=self.scale * self.strength)
        return both.view(out.shape)

    def delta(self) -> Tensor:
        """What the adapter adds to the weight at its present strength."""
        return (self.lora_B.detach() @ self.lora_A.detach()) * (self.scale * self.strength)

    def plain(self) -> nn.Linear:
        """The Linear without its adapter."""
        self.merge(False)
        base = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        base.weight, base.bias = self.weight, self.bias
        return base.train(self.training)

    def merge(self, merged: bool) -> None:
        """Put the adapter into the weight, or take it out again."""
        if merged != self.merged:
            with torch.no_grad():
                self.weight.add_(self.delta() if merged else -self.delta())
            self.merged = merged


def apply_lora(clip: nn.Module, config: LoraConfig, seed: int = 0) -> list[str]:
    """Freeze the model, give the chosen Linears an adapter, and return their names (cn_clip's module paths).

    The vision tower must have split attention (:func:`core.model.attention.split_attention`). A ResNet's
    vision tower has no blocks to adapt and is left out, with a line in the log. Raises :class:`InputError`
    when nothing is left to adapt (``lora_nothing``) or a layer does not exist (``lora_layers``).
    """
    remove_lora(clip)
    clip.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    names = []
    for tower in TOWERS:
        if tower not in config.towers:
            continue
        prefix, blocks = _blocks(clip, tower)
        if not blocks:
            log.warning("The %s tower has no attention blocks; only the other tower gets adapters.", tower)
        for index in _chosen(len(blocks), config.layers):
            for target in (t for t in TARGETS if t in config.targets):
                for path in _MODULES[tower][target]:
                    parent = blocks[index].get_submodule(path.rpartition(".")[0])
                    leaf = path.rpartition(".")[2]
                    setattr(parent, leaf, LoraLinear(getattr(parent, leaf), config, generator, tower))
                    names.append(f"{prefix}.{index}.{path}")
    if not names:
        raise InputError("lora_nothing")
    return names


def _blocks(clip: nn.Module, tower: Tower) -> tuple[str, list[nn.Module]]:
    if tower == "text":
        return "bert.encoder.layer", list(cast(Any, clip).bert.encoder.layer)
    transformer = getattr(clip.visual, "transformer", None)
    return "visual.transformer.resblocks", list(transformer.resblocks) if transformer is not None else []


def _chosen(count: int, layers: tuple[int, ...] | None) -> list[int]:
    if layers is None:
        return list(range(count))
    if count and not all(-count <= layer < count for layer in layers):
        wrong = next(layer for layer in layers if not -count <= layer < count)
        raise InputError("lora_layers", layer=wrong, count=count)
    return sorted({layer % count for layer in layers}) if count else []


def has_vision_blocks(clip: nn.Module) -> bool:
    """Whether the vision tower can be adapted; False for RN50, which people should be told."""
    return bool(_blocks(clip, "vision")[1])


def adapters(clip: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Every adapted Linear with its module path."""
    for name, module in clip.named_modules():
        if isinstance(module, LoraLinear):
            yield name, module


def remove_lora(clip: nn.Module) -> None:
    """Give the model its plain Linears back, with the base weights."""
    for name, module in list(adapters(clip)):
        parent, _, leaf = name.rpartition(".")
        setattr(clip.get_submodule(parent), leaf, module.plain())


def merge(clip: nn.Module) -> None:
    """Put every adapter into its weight: the same outputs without the extra products."""
    for _, module in adapters(clip):
        module.merge(True)


def unmerge(clip: nn.Module) -> None:
    """Take every adapter out of its weight again; agrees with the base to rounding."""
    for _, module in adapters(clip):
        module.merge(False)


def set_strength(clip: nn.Module, strength: float) -> None:
    """How much of the adapters counts, from 0 (the base model) to 1 (as tuned)."""
    if not 0 <= strength <= 1:
        raise InputError("lora_config", field="strength", value=strength)
    for _, module in adapters(clip):
        was_merged = module.merged
        module.merge(False)
        module.strength = float(strength)
        module.merge(was_merged)


def strength(clip: nn.Module) -> float:
    """The present strength of the adapters; 0 without any."""
    return next((module.strength for _, module in adapters(clip)), 0.0)


def count_parameters(clip: nn.Module) -> tuple[int, int]:
    """How many numbers are trained, and how many there are (adapters included)."""
    counts = [(p.numel(), p.requires_grad) for p in clip.parameters()]
    return sum(n for n, trained in counts if trained), sum(n for n, _ in counts)


def adapter_state(clip: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors on the CPU, named by module path + ``.lora_A`` / ``.lora_B``."""
    state = {}
    for name, module in adapters(clip):
        state[f"{name}.lora_A"] = module.lora_A.detach().cpu().contiguous()
        state[f"{name}.lora_B"] = module.lora_B.detach().cpu().contiguous()
    return state


def merged_state_dict(clip: nn.Module) -> dict[str, Tensor]:
    """All weights, adapters merged, on the CPU, under cn_clip's own names. The model is not changed."""
    state = {
        key: tensor.detach().cpu()
        for key, tensor in clip.state_dict().items()
        if not key.endswith((".lora_A", ".lora_B"))
    }
    for name, module in adapters(clip):
        if not module.merged:
            state[f"{name}.weight"] = (module.weight.detach() + module.delta()).cpu()
    return original_keys(state)
