"""Paints a scene in the manner of a Song album leaf: washes, ink, muted colours on silk. Pure Pillow and numpy."""

import io
import json
import random

import numpy as np
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from core.demo import nature
from core.demo.brush import INK, PALE_INK, SHEET, SNOW, Brush, curve, mix
from core.demo.buildings import AFLOAT, EXTENT, PAINTERS
from core.demo.scenes import Scene
from core.demo.washes import FINE, HORIZON, LAND, WATER, Ground, glow_mask, mist_mask, mix_washes, silk

GENERATED_MARK = "songclip demo: generated picture of an imagined scene, not a source"
"""Written into the comment of every picture's file; nothing is written into its pixels."""

JPEG_QUALITY = 86
_COLUMNS = ("left", "middle", "right")
_MIDDLES = (78.0, 224.0, 370.0)
_ROWS = {"near": (402.0, 148.0, 152.0), "far": (256.0, 130.0, 124.0)}
"""Ground line, width and height of a field."""
Placed = tuple[str, float, float, float]
"""Kind, middle and ground line in sheet units, scale."""


def paint(scene: Scene, size: tuple[int, int] = (448, 448)) -> Image.Image:
    """The painting of a scene, RGB of ``size``; the same scene gives the same pixels, its mark is in ``info``."""
    rng = random.Random(f"songclip painting {scene.said()} {scene.seed}")
    washes_rng = np.random.default_rng(rng.randrange(2**32))
    ground = mix_washes(scene, washes_rng)
    side = max(size) * 2
    canvas = ground.sheet.resize((side, side), Image.Resampling.BILINEAR)
    brush = Brush(canvas, rng, winter=scene.season == "winter")
    _contours(brush, scene, ground)
    placed = arrange(scene)
    _banks(brush, scene, placed)
    _planting(brush, scene, placed, ground)
    guest_x = _guest(brush, scene, placed)
    picture = canvas.resize(size, Image.Resampling.BOX)
    picture = _weather(picture, scene, rng, washes_rng, guest_x)
    picture = ImageChops.multiply(picture, silk(*size))
    picture.info["comment"] = GENERATED_MARK
    return picture


def paint_jpeg(scene: Scene, size: tuple[int, int] = (448, 448)) -> bytes:
    """The painting as JPEG bytes, :data:`GENERATED_MARK` in the file's comment."""
    buffer = io.BytesIO()
    paint(scene, size).save(buffer, "JPEG", quality=JPEG_QUALITY, comment=GENERATED_MARK)
    return buffer.getvalue()


def paint_png(scene: Scene, size: tuple[int, int] = (448, 448)) -> bytes:
    """The painting as PNG bytes; the mark and the scene's content stand in text chunks."""
    info = PngInfo()
    info.add_text("Comment", GENERATED_MARK)
    info.add_text("songclip-scene", json.dumps(scene.said()))
    buffer = io.BytesIO()
    paint(scene, size).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def arrange(scene: Scene) -> list[Placed]:
    """Where everything stands: the main feature ``count`` times, then the second one, in sheet units.

    The sheet is a chequer of three columns and two rows; each feature fills one field of it.
    """
    column, row = _COLUMNS.index(scene.side), scene.depth
    way = {"east_of": 1, "west_of": -1}.get(scene.relation, 0)
    other_row = row if way else {"near": "far", "far": "near"}[row]
    rng = random.Random(f"songclip placing {scene.seed}")
    placed = _field(scene.second, 1, column + way, other_row, rng) + _field(scene.kind, scene.count, column, row, rng)
    return sorted(placed, key=lambda item: item[2])


def _field(kind: str, count: int, column: int, row: str, rng: random.Random) -> list[Placed]:
    """``count`` of a kind in one field: one alone fills it, two stand side by side, three as a triangle."""
    level, field_width, field_height = _ROWS[row]
    middle = _MIDDLES[column] + rng.uniform(-5, 5)
    level += rng.uniform(-4, 4)
    width, height = EXTENT[kind]
    if count == 1:
        scale = min(field_width / width, field_height / height)
        return [(kind, middle, level, scale)]
    scale = min(field_width * 0.62 / width, field_height * 0.62 / height)
    reach = min(width * scale * 0.52, field_width * 0.5)
    pair = [(kind, middle - reach, level - 3, scale), (kind, middle + reach, level + 2, scale)]
    return pair if count == 2 else [*pair, (kind, middle, level - height * scale * 0.72, scale)]


def _contours(b: Brush, scene: Scene, ground: Ground) -> None:
    """Ink along the ridges, texture strokes on the slopes, ripples on the water."""
    rng = b.rng
    faint = 60 if scene.weather == "mist" else 130
    unit = SHEET / FINE
    for line in ground.ridges:
        points = [((index + 0.5) * unit, float(line[index]) * SHEET) for index in range(0, FINE, 3)]
        b.line(points, (*PALE_INK, faint), 1.0)
        if scene.ground == "mountain":
            for x, y in points[::2]:
                length = rng.uniform(8, 26)
                b.line([(x, y + 3), (x + rng.uniform(-7, 7), y + length)], (*PALE_INK, faint // 2), 1.0)
    if scene.ground in ("lake", "river"):
        for _ in range(34 if scene.ground == "lake" else 26):
            share = rng.random()
            y = (HORIZON + 0.03 + (0.96 - HORIZON - 0.03) * share) * SHEET
            x = rng.uniform(0, SHEET)
            length = 10 + 34 * share
            b.line(
                [(x - length, y), (x, y - 1.2), (x + length, y)],
                (*mix(WATER[scene.season], INK, 0.35), 120),
                1.0,
            )
    if ground.river is not None:
        middle, half = ground.river
        for way in (-1, 1):
            bank = [
                (float(middle[row] + way * half[row]) * SHEET, (row + 0.5) * unit)
                for row in range(round(HORIZON * FINE), FINE, 2)
            ]
            b.line(bank, (*PALE_INK, 190), 1.3)
    if scene.ground != "lake":
        _grass(b, scene, ground)
    if scene.ground == "garden":
        nature.wall(b, HORIZON * SHEET + 12)


def _grass(b: Brush, scene: Scene, ground: Ground) -> None:
    """Tufts and moss dots that keep open land from lying empty."""
    rng = b.rng
    colour = mix(LAND[scene.season], INK, 0.34 if scene.season != "winter" else 0.22)
    for _ in range(64):
        x, y = rng.uniform(0, SHEET), rng.uniform(HORIZON * SHEET + 16, SHEET)
        scale = 0.5 + (y - HORIZON * SHEET) / 300
        if ground.in_river(x, y, 6):
            continue
        if rng.random() < 0.5:
            for lean in (-3, 0, 3):
                b.line([(x, y), (x + lean * scale, y - rng.uniform(4, 7) * scale)], colour, 1.0)
        else:
            for step in range(3):
                b.dot(x + step * 5 * scale, y + rng.uniform(-2, 2), 1.3 * scale, colour, 0.7)


def _banks(b: Brush, scene: Scene, placed: list[Placed]) -> None:
    """Land under what stands in the water, water under what floats on land."""
    land, water = LAND[scene.season], WATER[scene.season]
    for kind, x, y, scale in placed:
        half = EXTENT[kind][0] * scale * 0.5
        if kind in AFLOAT and scene.ground != "lake":
            b.dot(x, y + 3 * scale, half * 1.18 + 6, mix(land, INK, 0.3), 0.2)
            b.dot(x, y + 3 * scale, half * 1.16 + 5, water, 0.19)
            for shift in (-0.5, 0.1, 0.6):
                b.line(
                    [(x + half * shift - 8, y + 7 * scale), (x + half * shift + 10, y + 7 * scale)],
                    (*INK, 60),
                    1.0,
                )
        elif kind not in AFLOAT and scene.ground == "lake":
            b.dot(x, y + 3 * scale, half * 1.22 + 7, mix(land, INK, 0.38), 0.19)
            b.dot(x, y, half * 1.22 + 7, land, 0.18)
        elif kind not in AFLOAT:
            b.dot(x, y + 1, half * 1.15 + 4, (*mix(land, INK, 0.2), 110), 0.15)


def _planting(b: Brush, scene: Scene, placed: list[Placed], ground: Ground) -> None:
    """The buildings from far to near, and trees where they leave room."""
    rng = b.rng
    spots: list[Placed] = []
    for _ in range(40):
        y = rng.uniform(216, 400)
        scale = 0.42 + 0.7 * (y - 216) / 200
        x = rng.uniform(14, SHEET - 14)
        clear = all(
            abs(x - px) > EXTENT[kind][0] * s * 0.5 + 24 * scale or y < py - EXTENT[kind][1] * s * 0.9
            for kind, px, py, s in placed
        ) and all(abs(x - px) > 34 * scale for _, px, _, _ in spots)
        if clear and not ground.in_river(x, y, 12 * scale):
            spots.append(("tree", x, y, scale))
        if len(spots) == (8 if scene.ground != "lake" else 4):
            break
    for name, x, y, scale in sorted([*placed, *spots], key=lambda item: item[2]):
        if name != "tree":
            PAINTERS[name](b, x, y, scale)
            continue
        if scene.ground == "lake":
            b.dot(x, y + 2 * scale, 30 * scale, mix(LAND[scene.season], INK, 0.35), 0.22)
            b.dot(x, y, 30 * scale, LAND[scene.season], 0.2)
        _plant(b, scene, x, y, scale)
    if scene.season == "summer" and scene.ground in ("lake", "river"):
        x = 70.0 if scene.side != "left" else 378.0
        nature.lotus(b, x, 408, 1.0)
        nature.lotus(b, x + (30 if x < 200 else -30), 384, 0.8)
    _corner(b, scene)


def _plant(b: Brush, scene: Scene, x: float, y: float, scale: float) -> None:
    choice = b.rng.random()
    if scene.ground == "garden" and choice < 0.25:
        nature.rock(b, x, y, scale * 0.9)
    elif scene.ground == "garden" and choice < 0.45:
        nature.bamboo(b, x, y, scale)
    elif scene.ground == "mountain" and choice < 0.45:
        nature.pine(b, x, y, scale * 0.8)
    elif scene.ground in ("lake", "river") and choice < 0.4:
        nature.willow(b, x, y, scale, scene.season)
    else:
        nature.tree(b, x, y, scale, scene.season)


def _corner(b: Brush, scene: Scene) -> None:
    """A dark foreground in the corner away from the buildings, as the Southern Song academy liked it."""
    rng = b.rng
    right = scene.side == "left" or (scene.side == "middle" and scene.relation == "west_of")
    edge, way = (SHEET, -1) if right else (0.0, 1)
    land = mix(LAND[scene.season], INK, 0.28)
    rise, reach = rng.uniform(38, 56), rng.uniform(80, 116)
    slope = curve(
        (edge, SHEET - rise),
        (edge + way * reach * 0.55, SHEET - rise * 0.95),
        (edge + way * reach, SHEET + 2),
        8,
    )
    b.fill([(edge, SHEET + 2), *slope], mix(land, SNOW, 0.6) if b.winter else land)
    b.line(slope, PALE_INK, 1.4)
    for step in range(9):
        x = edge + way * reach * (0.08 + 0.09 * step)
        b.line([(x, SHEET - 2), (x + way * 5, SHEET - 8 - rise * 0.3 * rng.random())], (*INK, 90), 1.2)
    x, y = edge + way * rng.uniform(16, 34), SHEET - rise * 0.8
    if rng.random() < 0.6:
        nature.pine(b, x, y, rng.uniform(1.05, 1.35), lean=way * rng.uniform(-12, 44))
    else:
        nature.tree(b, x, y, rng.uniform(1.4, 1.75), scene.season)


def _guest(b: Brush, scene: Scene, placed: list[Placed]) -> float:
    """Paints the guest where there is room; returns where it flies, or the middle when the sky is empty."""
    if scene.guest == "none":
        return SHEET / 2
    if scene.guest in nature.IN_THE_SKY:
        crowded = [x for _, x, y, s in placed if y - 150 * s < 120]
        spots = sorted((100.0, 200.0, 310.0), key=lambda x: -min([abs(x - px) for px in crowded], default=0.0))
        x = spots[0] if crowded else b.rng.choice(spots)
        nature.GUEST_PAINTERS[scene.guest](b, x, b.rng.uniform(40, 58))
        return x
    candidates = (130.0, 224.0, 318.0)
    front = [(x, EXTENT[kind][0] * s / 2) for kind, x, y, s in placed if y > 330]
    x = max(candidates, key=lambda c: min([abs(c - px) - half for px, half in front], default=0.0))
    nature.GUEST_PAINTERS[scene.guest](b, x, 428)
    return SHEET / 2


def _weather(
    picture: Image.Image, scene: Scene, rng: random.Random, wash: np.random.Generator, guest_x: float
) -> Image.Image:
    """The hour and the weather, laid over the finished painting; moon and sun keep clear of the birds."""
    orb_x = rng.uniform(0.68, 0.9) if guest_x < SHEET / 2 else rng.uniform(0.1, 0.32)
    if scene.weather == "mist":
        mask = mist_mask(wash).resize(picture.size, Image.Resampling.BILINEAR)
        picture.paste((246, 243, 234), (0, 0), mask)
    elif scene.weather == "rain":
        _rain(picture, rng, snow=scene.season == "winter")
    elif scene.weather == "moon":
        picture = ImageChops.multiply(picture, Image.new("RGB", picture.size, (138, 150, 182)))
        _orb(picture, rng, orb_x, (250, 246, 220), (236, 232, 206), 0.045)
    elif scene.weather == "dusk":
        picture = ImageChops.multiply(picture, Image.new("RGB", picture.size, (255, 232, 210)))
        _orb(picture, rng, orb_x, (206, 84, 56), (250, 206, 150), 0.05)
    return picture


def _orb(
    picture: Image.Image,
    rng: random.Random,
    x: float,
    colour: tuple[int, int, int],
    light: tuple[int, int, int],
    radius: float,
) -> None:
    y = rng.uniform(0.09, 0.15)
    picture.paste(light, (0, 0), glow_mask(x, y, radius * 4).resize(picture.size, Image.Resampling.BILINEAR))
    big = Image.new("RGB", (96, 96))
    Brush(big, rng).dot(224, 224, 222, (255, 255, 255))
    across = max(4, round(2 * radius * picture.width))
    mask = big.convert("L").resize((across, across), Image.Resampling.LANCZOS)
    corner = (round(x * picture.width - across / 2), round(y * picture.height - across / 2))
    picture.paste(colour, (corner[0], corner[1], corner[0] + across, corner[1] + across), mask)


def _rain(picture: Image.Image, rng: random.Random, snow: bool) -> None:
    veil = Brush(picture, rng)
    veil.box(0, 0, SHEET, SHEET, (150, 156, 164, 42 if not snow else 60))
    if snow:
        for _ in range(230):
            veil.dot(rng.uniform(0, SHEET), rng.uniform(0, SHEET), rng.uniform(1.4, 3.2), (255, 255, 255, 235))
        return
    for _ in range(120):
        x, y, length = rng.uniform(0, SHEET + 40), rng.uniform(-20, SHEET), rng.uniform(24, 52)
        veil.line([(x, y), (x - length * 0.32, y + length)], (238, 242, 246, 150), 1.2)
        veil.line([(x + 2, y), (x + 2 - length * 0.32, y + length)], (70, 78, 90, 60), 1.0)
