"""Every released architecture with random weights: loaded by us and by ``load_from_name``, the same features.

A file in the original format (half precision, ``module.`` prefix, BERT's pooler) is written for each, read by both,
then adapted, merged and read by ``load_from_name`` again. No real weights are needed. ViT-H-14 takes 12 GB of memory.
"""

import argparse
import gc
import json
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.model.features import encode_images, encode_texts
from core.model.loading import load_model
from core.model.lora import LoraConfig, adapters, apply_lora
from core.model.spec import RELEASED, Release, released_config
from core.model.trainable import notices, parameters
from core.model.weights import save_merged

TEXTS = ["德寿宫在望仙桥东，元系秦太师赐第。", "西湖"]


def original_file(path: Path, config: dict[str, Any]) -> None:
    """Random weights as the makers of Chinese-CLIP pack them."""
    from cn_clip.clip.model import CLIP

    with torch.device("meta"):
        blank = CLIP(**config)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in blank.state_dict().items():
        one = key.endswith("running_var") or (
            key.endswith("weight") and any(part in key for part in ("ln_", "LayerNorm", ".bn", "downsample.1"))
        )
        value = torch.empty(tensor.shape).normal_(float(one), 0.02, generator=generator)
        state[f"module.{key}"] = value.half() if tensor.is_floating_point() else torch.zeros_like(tensor, device="cpu")
    state["module.bert.pooler.dense.weight"] = torch.zeros(2, 2)
    torch.save({"epoch": 1, "step": 1, "name": "x", "state_dict": state}, path)


def theirs(path: Path, release: Release, resolution: int, picture: Any) -> Tensor:
    """Features of one picture and two texts by cn_clip alone, unit length, texts first."""
    from cn_clip.clip import load_from_name, tokenize

    with redirect_stdout(StringIO()):
        clip, transform = load_from_name(
            str(path),
            device="cpu",
            vision_model_name=release.vision,
            text_model_name=release.text,
            input_resolution=resolution,
        )
    clip.eval()
    with torch.no_grad():
        rows = torch.cat([clip.encode_text(tokenize(TEXTS)), clip.encode_image(transform(picture)[None])])
    return nn.functional.normalize(rows, dim=-1)


def check(release: Release, folder: Path) -> dict[str, Any]:
    """One architecture there and back."""
    from PIL import Image

    began = time.perf_counter()
    picture = Image.effect_noise((300, 200), 80).convert("RGB")
    file = folder / release.file
    original_file(file, released_config(release.name))
    size = file.stat().st_size
    model = load_model(release.name, folder)
    ours = torch.cat([torch.from_numpy(encode_texts(model, TEXTS)), torch.from_numpy(encode_images(model, [picture]))])
    loading = float((ours - theirs(file, release, model.spec.resolution, picture)).abs().max())
    file.unlink()
    config = LoraConfig(rank=4)
    apply_lora(model.clip, config)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.02)
    share = parameters(model.clip)
    tuned = torch.cat([torch.from_numpy(encode_texts(model, TEXTS)), torch.from_numpy(encode_images(model, [picture]))])
    save_merged(folder / "merged.pt", model.clip, model.spec)
    spec = model.spec
    del model
    gc.collect()
    merged = float((tuned - theirs(folder / "merged.pt", release, spec.resolution, picture)).abs().max())
    (folder / "merged.pt").unlink()
    return {
        "file_mb": size // 10**6,
        "loaded_differs": loading,
        "merged_differs": merged,
        "tuned_moved": float((tuned - ours).abs().max()),
        "trainable": share.trainable,
        "total": share.total,
        "percent": round(share.percent, 3),
        "notices": [notice.code for notice in notices(spec, config)],
        "seconds": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    """Print one JSON document; exit 1 when loading differs by more than 1e-5 or a merged file by more than 5e-3.

    The second is cn_clip's own rounding to half precision.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", choices=list(RELEASED), help="Several are allowed; all by default.")
    options = parser.parse_args()
    rows = {}
    for name in options.model or RELEASED:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = check(RELEASED[name], Path(folder))
    print(json.dumps(rows, indent=1))
    raise SystemExit(any(row["loaded_differs"] > 1e-5 or row["merged_differs"] > 5e-3 for row in rows.values()))


if __name__ == "__main__":
    main()
