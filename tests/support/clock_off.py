"""`python -m tests.support.clock_off SECONDS COMMAND…`: manage.py where the clock is ahead, or behind (a minus).

What Python asks the time is off; what the database asks is not: it runs on another machine.
"""

import datetime
import os
import sys
import time
from typing import Any

RealDatetime = datetime.datetime
_real_time, _real_time_ns = time.time, time.time_ns


class _LikeDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RealDatetime)


class _Datetime(RealDatetime, metaclass=_LikeDatetime):
    """Makes plain datetimes, as it would be unpatched, and tells a time that is off."""

    offset = datetime.timedelta()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return RealDatetime(*args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return RealDatetime.now(tz) + cls.offset

    @classmethod
    def utcnow(cls) -> Any:
        return RealDatetime.now(datetime.UTC).replace(tzinfo=None) + cls.offset


def shift(seconds: int) -> None:
    """Let this process' clock be off; before anything is imported that keeps these functions for itself."""
    _Datetime.offset = datetime.timedelta(seconds=seconds)
    time.time = lambda: _real_time() + seconds
    time.time_ns = lambda: _real_time_ns() + seconds * 10**9
    datetime.datetime = _Datetime  # type: ignore[misc] # the point of it


if __name__ == "__main__":
    _, offset, *command = sys.argv
    shift(int(offset))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *command])
