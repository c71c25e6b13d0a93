"""What a Chinese-CLIP model looks like: its name, its configuration, its weight file.

A configuration is the set of keyword arguments of ``cn_clip.clip.model.CLIP``. The released ones are read
from the JSON files that the cn_clip package carries; the mini model's stands beside this module; that of a
file without a name is inferred from the shapes of its tensors.
"""

import importlib.util
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

CONTEXT_LENGTH = 52
"""Tokens of a text with [CLS] and [SEP]: everything after 50 characters is cut."""

MINI = "mini"
MINI_FOLDER = Path(__file__).parent
MINI_WEIGHTS = "mini.safetensors"


@dataclass(frozen=True)
class Release:
    """A model released by the makers of Chinese-CLIP.

    ``vision`` and ``text`` name cn_clip's JSON files, ``repository`` is where both hubs keep ``file``.
    """

    name: str
    repository: str
    file: str
    vision: str
    text: str


_BASE, _LARGE = "RoBERTa-wwm-ext-base-chinese", "RoBERTa-wwm-ext-large-chinese"
RELEASED: dict[str, Release] = {
    release.name: release
    for release in (
        Release("ViT-B-16", "chinese-clip-vit-base-patch16", "clip_cn_vit-b-16.pt", "ViT-B-16", _BASE),
        Release("ViT-L-14", "chinese-clip-vit-large-patch14", "clip_cn_vit-l-14.pt", "ViT-L-14", _BASE),
        Release(
            "ViT-L-14-336", "chinese-clip-vit-large-patch14-336px", "clip_cn_vit-l-14-336.pt", "ViT-L-14-336", _BASE
        ),
        Release("ViT-H-14", "chinese-clip-vit-huge-patch14", "clip_cn_vit-h-14.pt", "ViT-H-14", _LARGE),
        Release("RN50", "chinese-clip-rn50", "clip_cn_rn50.pt", "RN50", "RBT3-chinese"),
    )
}
_LIMITS = {
    "embed_dim": 16384,
    "image_resolution": 4096,
    "vision_layers": 256,
    "vision_width": 16384,
    "vision_patch_size": 1024,
    "vision_head_width": 16384,
    "vocab_size": 1_000_000,
    "text_hidden_size": 16384,
    "text_intermediate_size": 65536,
    "text_max_position_embeddings": 16384,
    "text_num_attention_heads": 1024,
    "text_num_hidden_layers": 256,
    "text_type_vocab_size": 1024,
}
"""Far beyond any Chinese-CLIP, and small enough to be refused by its own shapes rather than by the machine."""
_SHARES = ("text_attention_probs_dropout_prob", "text_hidden_dropout_prob", "text_initializer_range")
LARGEST_FIRST = ("ViT-H-14", "ViT-L-14-336", "ViT-L-14", "ViT-B-16", "RN50")


@dataclass(frozen=True)
class ModelSpec:
    """The shape of a model. ``config`` holds the keyword arguments of ``cn_clip.clip.model.CLIP``."""

    name: str
    config: Mapping[str, Any] = field(repr=False)
    context_length: int = CONTEXT_LENGTH

    @property
    def resolution(self) -> int:
        """Side of the square input picture in pixels."""
        return int(self.config["image_resolution"])

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.config["embed_dim"])

    @property
    def resnet(self) -> bool:
        """Whether the vision tower is a ResNet, which has no attention blocks to adapt."""
        return isinstance(self.config["vision_layers"], list | tuple)

    @property
    def vision(self) -> dict[str, Any]:
        """The vision tower's part of the configuration."""
        return {key: value for key, value in self.config.items() if key.startswith(("vision_", "image_"))}

    @property
    def text(self) -> dict[str, Any]:
        """The text tower's part of the configuration."""
        return {key: value for key, value in self.config.items() if key.startswith(("text_", "vocab_"))}

    @property
    def release(self) -> Release | None:
        """The released architecture of this shape, or None for a shape of our own."""
        shape = _comparable(self.config)
        matches = (r for r in RELEASED.values() if _comparable(released_config(r.name)) == shape)
        return next(matches, None)


def released_config(name: str) -> dict[str, Any]:
    """The configuration of a released model, as the installed cn_clip package states it."""
    release = RELEASED[name]
    found = importlib.util.find_spec("cn_clip")
    if found is None or not found.submodule_search_locations:
        raise ModelError("cn_clip_missing")
    folder = Path(found.submodule_search_locations[0]) / "clip" / "model_configs"
    config: dict[str, Any] = {}
    for part in (release.vision, release.text):
        config.update(json.loads((folder / f"{part}.json").read_text(encoding="utf-8")))
    if isinstance(config["vision_layers"], str):  # RN50's file holds "[3,4,6,3]", which cn_clip gives to eval
        config["vision_layers"] = json.loads(config["vision_layers"])
    return config


def mini_config() -> dict[str, Any]:
    """The configuration of the mini model that is shipped with the code."""
    path = MINI_FOLDER / "mini.json"
    if not path.is_file():
        raise ModelError("weights_missing", model=MINI, file=path.name, folder=str(path.parent))
    return dict(json.loads(path.read_text(encoding="utf-8")))


def sane_config(config: Mapping[str, Any]) -> bool:
    """Whether a configuration can be built: it has what ``CLIP`` wants, of the right types, within limits."""
    resnet = isinstance(config.get("vision_layers"), list | tuple)
    may_lack = {"vision_head_width", *(("vision_patch_size",) if resnet else ())}
    for name, limit in _LIMITS.items():
        value = config.get(name)
        values = list(value) if name == "vision_layers" and isinstance(value, list | tuple) else [value]
        if value is None and name in may_lack:
            continue
        if not values or not all(type(v) is int and 1 <= v <= limit for v in values):
            return False
    shares = all(isinstance(config.get(n), int | float) and 0 <= config[n] <= 1 for n in _SHARES)
    known = {*_LIMITS, *_SHARES, "text_hidden_act"}
    return shares and isinstance(config.get("text_hidden_act"), str) and set(config) <= known


def inferred_config(state: Mapping[str, "Tensor"]) -> dict[str, Any]:
    """The configuration that the shapes of a state dict (cn_clip's key names) speak of.

    Head width is invisible in shapes: 64 as everywhere in CLIP, 80 at width 1280 (ViT-H-14). Raises
    ``KeyError`` for a state dict that is no Chinese-CLIP.
    """
    config: dict[str, Any] = {
        **_inferred_vision(state),
        "vocab_size": state["bert.embeddings.word_embeddings.weight"].shape[0],
        "text_attention_probs_dropout_prob": 0.1,
        "text_hidden_act": "gelu",
        "text_hidden_dropout_prob": 0.1,
        "text_hidden_size": state["bert.embeddings.word_embeddings.weight"].shape[1],
        "text_initializer_range": 0.02,
        "text_intermediate_size": state["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        "text_max_position_embeddings": state["bert.embeddings.position_embeddings.weight"].shape[0],
        "text_num_attention_heads": max(1, state["bert.embeddings.word_embeddings.weight"].shape[1] // 64),
        "text_num_hidden_layers": _count(state, r"bert\.encoder\.layer\.(\d+)\."),
        "text_type_vocab_size": state["bert.embeddings.token_type_embeddings.weight"].shape[0],
    }
    return config


def _inferred_vision(state: Mapping[str, "Tensor"]) -> dict[str, Any]:
    if "visual.attnpool.positional_embedding" in state:
        grid = math.isqrt(state["visual.attnpool.positional_embedding"].shape[0] - 1)
        return {
            "embed_dim": state["visual.attnpool.c_proj.weight"].shape[0],
            "image_resolution": grid * 32,
            "vision_layers": [_count(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)],
            "vision_width": state["visual.layer1.0.conv1.weight"].shape[0],
            "vision_patch_size": None,
        }
    width, _, patch, _ = state["visual.conv1.weight"].shape
    grid = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    config: dict[str, Any] = {
        "embed_dim": state["visual.proj"].shape[1],
        "image_resolution": grid * patch,
        "vision_layers": _count(state, r"visual\.transformer\.resblocks\.(\d+)\."),
        "vision_width": width,
        "vision_patch_size": patch,
    }
    if width == 1280:
        config["vision_head_width"] = 80
    return config


def _count(state: Mapping[str, "Tensor"], pattern: str) -> int:
    numbers = {match.group(1) for key in state if (match := re.match(pattern, key))}
    return len(numbers)


def _comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    full = {"vision_head_width": 64, **config}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in full.items()}
