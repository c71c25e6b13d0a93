"""What a training run is asked to do, in one frozen object that is stored with the run."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from core.errors import InputError
from core.model.lora import LoraConfig

Method = Literal["lora", "full"]


@dataclass(frozen=True)
class TrainConfig:
    """Options of a run. ``batch_size`` images a micro-batch, ``accumulation`` of them a step.

    ``warmup`` is a share of all steps; ``precision`` auto, fp32, bf16 or fp16 (weights stay fp32). Raises
    :class:`InputError` (``train_config``) for values that make no sense.
    """

    method: Method = "lora"
    epochs: int = 10
    batch_size: int = 32
    accumulation: int = 1
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    precision: str = "auto"
    augment: bool = False
    seed: int = 0
    lora: LoraConfig = field(default_factory=LoraConfig)

    def __post_init__(self) -> None:
        checks = {
            "method": self.method in ("lora", "full"),
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "accumulation": self.accumulation >= 1,
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "warmup": 0 <= self.warmup < 1,
            "clip_norm": self.clip_norm > 0,
            "precision": self.precision in ("auto", "fp32", "bf16", "fp16"),
            "seed": self.seed >= 0,
        }
        for name, good in checks.items():
            if not good:
                raise InputError("train_config", field=name, value=getattr(self, name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` gives the configuration back."""
        return {**asdict(self), "lora": self.lora.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Read what :meth:`to_dict` wrote; fields of a newer version are refused."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError("train_config", field=sorted(unknown)[0], value="?")
        return cls(**{**values, "lora": LoraConfig.from_dict(values["lora"])})
