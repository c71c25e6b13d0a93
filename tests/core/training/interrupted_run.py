"""A run of the shipped mini model in a process of its own.

``interrupted_run.py FOLDER [--file-limit BYTES] [--die AT]`` goes on from the folder's last checkpoint when there is
one, says each step on standard output, and at the end writes the tuned weights to ``final.pt``. ``AT`` is a moment of
tests/killing.py, or ``evaluate:N``, or ``epoch N:1``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from core.errors import StorageError
from core.model.loading import load_model
from core.model.lora import LoraConfig, adapters
from core.training import loop
from core.training.checkpoints import LAST, trainable_state
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.loop import train
from tests.killing import at, die_at

PICTURES = 16
CONFIG = TrainConfig(
    epochs=8,
    batch_size=4,
    accumulation=2,
    learning_rate=2e-3,
    augment=True,
    lora=LoraConfig(rank=4, alpha=8, dropout=0.1),
    seed=11,
)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--file-limit", type=int, default=0)
    parser.add_argument("--die", default="")
    options = parser.parse_args()
    if options.die:
        die_at(options.die)
    torch.set_num_threads(1)
    loop.CHECKPOINT_SECONDS = 0.2
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (PICTURES, 3, 112, 112), dtype=np.uint8)
    texts = [f"西湖第{number}景" for number in range(3 * PICTURES)]
    data = TrainingData(pixels, texts, [[number // 3] for number in range(len(texts))])
    model = load_model("mini", Path())
    last = options.folder / LAST

    def valid() -> dict[str, float]:
        at("evaluate")
        # a figure that the weights alone decide, highest in the first epoch
        return {"mean_recall": 100 - sum(float(a.lora_B.detach().square().sum()) for _, a in adapters(model.clip))}

    def step(record: dict) -> None:
        say("step", record["step"])
        if options.file_limit and record["epoch"] == 3:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_limit, options.file_limit))

    try:
        result = train(
            model,
            data,
            CONFIG,
            options.folder,
            valid=valid,
            on_step=step,
            on_epoch=lambda record: at(f"epoch {record['epoch']}"),
            resume=last if last.is_file() else None,
            micro_batch=3,
        )
    except StorageError as error:
        say("refused", error.code, error.details["file"])
        raise SystemExit(3) from error
    torch.save({"best": result.best_epoch, **trainable_state(model.clip)}, options.folder / "final.pt")


if __name__ == "__main__":
    main()
