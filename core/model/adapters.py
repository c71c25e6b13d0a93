"""Adapter files: a few MB of safetensors that know which base model they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from core.errors import InputError, ModelError
from core.model.loading import LoadedModel, with_adapter
from core.model.lora import LoraConfig, adapter_state, adapters, apply_lora, remove_lora, set_strength
from core.model.weights import fingerprint, read_safetensors, write_safetensors

FORMAT = 1


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter file says of itself: the base model's name and fingerprint, and its configuration."""

    model: str
    base: str
    config: LoraConfig


def save_adapter(path: Path, model: LoadedModel, config: LoraConfig) -> LoadedModel:
    """Write the model's adapters atomically; the same adapters give the same bytes.

    Keys are cn_clip's module paths + ``.lora_A`` / ``.lora_B``; configuration, base fingerprint and model
    name are one JSON string under the metadata key ``songclip``. Returns the model marked with the adapter's
    fingerprint.
    """
    state = adapter_state(model.clip)
    if not state:
        raise ModelError("adapter_none")
    about = {
        "kind": "lora",
        "format": FORMAT,
        "model": model.spec.name,
        "base": model.fingerprint,
        "lora": config.to_dict(),
    }
    write_safetensors(path, state, about)
    return with_adapter(model, fingerprint(state))


def adapter_info(path: Path) -> AdapterInfo:
    """Read whose adapter a file is, without a model at hand."""
    return _info(path, _read(path)[1])


def load_adapter(path: Path, model: LoadedModel, strength: float = 1.0) -> LoadedModel:
    """Put the adapter of a file on the model, in place of any that is there; returns the model marked with
    it.

    The model's ``clip`` is changed in place. Raises :class:`ModelError`: ``adapter_wrong_base`` when it was
    trained on other weights, ``adapter_foreign`` when the file holds no adapter of ours, ``adapter_misfit``.
    """
    state, about = _read(path)
    info = _info(path, about)
    if info.base != model.fingerprint:
        raise ModelError("adapter_wrong_base", file=path.name, wanted=info.model, given=model.spec.name)
    if not _sound(state, info.config):
        raise ModelError("adapter_misfit", file=path.name)
    try:
        apply_lora(model.clip, info.config)
    except InputError as error:
        remove_lora(model.clip)
        raise ModelError("adapter_misfit", file=path.name) from error
    own = dict(adapters(model.clip))
    wanted = adapter_state(model.clip)
    if {k: v.shape for k, v in wanted.items()} != {k: v.shape for k, v in state.items()}:
        remove_lora(model.clip)
        raise ModelError("adapter_misfit", file=path.name)
    for key, tensor in state.items():
        name, _, part = key.rpartition(".")
        getattr(own[name], part).data.copy_(tensor)
    model.clip.requires_grad_(False)
    set_strength(model.clip, strength)
    return with_adapter(model, fingerprint(state))


def _sound(state: Mapping[str, Tensor], config: LoraConfig) -> bool:
    """Looked at before anything is built, so that a damaged file cannot ask for a rank of a million."""
    ranks = {t.shape[0] for key, t in state.items() if key.endswith(".lora_A") and t.ndim == 2}
    return ranks == {config.rank} and all(t.is_floating_point() and bool(t.isfinite().all()) for t in state.values())


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.is_file():
        raise ModelError("adapter_missing", file=path.name, folder=str(path.absolute().parent))
    return read_safetensors(path)


def _info(path: Path, about: dict[str, Any]) -> AdapterInfo:
    try:
        if about["kind"] != "lora" or about["format"] != FORMAT:
            raise ModelError("adapter_foreign", file=path.name)
        return AdapterInfo(str(about["model"]), str(about["base"]), LoraConfig.from_dict(about["lora"]))
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise ModelError("adapter_foreign", file=path.name) from error
