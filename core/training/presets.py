"""Ready sets of options, one for each purpose, all in one place.

Rates and ranks for the released models follow the user's plan and CLIP-LoRA (arXiv 2405.18541); those of the
mini model were found by trial on the demo world: it is small and starts far from classical wording, so it
wants a larger rate and more room.
"""

from dataclasses import replace
from functools import partial

from core.errors import InputError
from core.model.lora import LoraConfig
from core.model.spec import MINI
from core.training.config import Method, TrainConfig

# whoever searches here searches with the words of the sources
_config = partial(TrainConfig, best_at="sources")

PRESETS: dict[str, TrainConfig] = {
    # the user's plan: r 4, alpha 16, lr 1e-4, weight decay 0.01, 30 epochs, batch 8 × 4
    "plan": _config(epochs=30, batch_size=8, accumulation=4, learning_rate=1e-4, lora=LoraConfig(rank=4, alpha=16)),
    "quick": _config(epochs=3, batch_size=32, learning_rate=2e-4, lora=LoraConfig(rank=4, alpha=16)),
    # a 6 GB card also draws the screen; a large batch in parts that fit
    "laptop_6gb": _config(
        epochs=15,
        batch_size=16,
        accumulation=4,
        learning_rate=1e-4,
        augment=True,
        patience=5,
        memory_gb=5.5,
        lora=LoraConfig(rank=8, alpha=16),
    ),
    # few pairs and much to lose: small steps, dropout, augmentation, an early end
    "careful": _config(
        epochs=20,
        batch_size=32,
        learning_rate=5e-5,
        augment=True,
        patience=5,
        lora=LoraConfig(rank=2, alpha=4, dropout=0.25, rslora=True, targets=("q", "k", "v")),
    ),
    MINI: _config(
        epochs=20,
        batch_size=32,
        learning_rate=4e-3,
        lora=LoraConfig(rank=16, alpha=32, targets=("q", "k", "v", "o", "mlp")),
    ),
}
FULL_RATE = {MINI: 1e-3}
FULL_RATE_RELEASED = 1e-5
"""A full fine-tune of a released model wants a tenth of the rate of adapters; more forgets what it knew."""


def preset(name: str) -> TrainConfig:
    """The options of that name; :class:`InputError` (``preset_unknown``) for another."""
    if name not in PRESETS:
        raise InputError("preset_unknown", name=name, known=", ".join(PRESETS))
    return PRESETS[name]


def default_config(model: str, method: Method = "lora") -> TrainConfig:
    """What to start with for a base model (its name) when nothing was chosen."""
    config = PRESETS[MINI] if model == MINI else PRESETS["plan"]
    if method == "full":
        return replace(config, method="full", learning_rate=FULL_RATE.get(model, FULL_RATE_RELEASED))
    return config
