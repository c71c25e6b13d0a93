"""What works on this machine: versions, card, weights, three texts encoded."""

import importlib.metadata
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from core.errors import ModelError
from db.home import Home
from workbench.tasks.models import base_name

TEXTS = ("西湖美景", "德寿宫遗址", "南宋古画")
PACKAGES = (
    "songclip-workbench",
    "torch",
    "torchvision",
    "cn-clip",
    "streamlit",
    "openai",
    "sqlite-utils",
    "lmdb",
)


@dataclass(frozen=True)
class Report:
    """The findings as a document, and as sentences (catalogue key and details)."""

    document: dict[str, Any]
    lines: list[tuple[str, dict[str, Any]]]


def examine(home: Home, model: str) -> Report:
    """Load a model through cn_clip and encode three texts; raises ModelError as the loading does."""
    import torch

    from core.model.features import encode_texts
    from core.model.loading import load_model, weights_present

    versions = {"python": sys.version.split()[0]} | {name: importlib.metadata.version(name) for name in PACKAGES}
    weights = {file.model: str(file.path) for file in weights_present(home.weights)}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hidden_card = device == "cpu" and shutil.which("nvidia-smi") is not None
    name = base_name(home, model)
    lines: list[tuple[str, dict[str, Any]]] = [
        ("doctor.versions", {"versions": ", ".join(f"{k} {v}" for k, v in versions.items())}),
        ("doctor.device", {"device": torch.cuda.get_device_name() if device == "cuda" else device}),
    ]
    if hidden_card:
        lines.append(("doctor.hidden_card", {}))
    lines.append(("doctor.weights", {"names": ", ".join(weights)}) if weights else _no_weights(home))
    loaded = load_model(name, home.weights, device)
    shape = list(encode_texts(loaded, TEXTS).shape)
    if shape[0] != len(TEXTS):
        raise ModelError("weights_misfit", file=name)
    lines.append(("doctor.encoded", {"model": name, "texts": "、".join(TEXTS), "shape": shape}))
    document = {
        "shape": shape,
        "model": name,
        "fingerprint": loaded.fingerprint,
        "device": device,
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "gpu_hidden_from_torch": hidden_card,
        "versions": versions,
        "weights": weights,
        "weights_folder": str(home.weights),
    }
    return Report(document, lines)


def _no_weights(home: Home) -> tuple[str, dict[str, Any]]:
    return ("doctor.no_weights", {"folder": home.weights})
