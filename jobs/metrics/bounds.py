"""Durations as Prometheus counts them: in buckets, each up to a bound, and their sum.

Counts are kept by bound, so a bound may be added to, but never be taken from, those that were counted by once.
"""

import math
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

DELIVERY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, math.inf)
ROUND_TRIP_BOUNDS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, math.inf)
SUM = "ms"  # whole milliseconds, so that sums of sums stay exact


def bucket_counts(milliseconds: Mapping[int, int], bounds: tuple[float, ...]) -> Counter[str]:
    """Count durations, of each of which there are so many, in the first bucket that holds it."""
    counts = Counter[str]()
    for ms, number in milliseconds.items():
        counts[str(next(bound for bound in bounds if ms <= bound * 1000))] += number
        counts[SUM] += ms * number
    return counts


def cumulative_counts(counts: Mapping[str, int], bounds: tuple[float, ...]) -> list[tuple[str, int]]:
    """Return, for each bound, how many took no longer."""
    names = ["+Inf" if math.isinf(bound) else str(bound) for bound in bounds]
    return list(zip(names, accumulate(counts.get(str(bound), 0) for bound in bounds), strict=True))
