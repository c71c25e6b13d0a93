"""What Chinese-CLIP sees of a picture and reads of a text, equal to cn_clip's own."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def preprocess(image: Image.Image, resolution: int) -> NDArray[np.uint8]:
    """The picture squashed to a square, uint8 [3, resolution, resolution].

    Bicubic, no crop, resized before the conversion to RGB, as ``cn_clip.clip.image_transform`` does.
    """
    squashed = image.resize((resolution, resolution), Image.Resampling.BICUBIC).convert("RGB")
    return np.ascontiguousarray(np.asarray(squashed, dtype=np.uint8).transpose(2, 0, 1))


def stack_pixels(images: Iterable[Image.Image], resolution: int) -> NDArray[np.uint8]:
    """Pictures decoded once, uint8 [n, 3, resolution, resolution]."""
    arrays = [preprocess(image, resolution) for image in images]
    return np.stack(arrays) if arrays else np.empty((0, 3, resolution, resolution), dtype=np.uint8)


def normalise(batch: Tensor) -> Tensor:
    """uint8 [n, 3, r, r] to float32 with CLIP's mean and standard deviation."""
    mean = torch.tensor(MEAN, device=batch.device).view(3, 1, 1)
    std = torch.tensor(STD, device=batch.device).view(3, 1, 1)
    return batch.to(torch.float32).div(255).sub_(mean).div_(std)


def prepare_text(text: str) -> str:
    """Lower case and straight double quotes, as ``cn_clip/training/data.py`` prepares texts."""
    return text.lower().replace("“", '"').replace("”", '"')
