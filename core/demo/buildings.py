"""The ten kinds of places and crafts a scene can show, each a few strokes on a ground line.

Every painter takes the middle of the ground line and ``s``, the scale (1 = near); sizes are in :data:`EXTENT`.
"""

from collections.abc import Callable

from core.demo.brush import (
    CINNABAR,
    INK,
    OCHRE,
    PLASTER,
    SNOW,
    STONE,
    TILE,
    TIMBER,
    Brush,
    Colour,
    Point,
    curve,
    mix,
)

EXTENT: dict[str, tuple[float, float]] = {
    "palace": (150, 104),
    "bridge": (142, 50),
    "pagoda": (56, 158),
    "pavilion": (78, 88),
    "gate": (118, 112),
    "monastery": (150, 84),
    "boat": (118, 58),
    "tavern": (92, 118),
    "cottage": (92, 62),
    "waterwheel": (92, 86),
}
"""Width and height of each kind at scale 1, in sheet units."""

THATCH = (176, 144, 92)
GLAZE = (170, 136, 58)
DARK = (70, 60, 54)


def _roof(b: Brush, x: float, y: float, half: float, rise: float, colour: Colour, ridge: float = 0.5) -> None:
    """A hipped roof with lifted eaves: ``half`` its half width at the eaves, ``ridge`` the share of it on top."""
    lift = rise * 0.2
    top = half * ridge
    left = curve((x - half, y - lift), (x - top * 1.05, y - rise * 0.2), (x - top, y - rise), 5)
    right = curve((x + top, y - rise), (x + top * 1.05, y - rise * 0.2), (x + half, y - lift), 5)
    under = curve((x + half, y - lift), (x, y + lift * 0.9), (x - half, y - lift), 6)
    shape = [*left, *right, *under]
    body = mix(colour, SNOW, 0.86) if b.winter else colour
    b.fill(shape, body, INK, 1.0)
    if not b.winter:
        dark = mix(colour, INK, 0.35)
        for step in range(-3, 4):
            share = step / 4
            b.line([(x + top * share, y - rise * 0.95), (x + half * share * 0.96, y - lift * 0.25)], dark, 0.7)
    if ridge > 0.1:
        b.line(
            [(x - top * 1.1, y - rise - lift * 0.45), (x - top * 0.9, y - rise), (x + top * 0.9, y - rise)],
            INK,
            2.0,
        )
        b.line([(x + top * 0.9, y - rise), (x + top * 1.1, y - rise - lift * 0.45)], INK, 2.0)


def _columns(b: Brush, x0: float, x1: float, y0: float, y1: float, count: int, colour: Colour, width: float) -> None:
    for index in range(count):
        x = x0 + (x1 - x0) * index / (count - 1)
        b.line([(x, y0), (x, y1)], colour, width)


def palace(b: Brush, x: float, y: float, s: float) -> None:
    """A great hall: stone terrace, red columns, a double roof of yellow glaze."""
    b.fill(
        [(x - 74 * s, y), (x - 68 * s, y - 13 * s), (x + 68 * s, y - 13 * s), (x + 74 * s, y)],
        STONE,
        INK,
        0.9,
    )
    b.line([(x - 71 * s, y - 7 * s), (x + 71 * s, y - 7 * s)], mix(STONE, INK, 0.4), 0.7)
    b.fill(
        [(x - 13 * s, y), (x - 8 * s, y - 13 * s), (x + 8 * s, y - 13 * s), (x + 13 * s, y)],
        PLASTER,
        INK,
        0.7,
    )
    b.box(x - 56 * s, y - 43 * s, x + 56 * s, y - 13 * s, mix(CINNABAR, PLASTER, 0.15))
    b.box(x - 11 * s, y - 36 * s, x + 11 * s, y - 13 * s, DARK)
    _columns(b, x - 54 * s, x + 54 * s, y - 42 * s, y - 13 * s, 8, mix(CINNABAR, INK, 0.45), 2.6 * s)
    _roof(b, x, y - 40 * s, 74 * s, 24 * s, GLAZE, 0.62)
    b.box(x - 40 * s, y - 74 * s, x + 40 * s, y - 60 * s, mix(CINNABAR, INK, 0.1))
    _columns(b, x - 38 * s, x + 38 * s, y - 74 * s, y - 60 * s, 6, mix(CINNABAR, INK, 0.5), 1.8 * s)
    _roof(b, x, y - 71 * s, 56 * s, 27 * s, GLAZE, 0.58)


def bridge(b: Brush, x: float, y: float, s: float) -> None:
    """A stone bridge of one high arch with its reflection, balustrade and steps."""
    half, rise = 70 * s, 38 * s
    deck = curve((x - half, y - 3 * s), (x, y - 2 * rise - 4 * s), (x + half, y - 3 * s), 12)
    radius = 24 * s
    arch: list[Point] = []
    for index in range(13):
        t = 1 - 2 * index / 12
        arch.append((x + radius * t, y - radius * 1.12 * (1 - t * t) ** 0.5))
    stone = mix(STONE, SNOW, 0.3) if b.winter else STONE
    b.fill(
        [
            *deck,
            (x + half, y + 2 * s),
            (x + radius, y + 2 * s),
            *arch,
            (x - radius, y + 2 * s),
            (x - half, y + 2 * s),
        ],
        stone,
    )
    b.line([*arch], INK, 1.6 * s + 0.4)
    b.line(deck, INK, 1.2)
    rail = [(px, py - 7 * s) for px, py in deck]
    for (ax, ay), (bx, by) in zip(deck[1:-1], rail[1:-1], strict=True):
        b.line([(ax, ay), (bx, by)], INK, 1.3 * s)
    b.line(rail[1:-1], SNOW if b.winter else mix(STONE, INK, 0.55), 2.0 * s)
    for px, py in deck[2:-2:2]:
        side = 1 if px > x else -1
        b.line([(px, py + 6 * s), (px + side * 5 * s, py + 8 * s)], mix(STONE, INK, 0.45), 0.8)
        b.line([(px - side * 2 * s, py + 12 * s), (px + side * 7 * s, py + 13 * s)], mix(STONE, INK, 0.4), 0.8)
    b.fill([(x - radius, y + 3 * s), (x, y + 15 * s), (x + radius, y + 3 * s)], (70, 84, 88, 70))


def pagoda(b: Brush, x: float, y: float, s: float) -> None:
    """A brick pagoda of six storeys with a spire."""
    b.fill([(x - 28 * s, y), (x - 25 * s, y - 7 * s), (x + 25 * s, y - 7 * s), (x + 28 * s, y)], STONE, INK, 0.8)
    base, level = 20.0, y - 7 * s
    for storey in range(6):
        half = (base - storey * 2.1) * s
        height = (20 - storey * 0.9) * s
        b.box(x - half, level - height, x + half, level, mix(PLASTER, CINNABAR, 0.22), INK)
        b.box(x - 3.2 * s, level - height * 0.72, x + 3.2 * s, level - 1 * s, DARK)
        for side in (-1, 1):
            b.line([(x + side * half * 0.62, level - height), (x + side * half * 0.62, level)], CINNABAR, 1.6 * s)
        _roof(b, x, level - height + 2.5 * s, half + 9 * s, 9 * s, TILE, 0.62)
        level -= height + 3.2 * s
    b.fill([(x - 5 * s, level + 4 * s), (x, level - 5 * s), (x + 5 * s, level + 4 * s)], TILE, INK, 0.7)
    b.line([(x, level), (x, level - 20 * s)], INK, 1.8 * s)
    for ring in range(3):
        b.dot(x, level - (7 + 4.5 * ring) * s, (3.4 - 0.7 * ring) * s, OCHRE, 0.6)


def pavilion(b: Brush, x: float, y: float, s: float) -> None:
    """An open pavilion: four posts, a bench, a pointed roof."""
    b.fill([(x - 38 * s, y), (x - 34 * s, y - 8 * s), (x + 34 * s, y - 8 * s), (x + 38 * s, y)], STONE, INK, 0.9)
    _columns(b, x - 27 * s, x + 27 * s, y - 48 * s, y - 8 * s, 4, CINNABAR, 3.0 * s)
    b.line([(x - 27 * s, y - 16 * s), (x + 27 * s, y - 16 * s)], TIMBER, 2.4 * s)
    b.line([(x - 27 * s, y - 43 * s), (x + 27 * s, y - 43 * s)], TIMBER, 2.0 * s)
    eaves = y - 45 * s
    left = curve((x - 42 * s, eaves - 4 * s), (x - 12 * s, eaves - 8 * s), (x, eaves - 36 * s), 6)
    right = curve((x, eaves - 36 * s), (x + 12 * s, eaves - 8 * s), (x + 42 * s, eaves - 4 * s), 6)
    under = curve((x + 42 * s, eaves - 4 * s), (x, eaves + 7 * s), (x - 42 * s, eaves - 4 * s), 6)
    colour = (84, 118, 110)
    b.fill([*left, *right, *under], mix(colour, SNOW, 0.86) if b.winter else colour, INK, 1.1)
    for side in (-1, 1):
        b.line(
            curve((x, eaves - 35 * s), (x + side * 4 * s, eaves - 10 * s), (x + side * 14 * s, eaves + 1 * s), 5),
            INK,
            0.9,
        )
    b.dot(x, eaves - 39 * s, 3.4 * s, OCHRE)


def gate(b: Brush, x: float, y: float, s: float) -> None:
    """A city gate: a brick wall with an arched passage, a gate tower upon it."""
    brick = (158, 146, 132)
    top = y - 56 * s
    b.fill([(x - 59 * s, y), (x - 52 * s, top), (x + 52 * s, top), (x + 59 * s, y)], brick, INK, 1.1)
    for row in range(1, 6):
        level = y - row * 9.4 * s
        b.line([(x - 57 * s + row * s, level), (x + 57 * s - row * s, level)], mix(brick, INK, 0.3), 0.6)
    for index in range(9):
        left = x - 52 * s + index * 12 * s
        b.box(left, top - 7 * s, left + 7 * s, top, SNOW if b.winter else brick, INK)
    b.fill(
        [
            (x - 15 * s, y),
            (x - 15 * s, y - 24 * s),
            *curve((x - 15 * s, y - 24 * s), (x, y - 52 * s), (x + 15 * s, y - 24 * s), 8),
            (x + 15 * s, y),
        ],
        DARK,
        INK,
        1.0,
    )
    b.box(x - 34 * s, top - 28 * s, x + 34 * s, top - 5 * s, mix(CINNABAR, PLASTER, 0.25))
    _columns(b, x - 32 * s, x + 32 * s, top - 28 * s, top - 5 * s, 5, mix(CINNABAR, INK, 0.5), 2.0 * s)
    _roof(b, x, top - 25 * s, 50 * s, 27 * s, TILE, 0.58)


def monastery(b: Brush, x: float, y: float, s: float) -> None:
    """A temple behind its yellow wall: gate in the middle, the great hall rising over it."""
    yellow = (206, 164, 84)
    b.box(x - 40 * s, y - 54 * s, x + 40 * s, y - 20 * s, mix(yellow, PLASTER, 0.45))
    _columns(b, x - 38 * s, x + 38 * s, y - 54 * s, y - 20 * s, 6, TIMBER, 2.2 * s)
    _roof(b, x, y - 50 * s, 58 * s, 30 * s, mix(TILE, INK, 0.25), 0.55)
    for side in (-1, 1):
        x0, x1 = sorted((x + side * 16 * s, x + side * 74 * s))
        b.box(x0, y - 26 * s, x1, y, yellow, INK)
        b.line([(x0 - 1.5 * s, y - 27 * s), (x1 + 1.5 * s, y - 27 * s)], SNOW if b.winter else TILE, 4.2 * s)
        b.dot(x + side * 45 * s, y - 12 * s, 6.4 * s, INK)
        b.dot(x + side * 45 * s, y - 12 * s, 4.6 * s, PLASTER)
    b.box(x - 17 * s, y - 33 * s, x + 17 * s, y, yellow, INK)
    b.box(x - 8 * s, y - 22 * s, x + 8 * s, y, CINNABAR, INK)
    _roof(b, x, y - 31 * s, 26 * s, 13 * s, mix(TILE, INK, 0.25), 0.6)


def boat(b: Brush, x: float, y: float, s: float) -> None:
    """A painted pleasure boat with a railed cabin, a lifted stern and a pennant."""
    deck = curve((x - 58 * s, y - 20 * s), (x, y - 2 * s), (x + 60 * s, y - 24 * s), 8)
    keel = curve((x + 52 * s, y - 8 * s), (x, y + 11 * s), (x - 48 * s, y - 6 * s), 8)
    b.fill([*deck, *keel], (138, 62, 48), INK, 1.2)
    b.line([(px, py + 4 * s) for px, py in deck[1:-1]], OCHRE, 1.6 * s)
    b.box(x - 32 * s, y - 33 * s, x + 30 * s, y - 10 * s, PLASTER, INK)
    _columns(b, x - 31 * s, x + 29 * s, y - 33 * s, y - 10 * s, 6, MAST, 1.8 * s)
    b.line([(x - 32 * s, y - 17 * s), (x + 30 * s, y - 17 * s)], MAST, 1.3 * s)
    _roof(b, x - 1 * s, y - 31 * s, 42 * s, 15 * s, (70, 108, 116), 0.66)
    b.line([(x + 46 * s, y - 20 * s), (x + 46 * s, y - 58 * s)], INK, 1.5 * s)
    b.fill([(x + 46 * s, y - 58 * s), (x + 24 * s, y - 53 * s), (x + 46 * s, y - 47 * s)], CINNABAR)
    for shift in (-30, 4, 34):
        b.line(
            [(x + (shift - 14) * s, y + 11 * s), (x + (shift + 12) * s, y + 11.5 * s)],
            (250, 248, 240, 150),
            1.4 * s,
        )


MAST = (150, 66, 50)


def tavern(b: Brush, x: float, y: float, s: float) -> None:
    """A wine house of two storeys with balcony, lanterns and a tall wine banner."""
    x -= 8 * s
    b.box(x - 34 * s, y - 42 * s, x + 34 * s, y, PLASTER, INK)
    _columns(b, x - 33 * s, x + 33 * s, y - 40 * s, y, 5, TIMBER, 2.6 * s)
    b.box(x - 12 * s, y - 25 * s, x + 12 * s, y, DARK)
    _roof(b, x, y - 39 * s, 46 * s, 12 * s, TILE, 0.75)
    b.box(x - 29 * s, y - 82 * s, x + 29 * s, y - 50 * s, mix(PLASTER, OCHRE, 0.25), INK)
    for index in range(4):
        left = x - 25 * s + index * 13 * s
        b.box(left, y - 76 * s, left + 10 * s, y - 63 * s, mix(TIMBER, INK, 0.3))
    b.line([(x - 33 * s, y - 58 * s), (x + 33 * s, y - 58 * s)], CINNABAR, 2.2 * s)
    b.line([(x - 33 * s, y - 51 * s), (x + 33 * s, y - 51 * s)], CINNABAR, 2.2 * s)
    _roof(b, x, y - 79 * s, 44 * s, 26 * s, TILE, 0.55)
    for side in (-1, 1):
        b.dot(x + side * 39 * s, y - 30 * s, 5.4 * s, (196, 58, 40), 1.15)
    b.line([(x + 50 * s, y), (x + 50 * s, y - 112 * s)], INK, 1.8 * s)
    b.fill(
        [
            (x + 51 * s, y - 110 * s),
            (x + 51 * s, y - 70 * s),
            (x + 58 * s, y - 76 * s),
            (x + 65 * s, y - 70 * s),
            (x + 65 * s, y - 110 * s),
        ],
        (58, 96, 150),
    )
    b.line([(x + 58 * s, y - 103 * s), (x + 58 * s, y - 86 * s)], PLASTER, 3.4 * s)


def cottage(b: Brush, x: float, y: float, s: float) -> None:
    """A thatched cottage with a wattle fence."""
    b.box(x - 30 * s, y - 26 * s, x + 28 * s, y, (214, 196, 160), INK)
    b.box(x - 5 * s, y - 20 * s, x + 8 * s, y, DARK)
    b.box(x + 14 * s, y - 19 * s, x + 23 * s, y - 10 * s, mix(TIMBER, INK, 0.4))
    thatch = mix(THATCH, SNOW, 0.84) if b.winter else THATCH
    roof = [
        (x - 42 * s, y - 19 * s),
        *curve((x - 42 * s, y - 21 * s), (x - 30 * s, y - 56 * s), (x - 8 * s, y - 56 * s), 6),
        *curve((x + 8 * s, y - 56 * s), (x + 30 * s, y - 56 * s), (x + 40 * s, y - 21 * s), 6),
        (x + 40 * s, y - 19 * s),
        (x, y - 23 * s),
    ]
    b.fill(roof, thatch, INK, 1.1)
    for step in range(-4, 5):
        b.line([(x + step * 4 * s, y - 53 * s), (x + step * 8.6 * s, y - 25 * s)], mix(thatch, INK, 0.3), 0.8)
    for index in range(7):
        px = x + (16 + index * 5) * s
        b.line([(px, y + 6 * s), (px + 1 * s, y - 8 * s)], TIMBER, 1.4 * s)
    b.line([(x + 14 * s, y - 3 * s), (x + 48 * s, y - 3 * s)], TIMBER, 1.2 * s)


def waterwheel(b: Brush, x: float, y: float, s: float) -> None:
    """A water wheel beside its mill shed."""
    b.box(x + 12 * s, y - 36 * s, x + 46 * s, y, (186, 160, 122), INK)
    b.box(x + 24 * s, y - 20 * s, x + 36 * s, y, DARK)
    roof = [
        (x + 6 * s, y - 33 * s),
        (x + 18 * s, y - 54 * s),
        (x + 40 * s, y - 54 * s),
        (x + 52 * s, y - 33 * s),
    ]
    b.fill(roof, mix(TIMBER, SNOW, 0.86) if b.winter else mix(TIMBER, TILE, 0.4), INK, 1.1)
    cx, cy, radius = x - 12 * s, y - 34 * s, 36 * s
    wood = (108, 76, 50)
    for index in range(12):
        spoke = _ROUND[index]
        b.line([(cx, cy), (cx + spoke[0] * radius, cy + spoke[1] * radius)], wood, 1.7 * s)
        b.dot(cx + spoke[0] * radius, cy + spoke[1] * radius, 4.0 * s, mix(wood, INK, 0.25))
    b.arc(cx, cy, radius, 0, 360, wood, 3.2 * s)
    b.arc(cx, cy, radius * 0.66, 0, 360, wood, 1.8 * s)
    b.dot(cx, cy, 5 * s, INK)
    b.fill(
        [
            (cx - 38 * s, y + 4 * s),
            (cx - 30 * s, y - 3 * s),
            (cx + 30 * s, y - 3 * s),
            (cx + 38 * s, y + 4 * s),
        ],
        (150, 176, 178, 190),
    )


_ROUND: tuple[Point, ...] = (
    (1.0, 0.0),
    (0.866, 0.5),
    (0.5, 0.866),
    (0.0, 1.0),
    (-0.5, 0.866),
    (-0.866, 0.5),
    (-1.0, 0.0),
    (-0.866, -0.5),
    (-0.5, -0.866),
    (0.0, -1.0),
    (0.5, -0.866),
    (0.866, -0.5),
)

PAINTERS: dict[str, Callable[[Brush, float, float, float], None]] = {
    "palace": palace,
    "bridge": bridge,
    "pagoda": pagoda,
    "pavilion": pavilion,
    "gate": gate,
    "monastery": monastery,
    "boat": boat,
    "tavern": tavern,
    "cottage": cottage,
    "waterwheel": waterwheel,
}
AFLOAT = frozenset({"bridge", "boat", "waterwheel"})
"""Kinds that stand in water wherever they are."""
