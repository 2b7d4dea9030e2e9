"""What can be done in a cell: look at a file, make of it what N8N can read, or what a list shows."""

from collections.abc import Callable
from typing import Any

from . import documents, pictures
from .fitting import fit

SMALL_BYTES = 16_000

Made = tuple[dict[str, Any], bytes]


def look(data: bytes, *, form: str) -> Made:
    """Decode all that will be sent, and say how large it is, and how many pages the file has."""
    width, height, pages = documents.look(data) if form == "pdf" else (*pictures.look(data, form), 1)
    return {"width": width, "height": height, "pages": pages}, b""


def render(data: bytes, *, form: str, most_bytes: int) -> Made:
    """Return the file as an upright JPEG on white of at most so many bytes."""
    picture = documents.draw(data) if form == "pdf" else pictures.draw(data, form)
    made = fit(picture, most_bytes)
    return {"width": made.width, "height": made.height, "content_type": "image/jpeg"}, made.data


def thumbnail(data: bytes, *, form: str, size: tuple[int, int]) -> Made:
    """Return the file as a JPEG of at most that size; of a PDF, its first page."""
    picture = documents.draw_small(data) if form == "pdf" else pictures.draw(data, form)
    picture.thumbnail(size)
    return {}, fit(picture, SMALL_BYTES).data


TASKS: dict[str, Callable[..., Made]] = {"look": look, "render": render, "thumbnail": thumbnail}
