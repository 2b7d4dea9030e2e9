"""How long a request's body may be, which depends on what its address takes, and on whether somebody vouches for it."""

from collections.abc import Callable, Container
from dataclasses import dataclass

from django.conf import settings

from accounting.problems import NEEDS_KEY, Problem

PAGE = "/admin/jobs/joblog/add"
TAKES_FILES = frozenset({"/api/v1/receipts", "/api/v1/receipts/upload", PAGE, f"{PAGE}/file"})  # by POST
CREDENTIALS = frozenset({"AUTHORIZATION", "COOKIE"})
MAX_BODY_BYTES = 1024 * 1024  # of what is no form with a file
FORM_BYTES = 64 * 1024  # what the form adds to the file: boundaries, headers, the other fields


@dataclass(frozen=True)
class BodyLimit:
    """What an address takes, and its answer to more.

    Args:
        size: bytes; a longer body is refused.
        problem: makes the answer.
    """

    size: int
    problem: Callable[[], Problem]

    @property
    def read(self) -> int:
        """Bytes that are read all the same: many a client sends everything before it looks for an answer."""
        return 2 * self.size


def body_limit_of(path: str) -> BodyLimit:
    """Return how long a body may be that is posted to this path by somebody who may be known."""
    if takes_files(path):
        return BodyLimit(settings.UPLOAD_MAX_BYTES + FORM_BYTES, file_too_large)
    return BodyLimit(MAX_BODY_BYTES, body_too_large)


def body_limit_by_headers(method: str, path: str, headers: Container[str]) -> BodyLimit:
    """Return how long a body may be of which no more is known than this; who brings no credentials is told so."""
    if method != "POST" or not takes_files(path):
        return BodyLimit(MAX_BODY_BYTES, body_too_large)
    if any(name in headers for name in CREDENTIALS):
        return body_limit_of(path)
    return BodyLimit(MAX_BODY_BYTES, not_logged_in if _normal(path).startswith(PAGE) else _without_key)


def takes_files(path: str) -> bool:
    """Tell whether this path is one that files are uploaded to."""
    return _normal(path) in TAKES_FILES


def _normal(path: str) -> str:
    """Return the path with one slash before it, as waitress hands it on, and without the last one."""
    return f"/{path.lstrip('/')}".removesuffix("/")


def body_too_large() -> Problem:
    """Return the answer to a body over the limit."""
    return Problem(413, "body_too_large", "The body is larger than 1 MiB.")


def file_too_large() -> Problem:
    """Return the answer to a file over the limit."""
    return Problem(413, "file_too_large", f"The file is larger than {settings.UPLOAD_MAX_MB} MB.")


def not_logged_in() -> Problem:
    """Return the answer to an upload from a page whose session has ended."""
    return Problem(403, "not_authenticated", "You are no longer logged in: log in in another tab, then try again.")


def _without_key() -> Problem:
    return Problem(401, "not_authenticated", NEEDS_KEY, headers={"WWW-Authenticate": "Api-Key"})
