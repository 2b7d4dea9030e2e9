"""The texts within what came as JSON, its parts, and what of it may be a link."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

NOT_KEPT = re.compile("[\0\ud800-\udfff]")


def with_each_text(data: Any, change: Callable[[str], str]) -> Any:
    """Return the same data with each text in it changed, names too."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, list):
        return [with_each_text(below, change) for below in data]
    if isinstance(data, dict):
        return {change(name): with_each_text(below, change) for name, below in data.items()}
    return data


def part(found: Any, name: str) -> Any:
    """Return what is under that name; None where there is nothing."""
    return found.get(name) if isinstance(found, dict) else None


def text(found: Any, name: str) -> str:
    """Return the text, or the number as text, under that name; "" where there is neither."""
    value = part(found, name)
    return plain(str(value)) if isinstance(value, str | int) else ""


def plain(text: str) -> str:
    """Return it with U+FFFD for what no database keeps: NUL, and each half of a surrogate pair.

    Readers of documents leave the one, and JavaScript the other where it cuts a text within an emoji (RFC 8259 section
    8.2). No result is lost for that.
    """
    return NOT_KEPT.sub("\ufffd", text)


def safe_link(address: str) -> str:
    """Return the address where it may be a link, "" of any other: what N8N sends may be `javascript:`."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme == "https" and parts.hostname and parts.username is None else ""
