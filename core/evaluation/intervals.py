"""How far a figure from so many queries can be off: 95 % intervals."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000


def wilson(hits: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share, 0 to 1 (Wilson 1927); (0, 1) without trials.

    ``hits`` and ``trials`` may be fractions: an effective sample size is one.
    """
    if trials <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = hits / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low = 0.0 if hits <= 0 else float(max(0.0, centre - half))
    high = 1.0 if hits >= trials else float(min(1.0, centre + half))
    return low, high


def share_interval(
    hits: NDArray[np.bool_], groups: Sequence[int] | None = None, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of the share of hits [q]; with ``groups`` [q], queries of one group count as dependent.

    Several captions of one passage succeed and fail together, so they weigh as fewer queries: Wilson's
    interval with the effective sample size q / design effect (Korn and Graubard 1998), never more than q, and
    the number of groups where all queries hit or all missed.
    """
    trials = len(hits)
    share = float(np.mean(hits)) if trials else 0.0
    effective = float(trials)
    if groups is not None and trials:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        count = int(member.max()) + 1
        if share in (0.0, 1.0) or count == 1:
            effective = float(count)
        else:
            residuals = np.bincount(member, weights=hits - share)
            clustered = count / (count - 1) * float((residuals**2).sum()) / trials**2
            simple = share * (1 - share) / trials
            effective = trials / max(1.0, clustered / simple)
    return wilson(share * effective, effective, level)


def mean_interval(
    values: NDArray[np.floating],
    groups: Sequence[int] | None = None,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of ``values`` [q], whole groups drawn together (Efron 1979).

    Where all values are equal the bootstrap would claim certainty; then as large a share as Wilson's interval allows
    of what was not seen may lie at either of the ``bounds``, the range that a value can have.
    """
    values = np.asarray(values, dtype=np.float64)
    low, high = bounds
    if not len(values):
        return bounds
    _, member = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    sums, sizes = np.bincount(member, weights=values), np.bincount(member)
    count = len(sums)
    if count == 1 or np.ptp(values) == 0:
        mean, unseen = float(values.mean()), wilson(0, count, level)[1]
        return mean - (mean - low) * unseen, mean + (high - mean) * unseen
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for index in range(resamples):
        drawn = generator.integers(0, count, count)
        means[index] = sums[drawn].sum() / sizes[drawn].sum()
    tail = (1 - level) / 2
    below, above = np.quantile(means, [tail, 1 - tail])
    return float(below), float(above)
