"""Passages in a classical manner about a scene, each with the annotation a careful reader would give it.

They are generated, say so in their source, and name no place that ever was.
"""

import random
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from core.demo.captions import MAX_CAPTION, counted
from core.demo.lexicon import (
    CLOSINGS,
    COUNTS,
    DEPTHS,
    GROUNDS,
    GUESTS,
    KINDS,
    NAME_HEADS,
    NAME_TAILS,
    RELATIONS,
    SEASONS,
    SIDES,
    VERBS,
    WEATHERS,
    weather_key,
)
from core.demo.scenes import Scene
from core.texts.annotation import AnnotationValue, Entity, EntityClass, Relation, Span

GENERATED_SOURCE = "模拟临安志（生成）"
GENERATED_WORK = "模拟临安志（生成）"
_CHAPTERS = {"lake": "卷一·湖泊", "mountain": "卷二·山岭", "river": "卷三·江河", "garden": "卷四·园囿"}
_SIDE_RELATION = {"left": "west_of", "middle": "inside", "right": "east_of"}
_SIDE_WORDS = {"left": "西侧", "middle": "中间", "right": "东侧"}
_RELATION_WORDS = {"east_of": "东边", "west_of": "西边", "in_front_of": "前面", "behind": "后面"}


def chapter_of(scene: Scene) -> str:
    """The chapter of the imagined gazetteer that a scene's passage stands in."""
    return f"{_CHAPTERS[scene.ground]}（生成）"


@dataclass
class _Text:
    """A text that grows and remembers where its parts stand."""

    text: str = ""
    spans: dict[str, Span] = field(default_factory=dict)

    def add(self, *parts: str | tuple[str, str]) -> None:
        for part in parts:
            tag, words = part if isinstance(part, tuple) else ("", part)
            if tag and words:
                self.spans[tag] = (len(self.text), len(self.text) + len(words))
            self.text += words


@dataclass(frozen=True)
class _Words:
    """The words one passage uses, chosen once; ``ends`` name the second half of each name in English."""

    ground: str
    main: str
    second: str
    named: bool
    count: str
    side: str
    depth: str
    season: str
    weather: str
    guest: str
    relation: str
    verb: str
    glosses: dict[str, str]


def compose_passage(
    scene: Scene, rng: random.Random, unsaid: frozenset[str] = frozenset()
) -> tuple[str, AnnotationValue]:
    """A passage of at most 50 characters about a scene, and its complete reference annotation.

    ``unsaid`` may hold "weather" and "guest": then the passage fits any picture of the view. About half of the
    passages stand in traditional characters. Mentions and evidence are exact code-point offsets.
    """
    words = _choose(scene, rng, unsaid)
    built = _write(words, rng)
    text = built.text
    if rng.random() < 0.5:
        text = simplified(text)
    spans = built.spans
    entities = _entities(scene, text, spans)
    relations = (
        Relation("e2", _SIDE_RELATION[scene.side], "e1", evidence=spans["side"]),
        Relation("e3", scene.relation, "e2", evidence=spans["relation"]),
    )
    return text, AnnotationValue(
        entities=entities,
        relations=relations,
        spatial_relation=_spatial(scene, words),
        modern_chinese=_modern(scene, words, unsaid, rng),
        english=_english(scene, words, unsaid),
        search_prompt=_prompt(scene, unsaid),
    )


@lru_cache(maxsize=1)
def _converter() -> Any:
    from opencc import OpenCC  # loads its dictionaries: only when a passage is written

    return OpenCC("t2s")


@lru_cache(maxsize=4096)
def _simple(char: str) -> str:
    return cast(str, _converter().convert(char))


def simplified(text: str) -> str:
    """The text in simplified characters, one for one, so that offsets stay as they are."""
    return "".join(map(_simple, text))


def _choose(scene: Scene, rng: random.Random, unsaid: frozenset[str]) -> _Words:
    heads, tails = rng.sample(sorted(NAME_HEADS), 3), rng.sample(sorted(NAME_TAILS), 3)
    stems = [head + tail for head, tail in zip(heads, tails, strict=True)]
    glosses = {head + tail: f"{NAME_HEADS[head]} {NAME_TAILS[tail]}" for head, tail in zip(heads, tails, strict=True)}
    main_kind, second_kind = KINDS[scene.kind], KINDS[scene.second]
    named = scene.count == 1 and rng.random() < 0.6
    weather = WEATHERS[weather_key(scene.season, scene.weather)]
    return _Words(
        ground=stems[0] + rng.choice(GROUNDS[scene.ground].ending),
        main=stems[1] + rng.choice(main_kind.ending) if named else rng.choice(main_kind.plain),
        second=stems[2] + rng.choice(second_kind.ending) if rng.random() < 0.4 else rng.choice(second_kind.plain),
        named=named,
        count="" if named else rng.choice(COUNTS[scene.count].classical),
        side=rng.choice(SIDES[scene.side].classical),
        depth=rng.choice(DEPTHS[scene.depth].classical),
        season=rng.choice(SEASONS[scene.season].classical),
        weather="" if "weather" in unsaid else rng.choice(weather.classical),
        guest="" if scene.guest == "none" or "guest" in unsaid else rng.choice(GUESTS[scene.guest].classical),
        relation=rng.choice(RELATIONS[scene.relation].classical),
        verb=rng.choice(VERBS),
        glosses=glosses,
    )


def _write(w: _Words, rng: random.Random) -> _Text:
    built = _Text()
    time = [w.season, w.weather]
    main, ground, side = ("main", w.main), ("ground", w.ground), ("side", w.side)
    second: list[str | tuple[str, str]] = [("relation", w.relation), w.verb, ("second", w.second)]
    plan = rng.randrange(3)
    if plan == 0:
        built.add(*time, "，", ground, side, "，", w.depth, "有", main, w.count, "，", *second)
    elif plan == 1:
        built.add(ground, side, "有", main, w.count, "，", w.depth, "可見。", *second, "。", *time)
    else:
        built.add(main, w.count, "在", ground, side, "，", w.depth, "可辨，", *second, "。", *time)
    if w.guest:
        built.add("，", w.guest)
    closing = rng.choice(CLOSINGS)
    if rng.random() < 0.35 and len(built.text) + len(closing) + 2 <= MAX_CAPTION:
        built.add("，", closing)
    built.add("。")
    return built


def _entities(scene: Scene, text: str, spans: dict[str, Span]) -> tuple[Entity, ...]:
    def entity(number: int, tag: str, kind: str, code: str, label: str) -> Entity:
        start, end = spans[tag]
        return Entity(
            id=f"e{number}",
            name=text[start:end],
            kind=cast(EntityClass, kind),
            type=code,
            source_label=label,
            mentions=((start, end),),
        )

    ground, main, second = GROUNDS[scene.ground], KINDS[scene.kind], KINDS[scene.second]
    return (
        entity(1, "ground", "place", ground.code, ground.label),
        entity(2, "main", main.kind, main.code, main.label),
        entity(3, "second", second.kind, second.code, second.label),
    )


def _called(kind: str, word: str, glosses: dict[str, str]) -> str:
    """Modern name of a place: its given name followed by what it is, or only what it is."""
    label = KINDS[kind].label
    return f"{simplified(word[:2])}{label}" if word[:2] in glosses else label


def _ground_called(scene: Scene, w: _Words) -> str:
    return simplified(w.ground[:2]) + GROUNDS[scene.ground].label


def _spatial(scene: Scene, w: _Words) -> str:
    main, second = _called(scene.kind, w.main, w.glosses), _called(scene.second, w.second, w.glosses)
    where = f"{_ground_called(scene, w)}{_SIDE_WORDS[scene.side]}"
    return f"{main}在{where}；{second}在{main}{_RELATION_WORDS[scene.relation]}"


def _modern(scene: Scene, w: _Words, unsaid: frozenset[str], rng: random.Random) -> str:
    """The translation: full sentences with the names of the passage, at most 50 characters."""
    sky = WEATHERS[weather_key(scene.season, scene.weather)].modern
    season = SEASONS[scene.season].modern[0]
    time = season if "weather" in unsaid else f"{season}{rng.choice(sky)}"
    guest = "" if scene.guest == "none" or "guest" in unsaid else "，" + rng.choice(GUESTS[scene.guest].modern)
    depth, side = DEPTHS[scene.depth].modern[0], rng.choice(SIDES[scene.side].modern[:2])
    main, second = _called(scene.kind, w.main, w.glosses), _called(scene.second, w.second, w.glosses)
    number = "" if w.named else counted(scene.kind, scene.count, "")
    relation = rng.choice(RELATIONS[scene.relation].modern)
    for place, other in (
        (_ground_called(scene, w), second),
        (GROUNDS[scene.ground].label, KINDS[scene.second].label),
    ):
        text = f"{time}，{place}{side}{depth}有{number}{main}，{relation}是{other}{guest}。"
        if len(text) <= MAX_CAPTION:
            return text
    return text[:MAX_CAPTION]


def _english(scene: Scene, w: _Words, unsaid: frozenset[str]) -> str:
    def called(kind: str, word: str) -> str:
        noun = KINDS[kind].english
        gloss = w.glosses.get(word[:2])
        return f"the {gloss} {noun}" if gloss else f"a {noun}"

    place = f"{w.glosses[w.ground[:2]]} {GROUNDS[scene.ground].english}"
    noun = KINDS[scene.kind].english
    main = called(scene.kind, w.main) if scene.count == 1 else f"{COUNTS[scene.count].english} {noun}s"
    verb = "stands" if scene.count == 1 else "stand"
    time = SEASONS[scene.season].english
    if "weather" not in unsaid:
        time += " " + WEATHERS[weather_key(scene.season, scene.weather)].english
    text = (
        f"{time}, {main} {verb} {DEPTHS[scene.depth].english} {SIDES[scene.side].english} of {place}; "
        f"{called(scene.second, w.second)} stands {RELATIONS[scene.relation].english}"
    )
    if scene.guest != "none" and "guest" not in unsaid:
        text += f"; {GUESTS[scene.guest].english}"
    return text.replace("in the middle of", "in the midst of") + "."


def _prompt(scene: Scene, unsaid: frozenset[str]) -> str:
    """What one would type to find the picture: 南宋临安古画，…, at most 50 characters."""
    sky = WEATHERS[weather_key(scene.season, scene.weather)].modern[0]
    time = SEASONS[scene.season].modern[0] + ("" if "weather" in unsaid else sky)
    main = counted(scene.kind, scene.count, KINDS[scene.kind].label)
    second = RELATIONS[scene.relation].modern[0] + KINDS[scene.second].label
    where = f"{GROUNDS[scene.ground].modern[0]}{SIDES[scene.side].modern[0]}{DEPTHS[scene.depth].modern[0]}"
    parts = ["南宋临安古画", time, where + main, second]
    if scene.guest != "none" and "guest" not in unsaid:
        parts.append(GUESTS[scene.guest].modern[0])
    return "，".join(parts)[:MAX_CAPTION]
