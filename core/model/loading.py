"""Load a Chinese-CLIP model: released weights, the mini model, or a file.

The model is cn_clip's own ``CLIP`` class with fp32 weights; only the vision tower's attention is replaced by
:class:`core.model.attention.SplitAttention`, which computes the same.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import extract_tb
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from core.errors import ModelError
from core.model import lora
from core.model.attention import split_attention
from core.model.device import autocast, checked_device
from core.model.preprocess import normalise, prepare_text, preprocess
from core.model.spec import (
    LARGEST_FIRST,
    MINI,
    MINI_FOLDER,
    MINI_WEIGHTS,
    RELEASED,
    ModelSpec,
    inferred_config,
    mini_config,
    released_config,
    sane_config,
)
from core.model.weights import fingerprint, read_state

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightsFile:
    """A weight file that is there: the model's name, where it lies, its size in bytes."""

    model: str
    path: Path
    size: int


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to encode. ``fingerprint`` is of the base weights, ``adapter`` of the adapter on them."""

    clip: nn.Module
    spec: ModelSpec
    fingerprint: str
    device: str = "cpu"
    adapter: str = ""

    @property
    def key(self) -> str:
        """What names the features of this model as it is now: base, adapter and strength."""
        strength = lora.strength(self.clip)
        if not self.adapter or strength == 0:
            return self.fingerprint
        return hashlib.sha256(f"{self.fingerprint}+{self.adapter}*{strength!r}".encode()).hexdigest()

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of the factor on the cosine similarities."""
        return cast(nn.Parameter, self.clip.logit_scale)

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """The picture as this model sees it, uint8 [3, resolution, resolution]."""
        return preprocess(image, self.spec.resolution)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, int64 [n, context length]; lower-cased with straight quotes, cut after 50 tokens."""
        from cn_clip.clip import tokenize

        return tokenize([prepare_text(text) for text in texts], self.spec.context_length)

    def image_features(self, pixels: Tensor, precision: str = "auto") -> Tensor:
        """uint8 pixels [n, 3, r, r] to unit-length features [n, dim]; gradients flow when they are wanted."""
        with autocast(self.device, precision):
            features = cast(Any, self.clip).encode_image(normalise(pixels.to(self.device)))
        return _unit(features)

    def text_features(self, tokens: Tensor, precision: str = "auto") -> Tensor:
        """Token ids [n, length] to unit-length features [n, dim]."""
        # padding is masked out, so cutting it at the longest text of the batch changes nothing but the time
        longest = int(tokens.ne(0).sum(1).max()) if len(tokens) else 1
        with autocast(self.device, precision):
            features = cast(Any, self.clip).encode_text(tokens[:, :longest].to(self.device))
        return _unit(features)


def _unit(features: Tensor) -> Tensor:
    wide = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
    return nn.functional.normalize(wide, dim=-1)


def load_model(name_or_file: str, weights_dir: Path, device: str = "cpu") -> LoadedModel:
    """Load ``mini``, a released model whose weights lie in ``weights_dir``, or a weight file.

    Weights are fp32, frozen and in eval mode. ``device`` may be ``auto``. Raises :class:`ModelError` with
    ``model_unknown``, ``weights_absent`` (of a released model, which can be fetched), ``weights_missing``,
    ``weights_unsafe``, ``weights_damaged``, ``weights_foreign``, ``weights_no_number``, ``weights_misfit``,
    ``device_missing`` or ``flash_attn``.
    """
    device = checked_device(device)
    path, config = _locate(name_or_file, weights_dir)
    state, about = read_state(path)
    if config is None:
        config = _file_config(state, about, path)
    name = name_or_file if name_or_file in (MINI, *RELEASED) else path.stem
    spec = ModelSpec(name, config)
    model = LoadedModel(build_clip(spec.config, state, path.name), spec, fingerprint(state), device)
    model.clip.to(device)
    log.info("Loaded %s (%s) on %s", name, model.fingerprint[:12], device)
    return model


def build_clip(config: Mapping[str, Any], state: Mapping[str, Tensor], file: str = "") -> nn.Module:
    """cn_clip's ``CLIP`` with these weights (its key names), split attention, frozen, in eval mode."""
    clip_class = _clip_class()
    try:
        with torch.device("meta"):  # no random start that would be thrown away: seconds saved for the large ones
            clip = clip_class(**config)
        clip.load_state_dict(dict(state), assign=True)
    except (RuntimeError, ValueError, KeyError, ZeroDivisionError) as error:  # heads that do not share a width, too
        log.warning("%s", error)
        raise ModelError("weights_misfit", file=file) from error
    split_attention(clip)
    return clip.requires_grad_(False).eval()


def blank_clip(config: Mapping[str, Any]) -> nn.Module:
    """The model's modules and shapes as :func:`build_clip` gives them, without any memory behind them."""
    with torch.device("meta"):
        clip: nn.Module = _clip_class()(**config)
    split_attention(clip)
    return clip.requires_grad_(False).eval()


def _clip_class() -> Any:
    try:
        from cn_clip.clip.model import CLIP
    except Exception as error:
        # cn_clip imports flash-attn wherever it finds one, and one built for another torch raises what it likes
        if "flash_attn" in str(error) or any("flash_attn" in str(f.filename) for f in extract_tb(error.__traceback__)):
            raise ModelError("flash_attn") from error
        if isinstance(error, ImportError):
            raise ModelError("cn_clip_missing", reason=str(error)) from error
        raise
    return CLIP


def _locate(name: str, weights_dir: Path) -> tuple[Path, dict[str, Any] | None]:
    if name == MINI:
        path, config = MINI_FOLDER / MINI_WEIGHTS, mini_config()
    elif name in RELEASED:
        path, config = weights_dir / RELEASED[name].file, released_config(name)
    else:
        path = Path(name).expanduser()
        if path.is_file():
            return path, None
        if path.suffix in (".pt", ".pth", ".safetensors"):
            folder = str(path.absolute().parent)
            raise ModelError("weights_missing", model=path.stem, file=path.name, folder=folder)
        raise ModelError("model_unknown", model=name, known=", ".join((MINI, *RELEASED)))
    if not path.is_file():
        code = "weights_absent" if name in RELEASED else "weights_missing"
        raise ModelError(code, model=name, file=path.name, folder=str(path.absolute().parent))
    return path, config


def _file_config(state: Mapping[str, Tensor], about: Mapping[str, Any], path: Path) -> dict[str, Any]:
    try:
        config = about["config"] if "config" in about else inferred_config(state)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError("weights_foreign", file=path.name) from error
    # looked at before anything is built: a damaged file may ask for ten million layers
    if not isinstance(config, dict) or not sane_config(config):
        raise ModelError("weights_foreign", file=path.name)
    return dict(config)


def weights_present(weights_dir: Path) -> list[WeightsFile]:
    """The released models whose weight files lie in ``weights_dir``, largest first."""
    found = []
    for name in LARGEST_FIRST:
        path = weights_dir / RELEASED[name].file
        if path.is_file():
            found.append(WeightsFile(name, path, path.stat().st_size))
    return found


def default_model(weights_dir: Path) -> str:
    """The largest released model whose weights are present, else ``mini``."""
    present = weights_present(weights_dir)
    return present[0].model if present else MINI


def with_adapter(model: LoadedModel, adapter: str) -> LoadedModel:
    """The same model, known to carry the adapter of that fingerprint."""
    return replace(model, adapter=adapter)
