"""Relations as space: which of them cannot all be true, and where to draw the entities so that the true ones show.

Directions order entities on two axes (east greater, north greater), above and below by height, inside by extent. An
order that comes back to where it began is a contradiction.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf, sqrt
from typing import Literal

from core.texts.annotation import AnnotationValue, Relation

Axis = Literal["x", "y", "height", "extent"]
Cell = tuple[int, int]

# Whether the subject is the greater (1) or the lesser (-1) on each axis that the code orders.
_ORDERS: dict[str, dict[Axis, int]] = {
    "east_of": {"x": 1},
    "west_of": {"x": -1},
    "north_of": {"y": 1},
    "south_of": {"y": -1},
    "northeast_of": {"x": 1, "y": 1},
    "southeast_of": {"x": 1, "y": -1},
    "southwest_of": {"x": -1, "y": -1},
    "northwest_of": {"x": -1, "y": 1},
    "above": {"height": 1},
    "below": {"height": -1},
    "inside": {"extent": -1},
    "contains": {"extent": 1},
}
_SWEEPS = 12
_GAP = 2
_WIDTH = 16


def contradictions(value: AnnotationValue) -> tuple[tuple[int, ...], ...]:
    """Groups of indexes of ``value.relations`` that cannot all be true, by their first index.

    A group is what lies on circles of one order: A north of B and B north of A, longer circles too, and a thing in
    order with itself. ``alias_of`` makes two entities one; such a relation is in the group that hangs on it.
    """
    aliases = [
        (index, relation)
        for index, relation in enumerate(value.relations)
        if relation.code == "alias_of" and relation.subject != relation.object
    ]
    groups: set[tuple[int, ...]] = set()
    for axis in ("x", "y", "height", "extent"):
        strict = [
            (index, *ends)
            for index, relation in enumerate(value.relations)
            if (ends := _lesser_and_greater(relation, axis)) is not None
        ]
        groups |= {(index,) for index, lesser, greater in strict if lesser == greater}
        edges = [edge for edge in strict if edge[1] != edge[2]]
        same = [(index, alias.subject, alias.object) for index, alias in aliases]
        component = _components([*edges, *same, *((index, two, one) for index, one, two in same)])
        circles: dict[int, list[tuple[int, str, str]]] = {}
        for edge in edges:
            if component[edge[1]] == component[edge[2]]:
                circles.setdefault(component[edge[1]], []).append(edge)
        for number, circle in circles.items():
            joints = _without_loose_ends(circle, [edge for edge in same if component[edge[1]] == number])
            groups.add(tuple(sorted({index for index, _, _ in (*circle, *joints)})))
    return tuple(sorted(groups))


def _lesser_and_greater(relation: Relation, axis: Axis) -> tuple[str, str] | None:
    sign = _ORDERS.get(relation.code, {}).get(axis)
    if sign is None:
        return None
    return (relation.object, relation.subject) if sign > 0 else (relation.subject, relation.object)


def _without_loose_ends(
    circle: Sequence[tuple[int, str, str]], joints: list[tuple[int, str, str]]
) -> list[tuple[int, str, str]]:
    """The aliases that join entities of the circle; a further name of one of them is no part of it."""
    fixed = {end for _, *ends in circle for end in ends}
    while True:
        uses = Counter(end for _, *ends in joints for end in ends)
        kept = [joint for joint in joints if all(end in fixed or uses[end] > 1 for end in joint[1:])]
        if len(kept) == len(joints):
            return kept
        joints = kept


def _components(edges: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    """The number of each node's strongly connected component (Kosaraju 1978); an edge never leads to a lower number."""
    forth: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for _, one, two in edges:
        forth.setdefault(one, []).append(two)
        back.setdefault(two, []).append(one)
        forth.setdefault(two, [])
        back.setdefault(one, [])
    component: dict[str, int] = {}
    numbers = count()
    for root in reversed(list(_by_leaving(forth))):
        if root not in component:
            component[root] = number = next(numbers)
            todo = [root]
            while todo:
                for other in back[todo.pop()]:
                    if other not in component:
                        component[other] = number
                        todo.append(other)
    return component


def _by_leaving(graph: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The nodes in the order in which a walk in depth leaves them."""
    seen: set[str] = set()
    for root in graph:
        if root not in seen:
            seen.add(root)
            walk = [(root, iter(graph[root]))]
            while walk:
                node, others = walk[-1]
                other = next((other for other in others if other not in seen), None)
                if other is None:
                    walk.pop()
                    yield node
                else:
                    seen.add(other)
                    walk.append((other, iter(graph[other])))


def layout(value: AnnotationValue) -> dict[str, tuple[float, float]]:
    """Where to draw each entity that stands in a relation: (x to the east, y to the north), in steps of the drawing.

    The same value gives the same drawing. What lies east is at least one step to the east, and so for each direction
    that no contradiction touches; two entities are at least one step apart. Other relations pull their ends together.
    Entities that no chain of relations joins stand in drawings of their own, side by side and then below.
    """
    ids = {entity.id for entity in value.entities}
    relations = [relation for relation in value.relations if {relation.subject, relation.object} <= ids]
    drawings = [_drawn(nodes, own) for nodes, own in _parts(relations)]
    width = max(_WIDTH, round(1.4 * sqrt(sum((d.width + _GAP) * (d.height + _GAP) for d in drawings))))
    placed: dict[str, tuple[float, float]] = {}
    left = top = depth = 0
    for drawing in sorted(drawings, key=lambda d: -len(d.cells)):
        if left and left + drawing.width > width:
            left, top, depth = 0, top - depth - _GAP, 0
        for node, (x, y) in drawing.cells.items():
            placed[node] = (float(left + x), float(top - drawing.height + y))
        left += drawing.width + _GAP
        depth = max(depth, drawing.height)
    return placed


def _parts(relations: Sequence[Relation]) -> list[tuple[list[str], list[Relation]]]:
    """The entities that relations join, with these relations, in the order of the relations."""
    part = {end: end for relation in relations for end in (relation.subject, relation.object)}

    def root(node: str) -> str:
        while part[node] != node:
            part[node] = node = part[part[node]]
        return node

    for relation in relations:
        part[root(relation.object)] = root(relation.subject)
    parts: dict[str, tuple[list[str], list[Relation]]] = {}
    for node in part:
        parts.setdefault(root(node), ([], []))[0].append(node)
    for relation in relations:
        parts[root(relation.subject)][1].append(relation)
    return list(parts.values())


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Cells from (0, 0) on; ``width`` and ``height`` are those of the greatest cell."""

    cells: dict[str, Cell]
    width: int
    height: int


def _drawn(nodes: Sequence[str], relations: Sequence[Relation]) -> _Drawing:
    x_axis, y_axis = _Steps(nodes, relations, "x"), _Steps(nodes, relations, "y")
    wanted = x_axis.eased(), y_axis.eased()
    uses = Counter(end for relation in relations for end in (relation.subject, relation.object))
    columns = dict(wanted[0])
    cells: dict[str, Cell] = {}
    taken: set[Cell] = set()
    # From south to north, so that whoever has to give way can go north and stays right; what much hangs on goes first.
    for node in sorted(nodes, key=lambda node: (wanted[1][node], -uses[node])):
        low, high = x_axis.bounds(node, columns)
        ground = max((cells[other][1] + 1 for other in y_axis.lesser[node]), default=-inf)
        cell = _free_cell((columns[node], int(max(wanted[1][node], ground))), (low, high), ground, taken)
        columns[node] = cell[0]
        cells[node] = cell
        taken.add(cell)
    west, south = min(x for x, _ in taken), min(y for _, y in taken)
    cells = {node: (cells[node][0] - west, cells[node][1] - south) for node in nodes}
    return _Drawing(cells, max(x for x, _ in cells.values()), max(y for _, y in cells.values()))


class _Steps:
    """One axis of a drawing: who must be less than whom by a step, and who would like to be where."""

    def __init__(self, nodes: Sequence[str], relations: Sequence[Relation], axis: Axis) -> None:
        self.lesser: dict[str, list[str]] = {node: [] for node in nodes}
        self.greater: dict[str, list[str]] = {node: [] for node in nodes}
        self.pulls: dict[str, list[tuple[str, int]]] = {node: [] for node in nodes}
        ordered = [ends for relation in relations if (ends := _lesser_and_greater(relation, axis)) is not None]
        component = _components((0, *ends) for ends in ordered)
        for low, high in ordered:
            if component[low] != component[high]:
                self.lesser[high].append(low)
                self.greater[low].append(high)
        for relation in relations:
            sign = _ORDERS.get(relation.code, {}).get(axis, 0)
            self.pulls[relation.subject].append((relation.object, sign))
            self.pulls[relation.object].append((relation.subject, -sign))
        self._order = sorted(nodes, key=lambda node: component.get(node, 0))

    def bounds(self, node: str, at: Mapping[str, float]) -> tuple[float, float]:
        """The least and the greatest place that the neighbours leave to a node."""
        low = max((at[other] + 1 for other in self.lesser[node]), default=-inf)
        return low, min((at[other] - 1 for other in self.greater[node]), default=inf)

    def eased(self) -> dict[str, int]:
        """A place for each node: every step kept, each as near to where its relations want it as a few rounds bring."""
        at: dict[str, float] = {}
        for node in self._order:
            at[node] = max((at[other] + 1 for other in self.lesser[node]), default=0)
        for sweep in range(_SWEEPS):
            for node in self._order if sweep % 2 else reversed(self._order):
                pulls = self.pulls[node]
                wish = sum(at[other] + by for other, by in pulls) / len(pulls)
                low, high = self.bounds(node, at)
                at[node] = min(max(round(wish * 64) / 64, low), high)  # 64ths add up exactly: no step is lost
        return {node: int(place // 1) for node, place in at.items()}


def _free_cell(wish: Cell, columns: tuple[float, float], ground: float, taken: set[Cell]) -> Cell:
    """The free cell nearest to the wish, within the columns and not below the ground; the wish keeps to both."""
    best, nearest = wish, inf
    aside = 0
    while aside * aside < nearest:  # north of the wish some cell is free, so this ends
        for x in (wish[0] + aside, wish[0] - aside):
            if not columns[0] <= x <= columns[1]:
                continue
            away = 0
            while (distance := aside * aside + away * away) < nearest:
                for y in (wish[1] + away, wish[1] - away):
                    if y >= ground and (x, y) not in taken and distance < nearest:
                        best, nearest = (x, y), distance
                away += 1
        aside += 1
    return best
