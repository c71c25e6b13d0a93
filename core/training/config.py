"""What a training run is asked to do, in one frozen object that is stored with the run."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from core.errors import InputError
from core.model.lora import LoraConfig

Method = Literal["lora", "full"]
TextsPerImage = Literal["one", "all"]
BestAt = Literal["sources", "texts", "both"]


@dataclass(frozen=True)
class TrainConfig:
    """Options of a run. ``batch_size`` × ``accumulation`` pictures are contrasted with each other in a step.

    How many of them are computed at once is found by the memory guard (core/training/memory.py) and changes
    nothing but time and memory; ``memory_gb`` caps that memory (0: what the machine has). ``texts_per_image``:
    one of a picture's texts in rotation, or all. ``warmup`` is a share of all steps; ``patience`` epochs without a
    better recall end the run (0: never); ``best_at`` is the recall that decides which epoch is best, for whoever
    validates: of pictures asked for in the sources' own words, in texts of any kind, or the mean of both directions;
    ``precision`` auto, fp32, bf16 or fp16 (weights stay fp32). Raises
    :class:`InputError` (``train_config``) for values that make no sense.
    """

    method: Method = "lora"
    epochs: int = 10
    batch_size: int = 32
    accumulation: int = 1
    texts_per_image: TextsPerImage = "one"
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    precision: str = "auto"
    augment: bool = False
    patience: int = 0
    best_at: BestAt = "both"
    checkpointing: bool = False
    memory_gb: float = 0.0
    seed: int = 0
    lora: LoraConfig = field(default_factory=LoraConfig)

    def __post_init__(self) -> None:
        checks = {
            "method": self.method in ("lora", "full"),
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "accumulation": self.accumulation >= 1,
            "texts_per_image": self.texts_per_image in ("one", "all"),
            "patience": self.patience >= 0,
            "best_at": self.best_at in ("sources", "texts", "both"),
            "memory_gb": self.memory_gb >= 0,
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

    @property
    def effective_batch(self) -> int:
        """Pictures that are contrasted with each other in a step."""
        return self.batch_size * self.accumulation

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
