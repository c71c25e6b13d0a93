"""Our LoRA against PEFT's at equal weights: the same outputs and the same gradients wherever PEFT can do the same.

PEFT is no dependency of the project. Get it apart from it, then run this with that folder on the path:

    python -m pip install --target FOLDER --no-deps peft==0.21.2 transformers accelerate tokenizers regex
    PYTHONPATH=FOLDER python -m benchmarks.check_peft [--model ViT-B-16]

Two ways, in float64, with random weights of the released shape (``--model mini``: the shipped one):

- *split*: PEFT wraps the very Linears that ours adapts (q, k, v, o and MLP of both towers, rsLoRA or not); every output
  and every adapter's gradient must agree.
- *joined*: PEFT on cn_clip's own untouched model, where q, k and v of the vision tower are one matrix: there it can
  only give the three one common A, and so do we for this once. PEFT 0.21.2 counts what it adds to o there twice (a
  known fault, its pull request 3774): ``o_counted`` says how often it was; once it is mended, this becomes 1.

Exits 1 when anything differs by more than 1e-10, or the adapters changed nothing.
"""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.model.loading import LoadedModel, build_clip, load_model
from core.model.lora import LoraConfig, adapters, apply_lora, merged_state_dict, remove_lora
from core.model.preprocess import normalise
from core.model.spec import MINI, ModelSpec, released_config

TEXTS = ["德寿宫在望仙桥东，元系秦太师赐第。", "西湖"]
ALL = ("q", "k", "v", "o", "mlp")


def random_state(config: dict[str, Any]) -> dict[str, Tensor]:
    """Weights under cn_clip's names, norms about one."""
    from cn_clip.clip.model import CLIP

    with torch.device("meta"):
        blank = CLIP(**config)
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.empty(t.shape).normal_(
            float(key.endswith("weight") and ("ln_" in key or "LayerNorm" in key)), 0.03, generator=generator
        )
        for key, t in blank.state_dict().items()
    }


def loaded(name: str) -> tuple[LoadedModel, nn.Module]:
    """Our model and cn_clip's own, of the same weights, in float64."""
    from cn_clip.clip import model as cn_model

    cn_model.LayerNorm.forward = nn.LayerNorm.forward  # cn_clip's would fall back to float32
    if name == MINI:
        model = load_model(MINI, Path())
    else:
        config = released_config(name)
        model = LoadedModel(build_clip(config, random_state(config)), ModelSpec(name, config), "random")
    theirs = cn_model.CLIP(**model.spec.config)
    theirs.load_state_dict(merged_state_dict(model.clip))
    return LoadedModel(model.clip.double(), model.spec, "random"), theirs.double().eval().requires_grad_(False)


def answers(clip: nn.Module, model: LoadedModel, pixels: Tensor) -> Tensor:
    """Features of one picture and two texts, through cn_clip's own methods."""
    tokens = model.tokenize(TEXTS)
    images, words = clip.encode_image(normalise(pixels).double()), clip.encode_text(tokens)  # type: ignore[operator]
    return nn.functional.normalize(torch.cat([images, words]), dim=-1)


def fill(parameters: list[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """Random numbers in the place of PEFT's start, where B is zero; by name."""
    generator = torch.Generator().manual_seed(1)
    for _, parameter in parameters:
        parameter.data.normal_(0, 0.05, generator=generator)
    return {name: parameter.detach() for name, parameter in parameters}


def weights(outputs: Tensor) -> Tensor:
    """Fixed numbers that make one loss of all outputs."""
    return torch.randn(outputs.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def split(model: LoadedModel, pixels: Tensor, rslora: bool) -> dict[str, float]:
    """PEFT around the same Linears, outputs and gradients compared."""
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    remove_lora(model.clip)
    theirs = copy.deepcopy(model.clip)
    config = LoraConfig(rank=3, alpha=6, rslora=rslora, targets=ALL)
    names = apply_lora(model.clip, config)
    theirs = inject_adapter_in_model(
        PeftConfig(r=3, lora_alpha=6, use_rslora=rslora, target_modules=names, lora_dropout=0.0), theirs
    ).eval()
    trained = [(name, p) for name, p in theirs.named_parameters() if "lora_" in name]
    fill(trained)
    ours = dict(adapters(model.clip))
    for name, adapter in ours.items():
        adapter.lora_A.data.copy_(theirs.get_submodule(name).lora_A["default"].weight)
        adapter.lora_B.data.copy_(theirs.get_submodule(name).lora_B["default"].weight)
    first, second = answers(model.clip, model, pixels), answers(theirs, model, pixels)
    for outputs in (first, second):
        (outputs * weights(outputs)).sum().backward()
    gaps = []
    for name, adapter in ours.items():
        peer = theirs.get_submodule(name)
        for mine, other in ((adapter.lora_A, peer.lora_A), (adapter.lora_B, peer.lora_B)):
            gaps.append(gap(mine.grad, other["default"].weight.grad))
            assert float(mine.grad.abs().max()) > 0, name
    remove_lora(model.clip)
    with torch.no_grad():
        moved = gap(second, answers(model.clip, model, pixels))
    return {"adapters": len(names), "outputs": gap(first, second), "gradients": max(gaps), "moved": moved}


def joined(model: LoadedModel, clip: nn.Module, pixels: Tensor) -> dict[str, float]:
    """PEFT on cn_clip's own model, whose vision tower keeps q, k and v in one matrix."""
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    wanted = [
        name
        for name, module in clip.named_modules()
        if isinstance(module, nn.MultiheadAttention)
        or name.endswith(("self.query", "self.key", "self.value", "attention.output.dense"))
    ]
    theirs = inject_adapter_in_model(
        PeftConfig(r=3, lora_alpha=6, target_modules=wanted, lora_dropout=0.0), clip
    ).eval()
    fill([(name, p) for name, p in theirs.named_parameters() if "lora_" in name])
    with torch.no_grad():
        base, second = answers(model.clip, model, pixels), answers(theirs, model, pixels)
        found = {}
        for times in (1, 2):
            apply_lora(model.clip, LoraConfig(rank=3, alpha=6))
            for name, adapter in adapters(model.clip):
                first, other = peers(theirs, name)
                adapter.lora_A.copy_(first)
                adapter.lora_B.copy_(other * (times if name.endswith("out_proj") else 1))
            found[times] = gap(answers(model.clip, model, pixels), second)
            remove_lora(model.clip)
    times = min(found, key=lambda n: found[n])
    return {"adapters": len(wanted), "outputs": found[times], "moved": gap(second, base), "o_counted": times}


def peers(theirs: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """PEFT's A and B in the place of one of our adapters."""
    place, _, leaf = name.rpartition(".")
    if not name.startswith("visual."):
        peer = theirs.get_submodule(name)
    elif leaf == "out_proj":
        peer = theirs.get_submodule(place).base_layer.out_proj
    else:
        peer = theirs.get_submodule(place)
        return peer.lora_A["default"].weight, peer.lora_B["default"].weight.chunk(3)["qkv".index(leaf[0])]
    return peer.lora_A["default"].weight, peer.lora_B["default"].weight


def gap(first: Tensor, second: Tensor) -> float:
    """The largest difference."""
    return float((first - second).detach().abs().max())


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MINI)
    options = parser.parse_args()
    import peft

    model, raw = loaded(options.model)
    side = model.spec.resolution
    pixels = torch.randint(256, (1, 3, side, side), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    with torch.no_grad():
        base = gap(answers(model.clip, model, pixels), answers(raw, model, pixels))
    rows = {
        "without_adapters": {"outputs": base},
        "split": split(model, pixels, rslora=False),
        "split_rslora": split(model, pixels, rslora=True),
        "joined": joined(model, raw, pixels),
    }
    worst = max(row[key] for row in rows.values() for key in ("outputs", "gradients") if key in row)
    moved = min(row["moved"] for row in rows.values() if "moved" in row)
    print(json.dumps({"model": options.model, "peft": peft.__version__, **rows, "worst": worst}, indent=1))
    raise SystemExit(worst > 1e-10 or moved < 1e-3)


if __name__ == "__main__":
    main()
