"""Counts what may happen only so often: exactly, for all web processes together, or for each alone without Redis."""

import threading
import time
from functools import cache, lru_cache
from math import floor

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from .callers import network_of
from .monitoring.process_metrics import THROTTLED
from .redis.shared import SharedRedis, shared_redis

FAILURES = RateLimitItemPerMinute(30)
KEY_PREFIX = "throttle"

_one_at_a_time = threading.Lock()  # the memory's own locks are made and thrown away as it goes


class _ForgetfulMemory(MemoryStorage):
    """Forgets names of which nothing counts any more: the package keeps them, and walks them, too, for every count."""

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count one more, unless that is too many."""
        for name in [name for name, entries in self.events.items() if not entries]:
            self.clear(name)
        return super().acquire_entry(key, limit, expiry, amount)


def count(rate: RateLimitItem, *what: str) -> int:
    """Count one more of something.

    Args:
        rate: how many may be counted in any stretch of its length.
        what: the parts of a name for it.

    Returns:
        0 where that was within the rate; else nothing was counted, and in so many whole seconds one more will be.
    """
    redis = shared_redis()
    try:
        with redis.guarded():
            return _count(_together(redis), rate, what)
    except RedisError:
        with _one_at_a_time:
            return _count(alone(), rate, what)


class TooOften(Throttled):
    """Too many came: 429, with the seconds after which one more is taken, in plainer words than DRF's own."""

    extra_detail_singular = "Try again in {wait} second."
    extra_detail_plural = "Try again in {wait} seconds."


def count_failure(kind: str, request: Request) -> None:
    """Count a secret that was wrong, by the address it came from; call it for wrong ones only.

    So whoever has a right one is never turned away for what others do at the same address.

    Raises:
        Throttled: too many came from there; 429 instead of the 401.
    """
    if wait := count(FAILURES, "failed", kind, network_of(request)):
        THROTTLED.labels(kind).inc()
        raise TooOften(wait, "Too many wrong secrets came from this address.")


def _count(limiter: MovingWindowRateLimiter, rate: RateLimitItem, what: tuple[str, ...]) -> int:
    if limiter.hit(rate, *what):
        return 0
    window = limiter.get_window_stats(rate, *what)
    # a second more where it would end on the dot: what is counted counts until its window is over
    return 1 if window.remaining > 0 else max(1, floor(window.reset_time - time.time()) + 1)


@lru_cache(maxsize=1)
def _together(redis: SharedRedis) -> MovingWindowRateLimiter:
    """Return the counter in Redis, which looks and counts in one step there."""
    return MovingWindowRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client.connection_pool, key_prefix=KEY_PREFIX)
    )


@cache
def alone() -> MovingWindowRateLimiter:
    """Return this process' own counter, for as long as Redis is away."""
    return MovingWindowRateLimiter(_ForgetfulMemory())
