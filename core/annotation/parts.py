"""Long passages in parts: cut at natural borders within a token budget, and put together again.

The parts cover the passage without gap or overlap. What stands before and after a part goes along as context, so that
a chain (次曰…) keeps the place it hangs on, and a name that a border cuts is found again in the whole text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.annotation.locating import Locator
from core.annotation.tokens import cumulative_thirds
from core.texts.annotation import AnnotationValue, Entity, Relation, Span
from core.texts.offsets import check_spans
from core.texts.variants import search_key

MIN_BUDGET = 64
"""Smallest budget, in tokens: a lower one is raised to it, since no sentence would fit."""
MAX_PROMPT = 50
"""Characters of a joined search prompt: Chinese-CLIP reads no more."""

_CLOSING = "”’」』）)》〉】"
# From the best border to the worst; a border stands behind what is matched.
_BORDERS = (
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(rf"[。！？!?][{_CLOSING}]*\n?|\n+"),
    re.compile(rf"[；;][{_CLOSING}]*"),
    re.compile(rf"[，、：,:][{_CLOSING}]*|[）)》」』¶/ \u3000]"),
)
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """Code points ``[start, end)`` of a passage, and the text around them that the model is shown besides."""

    start: int
    end: int
    context_before: str = ""
    context_after: str = ""


def split(text: str, budget_tokens: int, *, overlap: int = 120) -> tuple[Part, ...]:
    """The parts of a passage, each of at most ``budget_tokens`` (see :mod:`core.annotation.tokens`).

    A part ends at the last paragraph end in its second half, else at the last sentence end there, then ；, then ，, and
    in unpunctuated text where the budget ends. ``overlap`` is the length of each context in code points. A passage
    within the budget is one part; an empty one is none.
    """
    sums = cumulative_thirds(text)
    parts: list[Part] = []
    start = 0
    while start < len(text):
        spent = sums[start - 1] if start else 0
        limit = max(bisect_right(sums, spent + 3 * max(budget_tokens, MIN_BUDGET)), start + 1)
        end = limit if limit >= len(text) else _border(text, start, limit)
        before, after = text[max(0, start - overlap) : start], text[end : end + overlap // 2]
        parts.append(Part(start, end, before, after))
        start = end
    return tuple(parts)


def _border(text: str, start: int, limit: int) -> int:
    half = start + (limit - start) // 2
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(text, half, limit)]
        if ends:
            return ends[-1]
    return limit


def merge(text: str, answers: Iterable[tuple[Part, AnnotationValue]]) -> AnnotationValue:
    """One annotation of the passage from those of its parts, in any order; the result passes ``check_spans``.

    The same name, class and type is one entity with all its mentions; a name that a part only knew from its context
    (no mention, no type) is the entity of that name elsewhere. Relations are pointed anew, the same statement counts
    once. Texts are joined in the order of the parts; parts that are missing leave a gap and no trace.
    """
    ordered = sorted(answers, key=lambda answer: answer[0].start)
    if len(ordered) == 1 and ordered[0][0].start == 0 and ordered[0][0].end == len(text):
        check_spans(ordered[0][1], text)
        return ordered[0][1]
    entities = _Joined(text, [part.end for part, _ in ordered])
    ids = [entities.add(part, value) for part, value in ordered]
    relations: dict[Relation, Relation] = {}
    for (part, value), own in zip(ordered, ids, strict=True):
        for relation in value.relations:
            moved = replace(
                relation,
                subject=own[relation.subject],
                object=own[relation.object],
                evidence=_shifted(relation.evidence, part.start) if relation.evidence else None,
            )
            key = replace(moved, evidence=None, certainty="certain")
            if key not in relations or (relations[key].evidence is None and moved.evidence is not None):
                relations[key] = moved
    values = [value for _, value in ordered]
    merged = AnnotationValue(
        entities=entities.all(),
        relations=tuple(relations.values()),
        spatial_relation=_clauses(value.spatial_relation for value in values),
        modern_chinese=_running([(text, part, value.modern_chinese) for part, value in ordered], ""),
        english=_running([(text, part, value.english) for part, value in ordered], " "),
        search_prompt=condensed([value.search_prompt for value in values]),
        note=_clauses(value.note for value in values),
    )
    check_spans(merged, text)
    return merged


def _shifted(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by


class _Joined:
    """The entities of all parts, each under the one id it has in the whole passage."""

    def __init__(self, text: str, borders: Sequence[int]) -> None:
        self._text = text
        self._borders = [border for border in borders if border < len(text)]
        self._entities: dict[str, Entity] = {}
        self._ids: dict[_Key, str] = {}
        self._by_name: dict[str, list[str]] = {}

    def add(self, part: Part, value: AnnotationValue) -> dict[str, str]:
        """Take a part's entities in; the ids they have from now on, by the part's own."""
        ids: dict[str, str] = {}
        for entity in sorted(value.entities, key=_is_bare):  # what is said in full first, then bare names
            mentions = {_shifted(span, part.start) for span in entity.mentions}
            known = self._known(entity)
            if known is None:
                joined = replace(entity, id=f"e{len(self._entities) + 1}")
                self._by_name.setdefault(search_key(entity.name), []).append(joined.id)
            else:
                fuller, barer = (entity, known) if _is_bare(known) else (known, entity)
                mentions |= set(known.mentions)
                note = fuller.note if _is_bare(barer) else _clauses((known.note, entity.note))
                joined = replace(fuller, id=known.id, note=note)
            self._entities[joined.id] = replace(joined, mentions=tuple(sorted(mentions)))
            self._ids.setdefault(_key(joined), joined.id)
            ids[entity.id] = joined.id
        return ids

    def _known(self, entity: Entity) -> Entity | None:
        """The entity that this one is, if an earlier part had it."""
        same_name = self._by_name.get(search_key(entity.name), [])
        if _is_bare(entity):
            found = same_name[-1] if same_name else None
        else:
            bare = next((known for known in same_name if _is_bare(self._entities[known])), None)
            found = self._ids.get(_key(entity), bare)
        return self._entities[found] if found else None

    def all(self) -> tuple[Entity, ...]:
        """All entities, with the mentions that borders cut; one without any is looked for in the whole passage."""
        whole = Locator(self._text) if any(not entity.mentions for entity in self._entities.values()) else None
        cut = self._cut_names()
        found = []
        for entity in self._entities.values():
            mentions = entity.mentions or (whole.all(entity.name) if whole else ())
            found.append(replace(entity, mentions=tuple(sorted({*mentions, *cut.get(entity.id, ())}))))
        return tuple(found)

    def _cut_names(self) -> dict[str, set[Span]]:
        """Mentions that lie over a border, by entity id."""
        reach = max((len(entity.name) for entity in self._entities.values()), default=0) * 2 + 2
        cut: dict[str, set[Span]] = {}
        for border in self._borders:
            first = max(0, border - reach)
            window = Locator(self._text[first : border + reach])
            for entity in self._entities.values():
                spans = (_shifted(span, first) for span in window.all(entity.name))
                cut.setdefault(entity.id, set()).update(span for span in spans if span[0] < border < span[1])
        return cut


def _key(entity: Entity) -> _Key:
    return search_key(entity.name), entity.kind, entity.type


def _is_bare(entity: Entity) -> bool:
    """Whether a part only knew the name: a relation pointed to it, and it stands in the context."""
    return not entity.mentions and entity.kind == "place" and entity.type == "other" and not entity.source_label


def _clauses(texts: Iterable[str]) -> str:
    """Texts as clauses joined by ；, each once."""
    clauses = (clause.strip() for text in texts for clause in re.split(r"[；;\n]", text))
    return "；".join(dict.fromkeys(clause.rstrip("。；;") for clause in clauses if clause))


def _running(pieces: Sequence[tuple[str, Part, str]], between: str) -> str:
    """Translations in order; a new line where the part ended with one."""
    joined = ""
    for text, part, words in pieces:
        if words:
            joined += words.strip() + ("\n" if text[part.end - 1] == "\n" else between)
    return joined.strip()


def condensed(prompts: Sequence[str]) -> str:
    """One search prompt of at most :data:`MAX_PROMPT` characters: what each begins with, then the rest, in turn."""
    rows = [
        [clause.strip(" 。") for clause in re.split(r"[，,；;。\n]", prompt) if clause.strip(" 。")]
        for prompt in prompts
    ]
    longest = max(map(len, rows), default=0)
    clauses = dict.fromkeys(row[n] for n in range(longest) for row in rows if n < len(row))
    kept = ""
    for clause in clauses:
        lead = "南宋临安古画中的"
        words = clause.removeprefix(lead) if kept.startswith(lead) else clause
        longer = f"{kept}，{words}" if kept else words[:MAX_PROMPT]
        if len(longer) <= MAX_PROMPT and words not in kept:
            kept = longer
    return kept
