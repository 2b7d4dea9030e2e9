"""Who asks, and why: no job is changed without both."""

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest

from jobs.services import NotNow

LONGEST = 200


def reason_in(request: HttpRequest) -> str:
    """Return the reason that a form brings.

    Raises:
        NotNow: it brings none.
    """
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:LONGEST]
    if not reason:
        raise NotNow("Give a reason: it is kept with the job.")
    return reason


def staff_of(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else so far."""
    return cast(User, request.user)
