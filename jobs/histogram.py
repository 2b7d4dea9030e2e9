"""Latencies in buckets that grow by an eighth, so that those of any hours can be added up and percentiles remain.

A percentile read from them is at most 6 % from the true one: a bucket reaches from `10 ** (n / 20)` seconds to 1.122
times that, and its geometric middle stands for all of it. Only what is faster than 10 ms is told less exactly.
"""

import math
from collections.abc import Mapping

BUCKETS_A_DECADE = 20
ERROR = 10 ** (0.5 / BUCKETS_A_DECADE) - 1
FASTEST_SECONDS = 0.01  # below that it is as good as at once, whatever clocks say


def bucket_of(seconds: float) -> str:
    """Return the bucket in which that latency is counted: its number as text, for JSON has no other names."""
    return str(math.floor(math.log10(max(seconds, FASTEST_SECONDS)) * BUCKETS_A_DECADE))


def percentile(counts: Mapping[str, int], share: float) -> float | None:
    """Return the seconds within which that share of them came to pass, or None where there were none.

    Args:
        counts: how many fell into each bucket.
        share: from 0 to 1; the nearest rank counts, so that the answer is near a latency that was.
    """
    rank = max(1, math.ceil(share * sum(counts.values())))
    for bucket in sorted(counts, key=int):
        rank -= counts[bucket]
        if rank <= 0:
            return float(10 ** ((int(bucket) + 0.5) / BUCKETS_A_DECADE))
    return None
