"""What is known of a request, whoever asks: its id, how long it has waited, and what of it may be written down."""

import re
import uuid

from django.http import HttpRequest

METHOD_LETTERS, PATH_LETTERS = 20, 200  # none of ours is longer
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
API = "/api/"  # what paths of the API begin with
WAITED_SECONDS = "accounting.waited_seconds"  # for a thread, in the WSGI environment; only our own server says it


def request_id(request: HttpRequest) -> str:
    """Return the id that the caller gave in `X-Request-ID` if it is a plain one, or a new one, the same each time."""
    known: str | None = getattr(request, "_request_id", None)
    if known is None:
        given = request.headers.get("X-Request-ID", "")
        known = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        setattr(request, "_request_id", known)  # noqa: B010 - mypy knows no such attribute of HttpRequest
    return known


def waited_seconds(request: HttpRequest) -> float:
    """Return for how long the request has waited for a thread to answer it."""
    waited: float = request.META.get(WAITED_SECONDS, 0.0)
    return waited


def asked_for(method: str, path: str) -> dict[str, str]:
    """Return what a line of the log tells of what was asked for: anybody may make it up, at any length."""
    return {"method": method[:METHOD_LETTERS], "path": path[:PATH_LETTERS]}
