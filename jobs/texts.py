"""The texts within what came as JSON."""

from collections.abc import Callable
from typing import Any


def with_each_text(data: Any, change: Callable[[str], str]) -> Any:
    """Return the same data with each text in it changed, names too."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, list):
        return [with_each_text(below, change) for below in data]
    if isinstance(data, dict):
        return {change(name): with_each_text(below, change) for name, below in data.items()}
    return data
