"""Relations and places in plain modern Chinese: the free-text field and the search prompt."""

from collections.abc import Sequence

from core.texts.annotation import AnnotationValue, Entity, Relation
from core.texts.variants import fold
from core.texts.vocabulary import place_type

MAX_SENTENCES = 20
"""Sentences in the free-text field at most; the relations themselves are all kept."""

# Where X is, seen from Y.
_POSITIONS = {
    "east_of": "东侧",
    "south_of": "南侧",
    "west_of": "西侧",
    "north_of": "北侧",
    "northeast_of": "东北侧",
    "southeast_of": "东南侧",
    "southwest_of": "西南侧",
    "northwest_of": "西北侧",
    "inside": "内",
    "outside": "外",
    "in_front_of": "前",
    "behind": "后",
    "beside": "旁",
    "above": "上",
    "below": "下",
}
_SENTENCES = {
    "opposite": "{subject}与{object}相对",
    "between": "{subject}邻近{object}，在两处之间",
    "adjoins": "{subject}毗连{object}",
    "crosses": "{subject}横跨{object}",
    "faces": "{subject}面对{object}",
    "along": "{subject}沿{object}",
    "leads_to": "{subject}通往{object}",
    "next_in_sequence": "{subject}次于{object}之后",
    "bounded_by": "{subject}{note}至{object}",
    "part_of": "{subject}隶属{object}",
    "alias_of": "{subject}又名{object}",
    "former_site_of": "{subject}所在原为{object}",
}
_LOOKS = {
    "palace": "宫殿建筑",
    "gate": "城门建筑",
    "wall": "城墙",
    "bridge": "桥梁",
    "monastery": "佛寺建筑",
    "abbey": "道观建筑",
    "shrine": "祠庙建筑",
    "pagoda": "佛塔",
    "ward": "坊巷街景",
    "street": "街巷",
    "market": "市集街景",
    "theatre": "瓦舍勾栏",
    "shop": "酒楼店铺",
    "hall": "楼阁建筑",
    "pavilion": "亭台建筑",
    "garden": "园林景致",
    "office": "官署建筑",
    "residence": "府第建筑",
    "mountain": "山岭景色",
    "lake": "湖池水景",
    "river": "江河水景",
    "spring": "井泉",
    "waterworks": "堤岸水景",
    "island": "洲屿水景",
}
_KEPT = "祐乾"  # folding is for matching: 宝祐 and 乾道 are written so in simplified texts too
_BACKGROUND = frozenset({"region", "admin", "other"})


def simplified(name: str) -> str:
    """A name in simplified characters, as a modern reader types it and Chinese-CLIP has met it."""
    return "".join(char if char in _KEPT else fold(char) for char in name)


def position(relation: Relation, value: AnnotationValue) -> str:
    """Where the subject is, 望仙桥东侧; empty for a relation that gives no place."""
    anchor = value.entity(relation.object)
    if anchor is None or relation.code not in _POSITIONS:
        return ""
    return f"{simplified(anchor.name)}{_POSITIONS[relation.code]}{relation.distance}{relation.unit}"


def sentence(relation: Relation, value: AnnotationValue) -> str:
    """One relation as a clause, 德寿宫位于望仙桥东侧; empty where its wording is unknown."""
    subject, object_ = value.entity(relation.subject), value.entity(relation.object)
    if subject is None or object_ is None:
        return ""
    if place := position(relation, value):
        return f"{simplified(subject.name)}位于{place}"
    pattern = _SENTENCES.get(relation.code, "")
    return pattern.format(subject=simplified(subject.name), object=simplified(object_.name), note=relation.note)


def spatial_text(value: AnnotationValue) -> str:
    """The relations as clauses joined by ；, the first :data:`MAX_SENTENCES` of them."""
    clauses = dict.fromkeys(sentence(relation, value) for relation in value.relations)
    return "；".join([clause for clause in clauses if clause][:MAX_SENTENCES])


def search_prompt(value: AnnotationValue) -> str:
    """A description to search pictures with, 南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧; empty without a place."""
    placed = next((r for r in value.relations if position(r, value)), None)
    subject = value.entity(placed.subject) if placed else _main_place(value.entities)
    if subject is None:
        return ""
    look = _LOOKS.get(subject.type, "" if subject.type == "other" else place_type(subject.type).zh)
    parts = (f"南宋临安古画中的{simplified(subject.name)}", look, position(placed, value) if placed else "")
    return "，".join(part for part in parts if part)


def _main_place(entities: Sequence[Entity]) -> Entity | None:
    places = [entity for entity in entities if entity.kind == "place"]
    return next((place for place in places if place.type not in _BACKGROUND), places[0] if places else None)
