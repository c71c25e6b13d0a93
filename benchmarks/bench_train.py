"""What a step of training costs: our LoRA, PEFT with a plain loop over pairs, and a full fine-tune, side by side.

Three texts a picture. Every variant learns from the same number of pairs in a step, contrasted with each other (the
effective batch), in fp32 on a CPU, in a process of its own that reports its throughput (median of the steps after
two warm ones) and its peak memory. Decoding is left out for all: pixels lie in memory. The plain loop is how PEFT is
used on cn_clip: a batch of pairs, a picture encoded for each of its texts, texts padded to 52, cn_clip's own attention,
CLIP's loss, AdamW. Its adapters have the same rank and stand on the same projections.

PEFT is wanted by this script alone: pip install --target FOLDER peft==0.21.2 and PYTHONPATH=FOLDER.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.demo.worlds import training_world
from core.model.loading import LoadedModel, build_clip, load_model
from core.model.lora import LoraConfig
from core.model.preprocess import normalise
from core.model.spec import MINI, ModelSpec, released_config
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.loop import train
from core.training.memory import memory_used

VARIANTS = {
    "rest": "model and data alone",
    "lora": "our LoRA, all texts of a picture",
    "lora-parts": "our LoRA, the batch in four parts (GradCache)",
    "lora-checkpointing": "our LoRA, checkpointed",
    "peft": "PEFT 0.21.2, plain loop over pairs",
    "full": "our full fine-tune, all texts of a picture",
}
TEXTS = 3
RANK = 4


def random_clip(name: str) -> nn.Module:
    """cn_clip's own model with random weights, the same each time."""
    from cn_clip.clip.model import CLIP

    torch.manual_seed(0)
    clip: nn.Module = CLIP(**released_config(name))
    return clip


def our_model(name: str) -> LoadedModel:
    """The shipped mini model, or a released shape with random weights."""
    if name == MINI:
        return load_model(MINI, Path())
    config = released_config(name)
    return LoadedModel(build_clip(config, random_clip(name).state_dict()), ModelSpec(name, config), "0")


def their_model(name: str) -> nn.Module:
    """The same weights in cn_clip's own modules."""
    if name != MINI:
        return random_clip(name)
    from cn_clip.clip.model import CLIP

    from core.model.lora import merged_state_dict

    ours = load_model(MINI, Path())
    clip: nn.Module = CLIP(**ours.spec.config)
    clip.load_state_dict(merged_state_dict(ours.clip))
    return clip


def make_data(pictures: int, side: int) -> TrainingData:
    """Noise for pictures, which cost the same, and three texts of the demo world for each."""
    pixels = np.random.default_rng(0).integers(0, 256, (pictures, 3, side, side), dtype=np.uint8)
    items = training_world(pictures, 7)
    texts = [text for i in items for text in (i.passage, i.modern, i.reference.search_prompt)]
    return TrainingData(pixels, texts, [[row // TEXTS] for row in range(len(texts))])


Took = list[tuple[float, float]]
"""Seconds by the clock and of CPU, for each step."""


def run_ours(options: argparse.Namespace, data: TrainingData, model: LoadedModel) -> Took:
    """What each step of our loop took."""
    pictures = options.pairs // TEXTS
    config = TrainConfig(
        method="full" if options.variant == "full" else "lora",
        epochs=-(-options.steps // (len(data.pixels) // pictures)),
        batch_size=pictures,
        texts_per_image="all",
        precision="fp32",
        learning_rate=1e-5,
        checkpointing=options.variant == "lora-checkpointing",
        lora=LoraConfig(rank=RANK, alpha=16),
    )
    at_once = -(-pictures // 4) if options.variant == "lora-parts" else pictures
    took: Took = []
    last = [0.0, time.process_time()]

    def step(row: dict[str, Any]) -> None:
        now = [row["seconds"], time.process_time()]
        took.append((now[0] - last[0], now[1] - last[1]))
        last[:] = now

    with tempfile.TemporaryDirectory() as folder:
        train(model, data, config, Path(folder), on_step=step, micro_batch=at_once)
    return took


def run_peft(options: argparse.Namespace, data: TrainingData, clip: nn.Module) -> Took:
    """What each step of a plain loop over pairs took."""
    from cn_clip.clip import tokenize

    peft = importlib.import_module("peft")
    own = peft.LoraConfig(
        r=RANK,
        lora_alpha=16,
        # nn.MultiheadAttention as a whole is the only way to q, k, v and o of the vision tower
        target_modules=r".*\.attn|.*attention\.self\.(query|key|value)|.*attention\.output\.dense",
    )
    tuned = peft.get_peft_model(clip, own)
    tuned.train()
    base = tuned.base_model.model
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-5, weight_decay=0.01)
    tokens = tokenize(list(data.texts), 52)
    rng = np.random.default_rng(0)
    took: Took = []
    for _ in range(options.steps):
        began = time.perf_counter(), time.process_time()
        pairs = rng.permutation(len(tokens))[: options.pairs]
        pictures = torch.from_numpy(data.pixels[pairs // TEXTS])
        images = nn.functional.normalize(base.encode_image(normalise(pictures)), dim=-1)
        texts = nn.functional.normalize(base.encode_text(tokens[pairs]), dim=-1)
        logits = base.logit_scale.exp() * images @ texts.T
        truth = torch.arange(len(logits))
        loss = (nn.functional.cross_entropy(logits, truth) + nn.functional.cross_entropy(logits.T, truth)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        took.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return took


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One variant in this process."""
    pictures = options.pairs // TEXTS
    model: Any = their_model(options.model) if options.variant == "peft" else our_model(options.model)
    side = 112 if options.model == MINI else int(released_config(options.model)["image_resolution"])
    data = make_data(4 * pictures, side)
    rest = memory_used("cpu")
    ways: dict[str, Callable[..., Took]] = {"peft": run_peft, "rest": lambda *_: []}
    took = ways.get(options.variant, run_ours)(options, data, model)
    clip = getattr(model, "clip", model)
    trained = sum(p.numel() for p in clip.parameters() if p.requires_grad)
    counted = took[2:] or took
    seconds = statistics.median(clock for clock, _ in counted) if took else 0.0
    cpu = statistics.median(cpu for _, cpu in counted) if took else 0.0
    return {
        "variant": options.variant,
        "pairs_per_second": round(options.pairs / seconds, 2) if seconds else 0.0,
        "pairs_per_cpu_second": round(options.pairs / cpu, 2) if cpu else 0.0,
        "trainable": trained,
        "rest_mb": (rest or 0) >> 20,
        "peak_mb": (memory_used("cpu") or 0) >> 20,
        "steps": len(took),
    }


def in_own_process(variant: str, options: argparse.Namespace) -> dict[str, Any]:
    """What :func:`measure` says of a variant in a fresh process."""
    command = [sys.executable, __file__, "--variant", variant, "--model", options.model]
    command += ["--pairs", str(options.pairs), "--steps", str(options.steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    """Print one line a variant, how it was measured, and one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MINI, help="mini, or a released shape with random weights, as ViT-B-16")
    parser.add_argument("--pairs", type=int, default=96, help="pairs in a step, a multiple of 3")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options)))
        return
    names = options.variants.split(",")
    if "peft" in names and importlib.util.find_spec("peft") is None:
        print("PEFT is not here: pip install --target FOLDER peft==0.21.2, then PYTHONPATH=FOLDER", file=sys.stderr)
        names.remove("peft")
    by_name: dict[str, dict[str, Any]] = {}
    for name in names * options.rounds:
        row = in_own_process(name, options)
        best = by_name.setdefault(name, row)
        for figure in ("pairs_per_second", "pairs_per_cpu_second"):
            best[figure] = max(best[figure], row[figure])
    rest = by_name.get("rest", {}).get("peak_mb", 0)
    for name, row in by_name.items():
        print(
            f"{VARIANTS[name]:<48} {row['pairs_per_second']:>8} pairs/s {row['pairs_per_cpu_second']:>8} pairs/CPU s "
            f"{row['peak_mb']:>6} MB peak "
            f"({row['peak_mb'] - rest:+} over rest) {row['trainable']:>12,} trainable"
        )
    document: dict[str, Any] = {
        "model": options.model,
        "effective_batch_pairs": options.pairs,
        "texts_a_picture": TEXTS,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rows": list(by_name.values()),
    }
    if {"lora", "peft"} <= by_name.keys():
        ours, theirs = by_name["lora"], by_name["peft"]
        for figure in ("pairs_per_second", "pairs_per_cpu_second"):
            document[f"times_peft_{figure}"] = round(ours[figure] / theirs[figure], 2)
        document["no_more_memory"] = ours["peak_mb"] <= theirs["peak_mb"]
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
