"""A Redis that fails is asked once and then left alone, whoever needs it; one asks whether it is back."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from redis.exceptions import RedisError

from accounting import circuit_breaker
from accounting.redis.shared import RedisAway, SharedRedis, shared_redis
from tests.support.outages import Clock, closed_port
from tests.support.servers import free_port


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the time as the client sees it."""
    standing = Clock()
    monkeypatch.setattr(circuit_breaker, "time", standing)
    return standing


def outcome(redis: SharedRedis, ask: Callable[..., object] = lambda client: client.ping()) -> str:
    """Return what became of a question: `answered`, `failed`, or `unasked` where Redis is thought to be away."""
    try:
        with redis.guarded() as client:
            ask(client)
    except RedisAway:
        return "unasked"
    except RedisError:
        return "failed"
    return "answered"


def test_what_one_learns_counts_for_all_while_the_breaker_is_open(clock: Clock) -> None:
    with closed_port() as port:
        redis = SharedRedis(f"redis://127.0.0.1:{port}/0")
        assert [outcome(redis) for _ in range(3)] == ["failed", "unasked", "unasked"]
        clock.now += circuit_breaker.OPEN_SECONDS
        assert [outcome(redis) for _ in range(2)] == ["failed", "unasked"]


def test_once_the_breaker_is_half_open_one_asks_and_the_others_do_not_wait_for_it(clock: Clock) -> None:
    is_asking, may_end = threading.Event(), threading.Event()

    def hang(client: object) -> None:
        is_asking.set()
        assert may_end.wait(10)

    redis = SharedRedis(f"redis://127.0.0.1:{free_port()}/0")
    assert outcome(redis) == "failed"
    clock.now += circuit_breaker.OPEN_SECONDS
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(outcome, redis, hang)
        assert is_asking.wait(10)
        assert [outcome(redis) for _ in range(8)] == ["unasked"] * 8
        may_end.set()
        assert first.result() == "answered"
    assert outcome(redis, lambda client: None) == "answered"  # now all know


def test_what_is_no_fault_of_redis_is_not_held_against_it(redis: object) -> None:
    ours = shared_redis()
    with suppress(ZeroDivisionError), ours.guarded():
        raise ZeroDivisionError
    assert outcome(ours) == "answered"
