"""The figures of one model on one split, both ways, with what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.chance import chance_recall
from core.evaluation.intervals import mean_interval, share_interval
from core.evaluation.recall import KS, Ranks, inverted, ranks_of_features, recall_at_k


@dataclass(frozen=True, slots=True)
class Direction:
    """Recall one way, shares of 0 to 1: ``at`` and ``ci`` by K, ``mean`` of the R@K with ``mean_ci``."""

    queries: int
    gallery: int
    at: dict[int, float]
    ci: dict[int, tuple[float, float]]
    mean: float
    mean_ci: tuple[float, float]
    chance: dict[int, float]

    def to_json(self) -> dict[str, Any]:
        """The figures in per cent, to two decimals: R@1 …, mean, ci, queries, gallery, chance."""
        return {
            **{f"R@{k}": _percent(value) for k, value in self.at.items()},
            "mean": _percent(self.mean),
            "ci": {
                **{f"R@{k}": [_percent(low), _percent(high)] for k, (low, high) in self.ci.items()},
                "mean": [_percent(value) for value in self.mean_ci],
            },
            "queries": self.queries,
            "gallery": self.gallery,
            "chance": self.chance_json(),
        }

    def chance_json(self) -> dict[str, float]:
        """What random answers reach, in per cent."""
        figures = {f"R@{k}": _percent(value) for k, value in self.chance.items()}
        return {**figures, "mean": _percent(sum(self.chance.values()) / max(len(self.chance), 1))}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Text to image and image to text on one split; ``ranks`` serve :mod:`core.evaluation.comparison`."""

    t2i: Direction
    i2t: Direction
    t2i_ranks: Ranks
    i2t_ranks: Ranks

    def to_json(self) -> dict[str, Any]:
        """What ``songclip evaluate`` prints, in per cent; queries, gallery, chance at the top are t2i's."""
        return {
            "queries": self.t2i.queries,
            "gallery": self.t2i.gallery,
            "t2i": self.t2i.to_json(),
            "i2t": self.i2t.to_json(),
            "chance": self.t2i.chance_json(),
        }


def evaluate(
    texts: NDArray[np.floating],
    images: NDArray[np.floating],
    positives: Sequence[Sequence[int]],
    *,
    text_groups: Sequence[int] | None = None,
    ks: Sequence[int] = KS,
) -> Evaluation:
    """Full-gallery recall by cosine of text features [q, d] and image features [g, d].

    ``positives``: for each text the row numbers of its images; ``text_groups``: the passage of each text, so
    that several captions of one passage do not pass for independent queries in the intervals; 0 where the
    passage is not known, which counts as one of its own.
    """
    if text_groups is not None:
        text_groups = [group or -row for row, group in enumerate(text_groups, 1)]
    forth = ranks_of_features(texts, images, positives)
    back = ranks_of_features(images, texts, inverted(positives, len(images)))
    return Evaluation(direction(forth, text_groups, ks), direction(back, None, ks), forth, back)


def direction(ranks: Ranks, groups: Sequence[int] | None = None, ks: Sequence[int] = KS) -> Direction:
    """The figures that follow from ranks; ``groups`` [q] names dependent queries."""
    counted = ranks.counted
    grouped = None if groups is None else np.asarray(groups)[counted].tolist()
    at = recall_at_k(ranks, ks)
    per_query = np.mean([ranks.hits(k) for k in ks], axis=0)
    return Direction(
        queries=int(counted.sum()),
        gallery=ranks.gallery,
        at=at,
        ci={k: share_interval(ranks.hits(k), grouped) for k in ks},
        mean=sum(at.values()) / len(at),
        mean_ci=mean_interval(per_query, grouped),
        chance=chance_recall(ranks.gallery, ranks.positives, ks),
    )


def _percent(share: float) -> float:
    return round(100 * share, 2)
