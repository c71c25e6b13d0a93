"""Light augmentation: a slightly tighter crop and a change of light.

No flips, ever: they mirror inscriptions and put east in the west.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ZOOM = 0.9
LIGHT = 0.1
_AT_ONCE = 32
"""Pictures resampled together: the float copies of a large batch would be the peak of a small card's memory."""


def augment(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """uint8 [n, 3, r, r] to the same: each cropped to 90–100 % somewhere, its light changed by up to 10 %."""
    n = len(pixels)
    zoom = rng.uniform(ZOOM, 1.0, n)
    shift = rng.uniform(-1.0, 1.0, (n, 2)) * (1 - zoom)[:, None]
    theta = np.zeros((n, 2, 3))
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = shift
    light = rng.uniform(1 - LIGHT, 1 + LIGHT, n)
    parts = zip(
        pixels.split(_AT_ONCE),
        torch.tensor(theta, dtype=torch.float32).split(_AT_ONCE),
        torch.tensor(light, dtype=torch.float32).split(_AT_ONCE),
        strict=True,
    )
    return torch.cat([_changed(part, where.to(part.device), how.to(part.device)) for part, where, how in parts])


def _changed(pixels: Tensor, theta: Tensor, light: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    return (moved * light.view(-1, 1, 1, 1)).round_().clamp_(0, 255).to(torch.uint8)
