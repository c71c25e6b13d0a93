"""Scenes of an imagined Lin'an: what a picture shows and a text says, as plain data.

A scene's *view* is everything that can be said of its places (kinds, number, position, ground, season); weather and
guest are said beside it. Views are dealt into parts by a hash, so that the world the mini model was pre-trained on,
the demo project and the benchmark can never share one, whatever their seeds.
"""

import hashlib
import random
from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Literal

Part = Literal["pretraining", "validation", "project", "benchmark"]
ViewKey = tuple[str, ...]

KINDS = (
    "palace",
    "bridge",
    "pagoda",
    "pavilion",
    "gate",
    "monastery",
    "boat",
    "tavern",
    "cottage",
    "waterwheel",
)
GROUNDS = ("lake", "mountain", "river", "garden")
SEASONS = ("spring", "summer", "autumn", "winter")
SIDES = ("left", "middle", "right")
DEPTHS = ("near", "far")
RELATIONS = ("east_of", "west_of", "in_front_of", "behind")
WEATHERS = ("clear", "rain", "mist", "moon", "dusk")
GUESTS = ("none", "geese", "cranes", "ox", "fisher", "deer")

_PARTS: dict[int, Part] = {0: "validation", 1: "project", 2: "project", 3: "benchmark", 4: "benchmark"}
_DEALT_INTO = 16


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture's content. ``left`` is west and ``right`` east; ``relation`` places the second feature by the first.

    ``seed`` changes how it is painted and nothing that can be said of it.
    """

    kind: str
    count: int
    ground: str
    side: str
    depth: str
    season: str
    second: str
    relation: str
    weather: str
    guest: str
    seed: int = 0

    def view(self) -> ViewKey:
        """What can be said of the places: all but weather, guest and seed."""
        return tuple(str(part) for part in astuple(self)[:8])

    def said(self) -> tuple[str, ...]:
        """Everything that can be said of the picture: all but the seed."""
        return tuple(str(part) for part in astuple(self)[:10])


def part_of(view: ViewKey) -> Part:
    """The part of the world a view is dealt into; a pure function of the view, the same everywhere."""
    digest = hashlib.sha256("/".join(view).encode("utf-8")).digest()
    return _PARTS.get(digest[0] % _DEALT_INTO, "pretraining")


def guests_of(ground: str) -> tuple[str, ...]:
    """Who may be met there: fishers need water, deer need land."""
    return tuple(guest for guest in GUESTS if guest != ("deer" if ground in ("lake", "river") else "fisher"))


def draw_scene(rng: random.Random) -> Scene:
    """One random scene that makes sense: nothing stands west of what is already at the western edge, and so on."""
    kind, second = rng.sample(KINDS, 2)
    ground = rng.choice(GROUNDS)
    side, depth = rng.choice(SIDES), rng.choice(DEPTHS)
    beyond = {"left": "west_of", "right": "east_of"}.get(side), {"near": "in_front_of", "far": "behind"}[depth]
    return Scene(
        kind=kind,
        count=rng.choice((1, 2, 3)),
        ground=ground,
        side=side,
        depth=depth,
        season=rng.choice(SEASONS),
        second=second,
        relation=rng.choice([relation for relation in RELATIONS if relation not in beyond]),
        weather=rng.choice(WEATHERS),
        guest=rng.choice(guests_of(ground)),
        seed=rng.randrange(2**31),
    )


def make_scenes(count: int, seed: int, exclude: Collection[Scene] = (), part: Part | None = None) -> list[Scene]:
    """``count`` scenes, no two with the same view, none with a view of ``exclude``; only of ``part`` when given.

    The same arguments give the same scenes. About 60,000 views exist, an eighth of them in "project" and in
    "benchmark" each. Raises ValueError when ``count`` is more than a world of that part can hold.
    """
    rng = random.Random(f"songclip scenes {seed}")
    taken = {scene.view() for scene in exclude}
    scenes: list[Scene] = []
    misses = 0
    while len(scenes) < count:
        scene = draw_scene(rng)
        view = scene.view()
        if view in taken or (part is not None and part_of(view) != part):
            misses += 1
            if misses > 20_000:
                raise ValueError(f"no world of {count} scenes: found {len(scenes)}")
            continue
        misses = 0
        taken.add(view)
        scenes.append(scene)
    return scenes
