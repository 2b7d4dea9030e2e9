"""What a process counts by itself while Redis is away, it does not keep for ever."""

from typing import Any

from django.conf import LazySettings
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

from accounting.throttling import alone, count
from tests.support.installation import wait_for
from tests.support.servers import free_port


def test_nothing_is_kept_of_those_whose_window_is_over(settings: LazySettings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    memory: Any = alone().storage
    for number in range(100):
        count(RateLimitItemPerSecond(5), str(number))
    assert len(memory.events) > 1
    wait_for(lambda: count(RateLimitItemPerMinute(9999), "another") or len(memory.events) == 1, "it to forget them")
    assert len(memory.events) == 1
