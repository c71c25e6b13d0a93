"""Weight files: reading Chinese-CLIP's checkpoints and our safetensors, writing merged ones, fingerprints."""

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from core.errors import ModelError
from core.model.files import replacing
from core.model.lora import merged_state_dict
from core.model.spec import ModelSpec

METADATA_KEY = "songclip"


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a weight file in fp32 under cn_clip's names, and what the file says of itself.

    Accepts ``.safetensors`` and torch files holding ``{"state_dict": {"module.…": …}}`` or the bare dict.
    Raises :class:`ModelError`: ``weights_unsafe`` for a pickle that could run code, ``weights_damaged``,
    ``weights_foreign``, ``weights_no_number`` for values that are not finite.
    """
    about: dict[str, Any] = {}
    if path.suffix == ".safetensors":
        state, about = read_safetensors(path)
    else:
        state = _read_torch(path)
    if not all(isinstance(key, str) and _plain(value) for key, value in state.items()):
        raise ModelError("weights_foreign", file=path.name)
    # the pooler of the original BERT stands in released files; cn_clip itself leaves it out
    state = {key.removeprefix("module."): value for key, value in state.items() if "bert.pooler" not in key}
    if not all(bool(value.isfinite().all()) for value in state.values() if value.is_floating_point()):
        raise ModelError("weights_no_number", file=path.name)
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}, about


def _plain(value: object) -> bool:
    """Whether it is a tensor with its numbers one beside the other on this machine, and real ones."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not (value.is_complex() or value.is_quantized)
    )


def _read_torch(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch raises the same error for a refused pickle and for bytes that are no pickle at all
        refused = "weights_only" in str(error).lower() and _is_pickle(path)
        code = "weights_unsafe" if refused else "weights_damaged"
        raise ModelError(code, file=path.name) from error
    except (RuntimeError, EOFError, LookupError, ValueError, AttributeError, TypeError, OSError) as error:
        if "can't allocate memory" in str(error):
            raise
        # an unpickler fed with any file at all raises whatever its bytes happen to mean
        raise ModelError("weights_damaged", file=path.name) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise ModelError("weights_foreign", file=path.name)
    return dict(content)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and our metadata entry of a safetensors file; ``weights_damaged`` when it cannot be read."""
    about = _about(path)
    try:
        # through bytes: a mapped file could not be replaced on Windows while its tensors live
        return safetensors.torch.load(path.read_bytes()), about
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError("weights_damaged", file=path.name) from error


def _about(path: Path) -> dict[str, Any]:
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError("weights_damaged", file=path.name) from error
    return about if isinstance(about, dict) else {}


def tuned_from(path: Path) -> str:
    """The fingerprint of the base that a safetensors file of tuned weights began with; empty where it says none.

    Only the file's head is read; raises :class:`ModelError` ``weights_damaged``.
    """
    return str(_about(path).get("base", ""))


def write_safetensors(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and one metadata entry atomically; the same content gives the same bytes."""
    metadata = {METADATA_KEY: json.dumps(about, ensure_ascii=False, sort_keys=True)}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save({k: v.contiguous() for k, v in state.items()}, metadata))


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values in order of name: the same for the same weights in any file."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f"{key}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_merged(path: Path, clip: nn.Module, spec: ModelSpec, base: str = "") -> str:
    """Write the model with its adapters merged, atomically; returns the fingerprint that it will be loaded with.

    ``base`` is the fingerprint of what it was tuned from.
    ``.pt``: Chinese-CLIP's own checkpoint format, for the released architectures, as ``load_from_name(FILE,
    …)`` and ``extract_features.py`` read it; :class:`ModelError` ``merge_own_shape`` for any other shape.
    ``.safetensors``: any shape, read by :func:`core.model.loading.load_model`; it alone keeps ``base``
    (:func:`tuned_from`).
    """
    state = merged_state_dict(clip)
    if path.suffix == ".safetensors":
        about = {"kind": "weights", "name": spec.name, "config": dict(spec.config)}
        write_safetensors(path, state, {**about, "base": base} if base else about)
        return fingerprint(state)
    if spec.release is None:
        raise ModelError("merge_own_shape", model=spec.name)
    checkpoint = {
        "epoch": 0,
        "step": 0,
        "name": spec.release.name,
        "state_dict": {f"module.{key}": tensor for key, tensor in state.items()},
    }
    with replacing(path) as temporary:
        torch.save(checkpoint, temporary)
    return fingerprint(state)
