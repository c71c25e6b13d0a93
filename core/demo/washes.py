"""The wet half of a painting: sky, distant hills, water and mist, as soft washes on a small sheet.

Washes have no sharp edges, so they are mixed at 160 × 160 and enlarged; that keeps a painting at a few milliseconds.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.demo.brush import SHEET
from core.demo.scenes import Scene

Wash = NDArray[np.float32]
FINE = 160
"""Side of the small sheet in pixels."""
HORIZON = 0.44
"""Where the far shore lies, as a share of the height."""

_SKIES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "clear": ((222, 222, 206), (243, 233, 208)),
    "rain": ((176, 180, 176), (214, 210, 196)),
    "mist": ((226, 222, 208), (246, 243, 232)),
    "moon": ((190, 200, 214), (230, 230, 224)),
    "dusk": ((218, 186, 158), (248, 226, 190)),
}
_HILLS: dict[str, tuple[int, int, int]] = {
    "spring": (112, 140, 120),
    "summer": (76, 116, 106),
    "autumn": (150, 118, 88),
    "winter": (172, 178, 182),
}
LAND: dict[str, tuple[int, int, int]] = {
    "spring": (190, 196, 142),
    "summer": (146, 170, 112),
    "autumn": (208, 178, 116),
    "winter": (240, 240, 236),
}
WATER: dict[str, tuple[int, int, int]] = {
    "spring": (176, 202, 192),
    "summer": (146, 188, 178),
    "autumn": (178, 192, 186),
    "winter": (198, 208, 212),
}


@lru_cache(maxsize=1)
def _grid() -> tuple[Wash, Wash]:
    axis: Wash = ((np.arange(FINE) + 0.5) / FINE).astype(np.float32)
    return axis[None, :], axis[:, None]


def _colour(value: tuple[int, int, int]) -> Wash:
    return np.asarray(value, dtype=np.float32)


def _lay(sheet: Wash, colour: Wash, alpha: Wash) -> None:
    sheet += (colour - sheet) * alpha[..., None]


def ridge(rng: np.random.Generator, base: float, height: float, rough: float) -> Wash:
    """Heights of a ridge across the sheet, shape [FINE], as shares of the sheet's height from the top."""
    x = _grid()[0][0]
    line = np.zeros_like(x)
    for octave in range(1, 6):
        waves = rough * octave
        line += np.abs(np.sin(np.pi * (waves * x + rng.random()))) * rng.uniform(0.5, 1.0) / octave**1.25
    line /= max(float(line.max()), 1e-3)
    return (base - height * line).astype(np.float32)


def _hills(sheet: Wash, line: Wash, foot: float, colour: Wash, strength: float) -> None:
    """A hill that is dark along its ridge and dissolves into mist at its foot."""
    y = _grid()[1]
    depth = np.clip((foot - y) / np.maximum(foot - line[None, :], 0.02), 0, 1)
    inside = np.clip((y - line[None, :]) * FINE, 0, 1)
    _lay(sheet, colour, inside * depth**0.8 * strength)


def river_course(rng: np.random.Generator) -> tuple[Wash, Wash]:
    """Middle and half width of the river at each height, shape [FINE] each, as shares of the width."""
    y = _grid()[1][:, 0]
    down = np.clip((y - HORIZON + 0.02) / (1 - HORIZON), 0, 1)
    bend = rng.choice([-1.0, 1.0])
    middle = 0.5 + bend * 0.2 * np.sin(2.4 * np.pi * down + 0.4) * (1 - 0.35 * down)
    return middle.astype(np.float32), (0.035 + 0.2 * down**1.1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Ground:
    """The washed sheet (FINE × FINE, RGB) and the lines to be drawn in ink upon it, shape [FINE] each.

    ``river`` is the middle and half width of the river at each height, or None.
    """

    sheet: Image.Image
    ridges: list[Wash]
    river: tuple[Wash, Wash] | None = None

    def in_river(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether a point of the sheet, in units, lies in the river or within ``margin`` of it."""
        if self.river is None:
            return False
        row = min(FINE - 1, max(0, int(y / SHEET * FINE)))
        middle, half = self.river[0][row], self.river[1][row]
        return abs(x / SHEET - float(middle)) < float(half) + margin / SHEET


def mix_washes(scene: Scene, rng: np.random.Generator) -> Ground:
    """The washed ground of a scene."""
    x, y = _grid()
    top, low = (_colour(value) for value in _SKIES[scene.weather])
    fall = np.clip(y / HORIZON, 0, 1)[..., None]
    sheet = np.broadcast_to(top * (1 - fall) + low * fall, (FINE, FINE, 3)).astype(np.float32)
    hills, land, water = (
        _colour(_HILLS[scene.season]),
        _colour(LAND[scene.season]),
        _colour(WATER[scene.season]),
    )
    faint = 0.55 if scene.weather == "mist" else 1.0
    ridges: list[Wash] = []
    river = None
    plan: tuple[tuple[float, float, float, float], ...]
    if scene.ground == "mountain":
        plan = ((0.46, 0.38, 2.0, 0.45), (0.52, 0.36, 1.5, 0.7), (0.58, 0.24, 2.6, 0.9))
    elif scene.ground == "garden":
        plan = ((0.40, 0.13, 1.2, 0.4),)
    else:
        plan = ((0.42, 0.17, 1.1, 0.4), (HORIZON + 0.01, 0.09, 1.8, 0.7))
    for base, height, rough, strength in plan:
        line = ridge(rng, base, height * rng.uniform(0.85, 1.1), rough)
        _hills(sheet, line, base + 0.03, hills, strength * faint)
        ridges.append(line)
    below = np.clip((y - HORIZON) * FINE * 0.5, 0, 1)
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    ones = np.ones_like(x)
    if scene.ground == "lake":
        _lay(sheet, water, below * (0.45 + 0.5 * depth) * ones)
    elif scene.ground == "river":
        _lay(sheet, land, below * 0.9 * ones)
        river = middle, half = river_course(rng)
        inside = np.clip((half[:, None] - np.abs(x - middle[:, None])) * FINE * 0.7, 0, 1)
        _lay(sheet, water * 0.93, inside * (y > HORIZON - 0.015))
    else:
        _lay(sheet, land, below * (0.75 if scene.ground == "mountain" else 0.85) * ones)
    if scene.ground == "mountain":
        for base in (0.66, 0.8, 0.93):
            line = ridge(rng, base, 0.08, 0.9)
            _hills(sheet, line, base + 0.1, hills * 0.55 + land * 0.45, 0.5)
            ridges.append(line)
    grain = rng.normal(0, 2.2, (FINE, FINE, 1)).astype(np.float32)
    return Ground(Image.fromarray(np.clip(sheet + grain, 0, 255).astype(np.uint8)), ridges, river)


def mist_mask(rng: np.random.Generator) -> Image.Image:
    """Bands of mist as an L mask, FINE × FINE."""
    x, y = _grid()
    mask = np.zeros((FINE, FINE), dtype=np.float32)
    for height in (0.36, 0.5, 0.66):
        middle = (
            height + rng.uniform(-0.03, 0.03) + 0.025 * np.sin(2 * np.pi * (x * rng.uniform(0.6, 1.3) + rng.random()))
        )
        mask = np.maximum(mask, np.exp(-(((y - middle) / rng.uniform(0.035, 0.055)) ** 2)))
    return Image.fromarray((mask * 188).astype(np.uint8))


def glow_mask(x0: float, y0: float, radius: float) -> Image.Image:
    """The light around a moon or a sun as an L mask, FINE × FINE; arguments are shares of the sheet."""
    x, y = _grid()
    far = np.sqrt((x - x0) ** 2 + (y - y0) ** 2) / radius
    return Image.fromarray((np.clip(1 - far, 0, 1) ** 2 * 150).astype(np.uint8))


@lru_cache(maxsize=8)
def silk(width: int, height: int) -> Image.Image:
    """The weave and the darkened rim of old silk, to be multiplied with a painting of that size; the same each time."""
    rng = np.random.default_rng(1127)
    weave = rng.normal(0, 2.4, (height, width)) + rng.normal(0, 1.5, (height, 1)) + rng.normal(0, 1.5, (1, width))
    x = np.linspace(-1, 1, width)[None, :]
    y = np.linspace(-1, 1, height)[:, None]
    rim = 26 * np.clip(np.maximum(np.abs(x), np.abs(y)) - 0.72, 0, 1) ** 1.5
    light = np.clip(250 - rim + weave, 0, 255)[..., None]
    tone = np.asarray([1.0, 0.985, 0.945])
    return Image.fromarray((light * tone).astype(np.uint8))
