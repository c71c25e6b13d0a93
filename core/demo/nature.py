"""Trees, rocks, lotus and the guests of a scene."""

from math import cos, pi, sin

from core.demo.brush import (
    CINNABAR,
    INK,
    MALACHITE,
    OCHRE,
    PLASTER,
    SNOW,
    STONE,
    TIMBER,
    Brush,
    Colour,
    curve,
    mix,
)

BARK = (92, 72, 58)

_LEAVES: dict[str, tuple[Colour, ...]] = {
    "spring": ((232, 158, 160), (240, 186, 184), (220, 132, 140)),
    "summer": ((78, 116, 78), (98, 136, 88), (64, 100, 72)),
    "autumn": ((196, 78, 44), (212, 112, 48), (176, 60, 40)),
}


def tree(b: Brush, x: float, y: float, s: float, season: str) -> None:
    """A broad-leaved tree: blossom in spring, dense in summer, red in autumn, bare under snow in winter."""
    rng = b.rng
    lean = rng.uniform(-9, 9) * s
    crown = y - 46 * s
    b.stroke(curve((x, y), (x + lean * 0.1, y - 22 * s), (x + lean, crown), 5), BARK, 5.5 * s, 2.0 * s)
    tips = []
    for index in range(6):
        angle = pi * (0.08 + 0.84 * (index + rng.uniform(-0.25, 0.25)) / 5)
        reach = rng.uniform(20, 32) * s
        tip = (x + lean + cos(angle) * reach, crown + 6 * s - sin(angle) * reach * 0.85)
        tips.append(tip)
        b.stroke([(x + lean * 0.8, crown + rng.uniform(2, 14) * s), tip], BARK, 2.2 * s, 0.7 * s)
    if season == "winter":
        for tx, ty in tips:
            for _ in range(2):
                b.line([(tx, ty), (tx + rng.uniform(-9, 9) * s, ty - rng.uniform(2, 9) * s)], BARK, 0.9)
            b.dot(tx, ty - 1.5 * s, 4.2 * s, SNOW, 0.5)
        return
    colours = _LEAVES[season]
    tips.append((x + lean, crown - 8 * s))
    for tx, ty in tips:
        b.dot(tx, ty, 9.5 * s, mix(colours[2], INK, 0.2), 0.75)
    for tx, ty in tips:
        for _ in range(4):
            b.dot(
                tx + rng.uniform(-8, 8) * s,
                ty + rng.uniform(-8, 5) * s,
                rng.uniform(3.0, 5.6) * s,
                rng.choice(colours),
                0.8,
            )


def willow(b: Brush, x: float, y: float, s: float, season: str) -> None:
    """A willow by the water, its twigs hanging."""
    rng = b.rng
    colour: Colour = {
        "spring": (150, 178, 92),
        "summer": (92, 130, 74),
        "autumn": (190, 158, 78),
        "winter": (128, 112, 98),
    }[season]
    top = y - 54 * s
    b.stroke(curve((x, y), (x + 6 * s, y - 26 * s), (x - 2 * s, top), 5), BARK, 5.5 * s, 2.4 * s)
    for index in range(15):
        reach = (index - 7) * 4.4 * s
        drop = (46 - abs(index - 7) * 2.2 + rng.uniform(-7, 4)) * s
        strand = curve((x - 2 * s, top + 2 * s), (x + reach * 0.9, top - 13 * s), (x + reach * 1.1, top + drop), 6)
        b.line(strand, mix(colour, INK, rng.uniform(0, 0.25)), 1.5)


def pine(b: Brush, x: float, y: float, s: float, lean: float = 0.0) -> None:
    """An old pine in flat clouds of needles, with snow upon them in winter."""
    rng = b.rng
    trunk = curve((x, y), (x - lean * 0.35, y - 46 * s), (x + lean, y - 88 * s), 10)
    b.stroke(trunk, (104, 78, 62), 8 * s, 2.4 * s)
    dark, light = (58, 84, 70), (86, 116, 90)
    for index, share in enumerate((0.45, 0.6, 0.74, 0.87, 1.0)):
        tx, ty = trunk[round(share * 10)]
        way = (-1) ** index if share < 1 else 0
        reach = (30 - 14 * share) * s * rng.uniform(0.9, 1.15)
        cx = tx + way * reach * 0.85
        b.stroke([(tx, ty + 5 * s), (cx, ty + 1 * s)], (104, 78, 62), 2.6 * s, 1.2 * s)
        for shift, lift in ((-0.75, 1), (0.7, 2), (-0.25, -3), (0.3, -4)):
            b.dot(cx + shift * reach, ty + lift * s, reach * rng.uniform(0.42, 0.55), dark, 0.46)
        for step in range(-5, 6):
            px = cx + step * reach * 0.2
            top = ty - (9.5 - abs(step) * 0.9) * s
            b.line([(px, ty + 1 * s), (px + step * 0.5 * s, top)], light, 1.0)
        if b.winter:
            for shift in (-0.5, 0.0, 0.5):
                b.dot(cx + shift * reach, ty - 6 * s, reach * 0.4, SNOW, 0.28)


def bamboo(b: Brush, x: float, y: float, s: float) -> None:
    """A clump of bamboo."""
    rng = b.rng
    green = (112, 142, 96)
    for index in range(6):
        px = x + (index - 2.5) * 6 * s
        tip = (px + rng.uniform(-8, 8) * s, y - rng.uniform(58, 84) * s)
        b.line([(px, y), tip], green, 2.0 * s)
        for _ in range(6):
            share = rng.uniform(0.35, 1.0)
            lx, ly = px + (tip[0] - px) * share, y + (tip[1] - y) * share
            dx = rng.choice((-1, 1)) * rng.uniform(7, 13) * s
            b.stroke(
                [(lx, ly), (lx + dx * 0.5, ly + 1 * s), (lx + dx, ly + 5 * s)],
                mix(green, INK, 0.25),
                2.6 * s,
                0.5,
            )


def rock(b: Brush, x: float, y: float, s: float) -> None:
    """A garden rock with the holes a scholar looks for."""
    rng = b.rng
    shape = [
        (x + dx * s + rng.uniform(-3, 3) * s, y - dy * s)
        for dx, dy in (
            (-24, 0),
            (-20, 26),
            (-27, 46),
            (-9, 66),
            (3, 54),
            (15, 62),
            (20, 36),
            (14, 24),
            (25, 0),
        )
    ]
    body = mix((164, 164, 158), SNOW, 0.55 if b.winter else 0.0)
    b.fill(shape, body, INK, 1.1)
    for dx, dy, radius in ((-12, 40, 5.2), (8, 44, 4.4), (-3, 20, 6.0), (12, 14, 3.6)):
        b.dot(x + dx * s, y - dy * s, radius * s, (92, 92, 90), 1.3)


def lotus(b: Brush, x: float, y: float, s: float) -> None:
    """A bed of lotus leaves and flowers."""
    rng = b.rng
    for _ in range(9):
        px, py = x + rng.uniform(-34, 34) * s, y + rng.uniform(-8, 8) * s
        b.dot(px, py, rng.uniform(6, 9) * s, mix(MALACHITE, INK, rng.uniform(0, 0.2)), 0.42)
    for _ in range(4):
        px, py = x + rng.uniform(-28, 28) * s, y - rng.uniform(2, 12) * s
        b.dot(px, py, 3.4 * s, (232, 140, 152), 1.15)


def geese(b: Brush, x: float, y: float) -> None:
    """A skein of wild geese."""
    for index in range(9):
        step = (index + 1) // 2
        px = x + step * 13 * (1 if index % 2 else -1) * 0.95
        py = y + step * 8
        b.stroke([(px, py + 1), (px - 5, py - 4), (px - 9, py - 2)], INK, 3.0, 0.8)
        b.stroke([(px, py + 1), (px + 5, py - 4), (px + 9, py - 2)], INK, 3.0, 0.8)


def cranes(b: Brush, x: float, y: float) -> None:
    """Two white cranes in flight."""
    for dx, dy, s in ((0.0, 0.0, 1.0), (50.0, 22.0, 0.85)):
        px, py = x + dx, y + dy
        for wing, rise in ((-1, -24), (1, -20)):
            tip = (px + wing * 25 * s, py + rise * s)
            b.fill(
                [(px - 6 * s, py), tip, (px + wing * 16 * s, py - 3 * s), (px + 6 * s, py + 2 * s)],
                SNOW,
                INK,
                0.8,
            )
            b.line([tip, (px + wing * 16 * s, py - 3 * s)], INK, 3.0 * s)
        b.fill(
            [
                (px - 16 * s, py + 3 * s),
                (px - 2 * s, py - 4 * s),
                (px + 12 * s, py - 2 * s),
                (px, py + 6 * s),
            ],
            SNOW,
            INK,
            0.8,
        )
        b.line(
            curve((px + 10 * s, py - 1 * s), (px + 20 * s, py - 3 * s), (px + 28 * s, py - 9 * s), 4),
            SNOW,
            2.8 * s,
        )
        b.line([(px + 28 * s, py - 9 * s), (px + 36 * s, py - 10 * s)], INK, 1.4 * s)
        b.dot(px + 28 * s, py - 11 * s, 2.8 * s, CINNABAR)
        b.line([(px - 14 * s, py + 3 * s), (px - 32 * s, py + 9 * s)], INK, 1.6 * s)


def ox(b: Brush, x: float, y: float) -> None:
    """A water buffalo with the herd boy on its back."""
    hide = (96, 82, 72)
    for dx in (-18, -10, 10, 18):
        b.line([(x + dx, y - 12), (x + dx, y)], hide, 4.5)
    b.fill(
        [(x - 24, y - 12), *curve((x - 25, y - 24), (x, y - 36), (x + 24, y - 24), 6), (x + 24, y - 11)],
        hide,
        INK,
        0.9,
    )
    b.fill([(x + 20, y - 27), (x + 37, y - 25), (x + 36, y - 13), (x + 22, y - 14)], hide, INK, 0.9)
    b.stroke(curve((x + 27, y - 26), (x + 22, y - 38), (x + 35, y - 40), 4), INK, 3.0, 1.0)
    b.fill([(x - 8, y - 28), (x - 6, y - 46), (x + 5, y - 46), (x + 9, y - 28)], (74, 112, 140), INK, 0.8)
    b.dot(x, y - 51, 5.5, (226, 190, 158))
    b.fill([(x - 12, y - 52), (x, y - 62), (x + 12, y - 52)], OCHRE, INK, 0.8)


def fisher(b: Brush, x: float, y: float) -> None:
    """An old fisher in a skiff, rod in hand."""
    b.fill(
        [
            *curve((x - 38, y - 12), (x, y + 1), (x + 38, y - 12), 6),
            *curve((x + 28, y), (x, y + 9), (x - 28, y), 6),
        ],
        TIMBER,
        INK,
        1.0,
    )
    b.fill([(x - 11, y - 6), (x - 6, y - 25), (x + 6, y - 25), (x + 10, y - 6)], (128, 124, 104), INK, 0.8)
    b.dot(x, y - 28, 4.6, (222, 188, 156))
    b.fill([(x - 14, y - 29), (x, y - 40), (x + 14, y - 29)], OCHRE, INK, 0.9)
    b.line([(x + 6, y - 18), (x + 46, y - 40)], INK, 1.3)
    b.line([(x + 46, y - 40), (x + 47, y - 1)], PLASTER, 0.8)
    b.line([(x - 44, y + 9), (x + 44, y + 9)], (250, 250, 244, 150), 1.6)


def deer(b: Brush, x: float, y: float) -> None:
    """A pair of spotted deer."""
    for dx, dy, way in ((-17.0, 0.0, -1), (18.0, -5.0, 1)):
        px, py = x + dx, y + dy
        hide = (184, 122, 74)
        for step in (-9, -5, 6, 10):
            b.line([(px + step, py - 14), (px + step, py)], hide, 2.2)
        b.dot(px, py - 18, 13, hide, 0.5)
        b.stroke([(px + way * 9, py - 20), (px + way * 16, py - 35)], hide, 6.0, 4.0)
        b.dot(px + way * 18, py - 36, 5.0, hide, 0.7)
        for tilt in (-4, 5):
            b.line([(px + way * 15, py - 39), (px + way * 15 + tilt, py - 52)], INK, 1.4)
            b.line([(px + way * 15 + tilt * 0.6, py - 46), (px + way * 15 + tilt * 2, py - 49)], INK, 1.1)
        for spot in (-6, 0, 6):
            b.dot(px + spot, py - 20, 1.4, SNOW)


GUEST_PAINTERS = {"geese": geese, "cranes": cranes, "ox": ox, "fisher": fisher, "deer": deer}
IN_THE_SKY = frozenset({"geese", "cranes"})


def wall(b: Brush, y: float) -> None:
    """The white wall of a garden across the sheet, with tiles and a moon gate."""
    b.box(-2, y - 40, 450, y, (244, 240, 228), INK)
    tiles = SNOW if b.winter else (96, 100, 104)
    b.line([(-2, y - 42), (450, y - 42)], INK, 7.0)
    b.line([(-2, y - 43), (450, y - 43)], tiles, 5.0)
    for index in range(8):
        left = 24 + index * 56
        b.box(left, y - 27, left + 13, y - 14, (206, 200, 186), PALE)
    for index in range(16):
        b.line([(14 + index * 28, y), (4 + index * 30, y + 7)], (*STONE, 120), 1.0)


PALE = (150, 142, 128)
