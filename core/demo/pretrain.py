"""Pre-trains the mini Chinese-CLIP on painted scenes and modern captions: ``python -m core.demo.pretrain --out FILE``.

The model is cn_clip's own ``CLIP`` class in the shape of core/model/mini.json. Its texts are modern captions only, so
that classical passages are foreign to it; beside them both towers are asked for each scene's labels (AspectHeads).
Every seed is fixed; the same machine with the same number of threads gives the same file again, byte for byte.
"""

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.demo.captions import full_caption, modern_captions
from core.demo.scenes import Scene, make_scenes
from core.demo.worlds import paint_pixels
from core.model.preprocess import normalise, prepare_text
from core.model.spec import CONTEXT_LENGTH, MINI_FOLDER, MINI_WEIGHTS, mini_config
from core.progress import Progress, Silent, stop_if_asked

SCRIPT_VERSION = 1


@dataclass(frozen=True)
class PretrainConfig:
    """All that the weights depend on, besides the machine; stored in the file."""

    scenes: int = 8000
    validation: int = 500
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.05
    warmup: float = 0.08
    aspects: float = 2.0
    seed: int = 1127
    threads: int = 2
    version: int = SCRIPT_VERSION


def pretrain(
    config: PretrainConfig, progress: Progress | None = None, workers: int = 1
) -> tuple[nn.Module, dict[str, float]]:
    """Train from scratch; returns the model in eval mode and its recall (text to image) on unseen scenes.

    ``workers`` processes paint; they change nothing of the result.
    """
    watch = progress or Silent()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = build_mini()
    place_patches(model)
    scenes = make_scenes(config.scenes, config.seed, part="pretraining")
    watch.report(0, config.epochs, "progress.demo_painting", count=len(scenes))
    pixels = paint_pixels(scenes, workers)
    rng = random.Random(f"songclip pretraining {config.seed}")
    steps = config.epochs * (len(scenes) // config.batch_size)
    heads = AspectHeads(scenes, mini_config()["embed_dim"])
    optimizer = _optimizer(nn.ModuleList([model, heads]), config)
    done = 0
    for epoch in range(config.epochs):
        captions = [modern_captions(scene, rng, 1)[0] for scene in scenes]
        tokens = tokenize(captions)
        order = list(range(len(scenes)))
        rng.shuffle(order)
        loss_sum, batches = 0.0, len(order) // config.batch_size
        for batch in range(batches):
            stop_if_asked(watch)
            rate = _rate(done, steps, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            rows = torch.tensor(order[batch * config.batch_size : (batch + 1) * config.batch_size])
            loss, aspects = _loss(model, heads, torch.from_numpy(pixels[rows.numpy()]), tokens[rows], rows)
            optimizer.zero_grad(set_to_none=True)
            (loss + config.aspects * aspects).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                cast(Any, model).logit_scale.clamp_(0, math.log(100))
            loss_sum += float(loss.detach())
            done += 1
        watch.report(
            epoch + 1,
            config.epochs,
            "progress.demo_pretraining",
            loss=round(loss_sum / batches, 3),
            aspects=round(float(aspects.detach()), 3),
        )
    model.eval()
    return model, validate(model, config, workers)


def build_mini() -> nn.Module:
    """cn_clip's ``CLIP`` in the mini shape, with its own random start."""
    from cn_clip.clip.model import CLIP

    return cast(nn.Module, CLIP(**mini_config()))


def place_patches(model: nn.Module) -> None:
    """Start the patches' position embeddings as sines and cosines of column and row.

    Neighbours then look alike from the first step, as in a trained model; a random start has to find that out, and on
    so few pictures it takes epochs.
    """
    embedding = cast(Any, model).visual.positional_embedding
    side, width = math.isqrt(len(embedding) - 1), embedding.shape[1]
    waves = 1.5 / 20 ** (torch.arange(width // 4) / (width // 4))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    parts = [turn(axis.reshape(-1, 1) * waves) for axis in (row, column) for turn in (torch.sin, torch.cos)]
    with torch.no_grad():
        embedding[1:] = 0.3 * torch.cat(parts, dim=1)


def tokenize(texts: Sequence[str]) -> Tensor:
    """Token ids [n, 52], lower-cased and straightened as in training."""
    from cn_clip.clip import tokenize as cn_tokenize

    return cast(Tensor, cn_tokenize([prepare_text(text) for text in texts], context_length=CONTEXT_LENGTH))


def encode_images(model: nn.Module, pixels: NDArray[np.uint8], batch: int = 256) -> Tensor:
    """Unit-length features [n, dim] of uint8 pixels [n, 3, r, r]."""
    with torch.inference_mode():
        parts = [
            cast(Any, model).encode_image(normalise(torch.from_numpy(pixels[start : start + batch])))
            for start in range(0, len(pixels), batch)
        ]
    return F.normalize(torch.cat(parts), dim=-1)


def encode_texts(model: nn.Module, texts: Sequence[str]) -> Tensor:
    """Unit-length features [n, dim] of texts."""
    with torch.inference_mode():
        return F.normalize(cast(Any, model).encode_text(tokenize(texts)), dim=-1)


def validate(model: nn.Module, config: PretrainConfig, workers: int = 1) -> dict[str, float]:
    """Share of unseen scenes found by a full modern caption at rank 1, 5 and 10 among all of them, in per cent."""
    scenes = make_scenes(config.validation, config.seed, part="validation")
    rng = random.Random(f"songclip validation {config.seed}")
    images = encode_images(model, paint_pixels(scenes, workers))
    texts = encode_texts(model, [full_caption(scene, rng) for scene in scenes])
    scores = texts @ images.T
    ranks = (scores > scores.diag()[:, None]).sum(1)
    return {f"R@{k}": round(100 * float((ranks < k).float().mean()), 2) for k in (1, 5, 10)}


def save_mini(model: nn.Module, path: Path, config: PretrainConfig, figures: dict[str, float]) -> None:
    """Write the weights as fp16 safetensors with cn_clip's key names and one metadata key, ``songclip``."""
    from safetensors.torch import save

    # cn_clip keeps this index beside the weights in some versions; it is no weight and is made anew
    state = {k: v.half().contiguous() for k, v in sorted(model.state_dict().items()) if not k.endswith("position_ids")}
    about = {
        "config": mini_config(),
        "pretraining": asdict(config),
        "torch": torch.__version__.split("+")[0],
        "figures": figures,
        "note": "trained on generated scenes, modern captions and the scenes' aspect labels; no classical text",
    }
    data = save(state, metadata={"songclip": json.dumps(about, ensure_ascii=False, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


class AspectHeads(nn.Module):
    """One classifier an aspect (kind, number, side, …) over embeddings of either tower; thrown away after training.

    The contrast alone is content with season, land and weather, which are seen at a glance, and stays there for many
    epochs. Asked for every aspect, both towers find the buildings at once.
    """

    def __init__(self, scenes: Sequence[Scene], dim: int) -> None:
        super().__init__()
        columns = list(zip(*(scene.said() for scene in scenes), strict=True))
        values = [sorted(set(column)) for column in columns]
        self.targets = torch.tensor([[v.index(x) for x, v in zip(s.said(), values, strict=True)] for s in scenes])
        self.sizes = [len(value) for value in values]
        self.linear = nn.Linear(dim, sum(self.sizes))

    def loss(self, features: Tensor, rows: Tensor) -> Tensor:
        """Mean cross-entropy of all aspects for embeddings [n, dim] of the scenes ``rows`` [n]."""
        parts = self.linear(features).split(self.sizes, dim=1)
        target = self.targets[rows]
        return torch.stack([F.cross_entropy(part, target[:, i]) for i, part in enumerate(parts)]).mean()


def _loss(model: nn.Module, heads: AspectHeads, pixels: Tensor, tokens: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The contrastive loss of a batch, and that of the aspects."""
    clip = cast(Any, model)
    longest = int(tokens.ne(0).sum(1).max())
    images, texts = clip.encode_image(normalise(pixels)), clip.encode_text(tokens[:, :longest])
    logits = clip.logit_scale.exp() * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    target = torch.arange(len(logits))
    contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return contrast, heads.loss(images, rows) + heads.loss(texts, rows)


def _optimizer(model: nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    """No decay on norms and biases, nor on word embeddings: it would wipe out the characters not read here."""
    decayed = [p for n, p in model.named_parameters() if p.ndim >= 2 and "embedding" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim < 2 or "embedding" in n]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def _rate(step: int, total: int, config: PretrainConfig) -> float:
    warm = max(1, round(total * config.warmup))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


class _Printed(Silent):
    """Progress on standard error."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        """One line a step."""
        sys.stderr.write(f"{time.monotonic() - self.start:6.0f} s  {done}/{total} {message} {details}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the weights; prints the figures on unseen scenes as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=MINI_FOLDER / MINI_WEIGHTS, help="file to write")
    parser.add_argument("--epochs", type=int, default=PretrainConfig.epochs)
    parser.add_argument("--scenes", type=int, default=PretrainConfig.scenes)
    parser.add_argument("--threads", type=int, default=PretrainConfig.threads)
    parser.add_argument("--workers", type=int, default=2, help="painting processes")
    given = parser.parse_args(arguments)
    config = PretrainConfig(epochs=given.epochs, scenes=given.scenes, threads=given.threads)
    model, figures = pretrain(config, _Printed(), given.workers)
    save_mini(model, given.out, config, figures)
    sys.stdout.write(json.dumps({"out": str(given.out), "t2i": figures, "bytes": given.out.stat().st_size}) + "\n")


if __name__ == "__main__":
    main()
