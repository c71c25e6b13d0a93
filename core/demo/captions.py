"""Modern Chinese captions of a scene: what the mini model learns from, and what a scholar would write as 白话."""

import random

from core.demo.lexicon import (
    COUNTS,
    DEPTHS,
    GROUNDS,
    GUESTS,
    KINDS,
    RELATIONS,
    SEASONS,
    SIDES,
    WEATHERS,
    weather_key,
)
from core.demo.scenes import Scene

MAX_CAPTION = 50
"""Characters a caption may have; Chinese-CLIP reads no more."""
BUILDINGS_ONLY = 0.25
"""Share of captions that speak of the buildings alone. Season, land and weather are seen at a glance; a model that is
always told them learns little else."""


def modern_captions(scene: Scene, rng: random.Random, count: int = 1) -> list[str]:
    """``count`` captions of one scene in varied wording, each of at most 50 characters.

    Some speak of the buildings only, and now and then something small is left unsaid, as people do.
    """
    return [_caption(scene, rng) for _ in range(count)]


def full_caption(scene: Scene, rng: random.Random, unsaid: frozenset[str] = frozenset()) -> str:
    """One caption that leaves nothing unsaid but ``unsaid`` (among weather, guest, side, depth, season)."""
    for _ in range(20):
        caption = _compose(scene, rng, unsaid)
        if len(caption) <= MAX_CAPTION:
            return caption
    return _compose(scene, rng, unsaid | {"guest"})[:MAX_CAPTION]


def counted(kind: str, count: int, noun: str) -> str:
    """两座石桥: number, measure word and noun."""
    return f"{COUNTS[count].modern[0]}{KINDS[kind].measure}{noun}"


def _caption(scene: Scene, rng: random.Random) -> str:
    if rng.random() < BUILDINGS_ONLY:
        return _buildings(scene, rng)
    unsaid = {name for name in ("weather", "guest", "side", "depth", "season") if rng.random() < 0.1}
    return full_caption(scene, rng, frozenset(unsaid))


def _buildings(scene: Scene, rng: random.Random) -> str:
    """Only what was built, and where it stands."""
    main = counted(scene.kind, scene.count, rng.choice(KINDS[scene.kind].modern))
    second = rng.choice(KINDS[scene.second].modern)
    side, depth = rng.choice(SIDES[scene.side].modern), rng.choice(DEPTHS[scene.depth].modern)
    relation = rng.choice(RELATIONS[scene.relation].modern)
    return rng.choice(
        (
            f"{side}{depth}有{main}，{relation}是{second}",
            f"{main}在{depth}{side}，{relation}有{second}",
            f"{main}，{relation}有{second}",
        )
    )


def _compose(scene: Scene, rng: random.Random, unsaid: frozenset[str]) -> str:
    noun = rng.choice(KINDS[scene.kind].modern)
    second = rng.choice(KINDS[scene.second].modern)
    main = counted(scene.kind, scene.count, noun)
    other = counted(scene.second, 1, second) if rng.random() < 0.5 else second
    ground = rng.choice(GROUNDS[scene.ground].modern)
    relation = rng.choice(RELATIONS[scene.relation].modern)
    season = "" if "season" in unsaid else rng.choice(SEASONS[scene.season].modern)
    sky = WEATHERS[weather_key(scene.season, scene.weather)]
    weather = "" if "weather" in unsaid else rng.choice(sky.modern)
    side = "" if "side" in unsaid else rng.choice(SIDES[scene.side].modern)
    depth = "" if "depth" in unsaid else rng.choice(DEPTHS[scene.depth].modern)
    guest = "" if scene.guest == "none" or "guest" in unsaid else rng.choice(GUESTS[scene.guest].modern)
    time = rng.choice((season + weather, f"{season}，{weather}" if season and weather else season + weather))
    anchor = rng.choice(("", noun, "它的"))
    plan = rng.randrange(4)
    if plan == 0:
        parts = [time, f"{ground}{side}{depth}有{main}", f"{anchor}{relation}是{other}", guest]
    elif plan == 1:
        parts = [
            f"{ground}的{main}",
            f"在{side}{depth}" if side or depth else "",
            f"{anchor}{relation}有{other}",
            guest,
            time,
        ]
    elif plan == 2:
        parts = [
            f"{depth}{side}{'是' if depth or side else ''}{main}",
            f"{relation}有{other}",
            ground,
            time,
            guest,
        ]
    else:
        parts = [guest, time, f"{ground}{depth}{side}有{main}", f"{noun}{relation}有{other}"]
    return "，".join(part for part in parts if part) + rng.choice(("", "。"))
