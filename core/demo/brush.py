"""Brush, ink and colours: the few strokes everything in a painting is made of.

Coordinates are units of a sheet of 448 × 448, y downwards; the canvas is painted larger and reduced at the end,
because Pillow's strokes have no soft edges of their own.
"""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

SHEET = 448.0
"""Side of the sheet in units."""

Point = tuple[float, float]
Colour = tuple[int, int, int] | tuple[int, int, int, int]

INK = (52, 46, 42)
PALE_INK = (112, 104, 94)
PLASTER = (238, 228, 206)
STONE = (196, 188, 172)
TIMBER = (122, 84, 58)
CINNABAR = (164, 62, 46)
TILE = (92, 98, 102)
OCHRE = (190, 148, 74)
MALACHITE = (104, 134, 104)
SNOW = (248, 247, 242)


def mix(first: Colour, second: Colour, share: float) -> tuple[int, int, int]:
    """The colour ``share`` of the way from the first to the second (0 to 1)."""
    return (
        round(first[0] + (second[0] - first[0]) * share),
        round(first[1] + (second[1] - first[1]) * share),
        round(first[2] + (second[2] - first[2]) * share),
    )


class Brush:
    """Draws on an RGB image in sheet units; colours with a fourth number are laid over what is there."""

    def __init__(self, image: Image.Image, rng: random.Random, winter: bool = False) -> None:
        self.draw = ImageDraw.Draw(image, "RGBA")
        self.unit = image.width / SHEET
        self.rng = rng
        self.winter = winter

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        unit = self.unit
        return [(x * unit, y * unit) for x, y in points]

    def fill(self, points: Sequence[Point], colour: Colour, outline: Colour | None = None, width: float = 1.0) -> None:
        """A filled shape, with an ink contour when ``outline`` is given."""
        scaled = self._scaled(points)
        self.draw.polygon(scaled, fill=colour)
        if outline is not None:
            self.draw.line([*scaled, scaled[0]], fill=outline, width=max(1, round(width * self.unit)), joint="curve")

    def line(self, points: Sequence[Point], colour: Colour = INK, width: float = 1.0) -> None:
        """A line of even width."""
        self.draw.line(self._scaled(points), fill=colour, width=max(1, round(width * self.unit)), joint="curve")

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, outline: Colour | None = None) -> None:
        """An upright rectangle."""
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, outline)

    def dot(self, x: float, y: float, radius: float, colour: Colour, flat: float = 1.0) -> None:
        """A round dab; ``flat`` below one presses it down."""
        unit = self.unit
        rx, ry = max(0.5, radius * unit), max(0.5, radius * flat * unit)
        self.draw.ellipse((x * unit - rx, y * unit - ry, x * unit + rx, y * unit + ry), fill=colour)

    def arc(self, x: float, y: float, radius: float, start: float, end: float, colour: Colour, width: float) -> None:
        """Part of a circle, angles in degrees clockwise from three o'clock."""
        unit = self.unit
        box = ((x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit)
        self.draw.arc(box, start, end, fill=colour, width=max(1, round(width * unit)))

    def stroke(self, points: Sequence[Point], colour: Colour, thick: float, thin: float) -> None:
        """A tapering stroke of the brush, ``thick`` at its start and ``thin`` at its end."""
        last = len(points) - 1
        left: list[Point] = []
        right: list[Point] = []
        for index, (x, y) in enumerate(points):
            ax, ay = points[max(0, index - 1)]
            bx, by = points[min(last, index + 1)]
            dx, dy = bx - ax, by - ay
            norm = (dx * dx + dy * dy) ** 0.5 or 1.0
            half = (thick + (thin - thick) * index / last) / 2
            left.append((x - dy / norm * half, y + dx / norm * half))
            right.append((x + dy / norm * half, y - dx / norm * half))
        self.draw.polygon(self._scaled(left + right[::-1]), fill=colour)


def curve(start: Point, control: Point, end: Point, steps: int = 8) -> list[Point]:
    """Points of a quadratic Bézier curve, both ends included."""
    points = []
    for index in range(steps + 1):
        t = index / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append((a * start[0] + b * control[0] + c * end[0], a * start[1] + b * control[1] + c * end[1]))
    return points
