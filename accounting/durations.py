"""Spans of time as people say them."""

from datetime import timedelta

UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def told(span: timedelta | float) -> str:
    """Return a span in its largest unit that is reached twice, as in `3.8 s`, `47 s`, `15 min`, `36 h`, `3 d`.

    Args:
        span: itself, or its seconds; one below nothing, as between two clocks, is nothing.
    """
    seconds = max(span.total_seconds() if isinstance(span, timedelta) else span, 0.0)
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
