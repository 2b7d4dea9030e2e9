"""Redis as this process sees it: one pooled client, and whether Redis is thought to be away."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from accounting.circuit_breaker import CircuitBreaker

from .sentinels import connect

logger = structlog.get_logger(__name__)

SOCKET_TIMEOUT_SECONDS = 0.5


class RedisAway(RedisError):
    """Redis failed a moment ago and was not asked again."""


class SharedRedis:
    """A client with short time-outs, which nobody waits for while Redis is thought to be away (see `CircuitBreaker`).

    Args:
        url: Redis' address.
    """

    def __init__(self, url: str) -> None:
        self.client: Redis = connect(
            url,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),  # one: a pooled connection may have died with a restart of Redis
        )
        self._breaker = CircuitBreaker()
        self._has_refused = False

    @property
    def refuses_us(self) -> bool:
        """Whether it is there, and the latest failure was that it takes no such password or user."""
        return self._breaker.has_tripped and self._has_refused

    @contextmanager
    def guarded(self) -> Iterator[Redis]:
        """Lend the client; a failure inside is remembered, and told of without the address.

        Raises:
            RedisAway: Redis failed a moment ago.
            RedisError: it fails now.
        """
        if not self._breaker.allow_request():
            raise RedisAway
        try:
            yield self.client
        except RedisError as error:
            self._breaker.trip()
            self._has_refused = isinstance(error, AuthenticationError)
            # after a fail-over its address leads to another server, while one that only refuses keeps its connections
            self.client.connection_pool.disconnect(inuse_connections=False)
            logger.warning("redis_unreachable", error=type(error).__name__)
            raise
        self._breaker.reset()


@cache
def redis_at(url: str) -> SharedRedis:
    """Return this process' client of the Redis at an address."""
    return SharedRedis(url)


def shared_redis() -> SharedRedis:
    """Return this process' client of the Redis that `REDIS_URL` names."""
    return redis_at(settings.REDIS_URL)
