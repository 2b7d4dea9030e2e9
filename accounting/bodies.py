"""How long a request's body may be, which depends on what its address takes."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from jobs.parsers import MAX_BODY_BYTES, body_too_large
from receipts.refusals import file_too_large

from .problems import Problem

TAKES_FILES = ("/api/v1/receipts", "/admin/jobs/joblog/add/")
FORM_BYTES = 64 * 1024  # what the form adds to the file: boundaries, headers, the other fields


@dataclass(frozen=True)
class Bound:
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


def bound_of(path: str) -> Bound:
    """Return how long a body may be at this path."""
    if takes_files(path):
        return Bound(settings.UPLOAD_MAX_BYTES + FORM_BYTES, file_too_large)
    return Bound(MAX_BODY_BYTES, body_too_large)


def takes_files(path: str) -> bool:
    """Tell whether this path is one that files are uploaded to."""
    return f"/{path.lstrip('/')}".startswith(TAKES_FILES)
