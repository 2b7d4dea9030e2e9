"""The lock at the admin's door: how many guesses at passwords one address has, and what it is told after them.

django-axes brings the table, the commands and the place in the log-in; the counting is ours. Axes counts a failure once
the password was looked at, so that guesses made at once all pass before the first of them counts. Here a guess counts
before, under a lock on its counters, and a success takes it back. See docs/decisions/0016.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import structlog
from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import salted_hmac

from .clock import DatabaseNow
from .monitoring.process_metrics import THROTTLED

logger = structlog.get_logger(__name__)

GUESSES_AT_ONE_NAME = 5
GUESSES_AT_ALL_NAMES = 50
COOL_OFF = timedelta(minutes=30)
ALL_NAMES = ""  # the name under which an address' guesses at all names are counted; no user has it


@dataclass
class Counter:
    """How many guesses were made from one address, at one name or at all of them."""

    attempt: Any

    @property
    def limit(self) -> int:
        """How many guesses there may be."""
        return GUESSES_AT_ALL_NAMES if self.is_for_all_names else GUESSES_AT_ONE_NAME

    @property
    def is_for_all_names(self) -> bool:
        """Whether it counts the address' guesses at whatever name."""
        return bool(self.attempt.username == ALL_NAMES)

    @property
    def ends_at(self) -> datetime:
        """When it counts from the beginning again."""
        moment: datetime = self.attempt.attempt_time + COOL_OFF
        return moment

    @property
    def is_full(self) -> bool:
        """Whether no further guess is allowed now."""
        return self.guesses >= self.limit

    @property
    def guesses(self) -> int:
        """How many there were lately."""
        return 0 if self.ends_at <= self.attempt.now else int(self.attempt.failures_since_start)

    def count(self) -> None:
        """Add one; the first begins the time in which they count together, the last allowed one that of the lock."""
        guesses = self.guesses + 1
        if guesses in (1, self.limit):
            self.attempt.attempt_time = self.attempt.now
        self.attempt.failures_since_start = guesses
        self.attempt.save(update_fields=["attempt_time", "failures_since_start"])


class LockoutBackend(AxesStandaloneBackend):  # type: ignore[misc] # axes is not typed
    """Lets a log-in pass on to the password, or ends it."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Return nothing, whoever it is.

        Raises:
            PermissionDenied: this address has no guess left.
        """
        if request is not None:  # a shell or a test is not somebody at the door
            super().authenticate(request, **credentials)


class CountingHandler(AxesDatabaseHandler):  # type: ignore[misc] # as above
    """Counts guesses in axes' table, one row for each address and name, and one for each address."""

    def is_allowed(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Count a guess and tell whether its password may be looked at; one that may not leaves no row behind."""
        counters = []
        with transaction.atomic():
            for name in _names(credentials):
                counter = Counter(_locked_attempt(request.axes_ip_address, name))
                if counter.is_full:
                    return False
                counters.append(counter)
            for counter in counters:
                counter.count()
        return True

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        """Log it, and have it answered by `answer_locked` where it was the last allowed guess, or a further one."""
        if request is None:
            return
        attempts = AccessAttempt.objects.annotate(now=DatabaseNow()).filter(
            ip_address=request.axes_ip_address, username__in=_names(credentials)
        )
        full = [counter for counter in map(Counter, attempts) if counter.is_full]
        request.axes_locked_out = bool(full)
        request.locked_by = max(full, key=lambda counter: counter.ends_at, default=None)
        logger.warning("login_locked" if full else "login_failed")

    def user_logged_in(self, sender: Any, request: Any, user: AbstractBaseUser, **kwargs: Any) -> None:
        """Forget the guesses at this name. Those at others stay: who has a password must not guess on for it."""
        here = AccessAttempt.objects.filter(ip_address=request.axes_ip_address)
        here.filter(username=user.get_username()).update(failures_since_start=0)
        here.filter(username=ALL_NAMES, failures_since_start__gt=0).update(
            failures_since_start=F("failures_since_start") - 1
        )


def is_locked_out_by(request: HttpRequest, password: str) -> bool:
    """Count what may be the password of whoever is logged in as a guess at the log-in, unless it is the right one.

    Returns:
        Whether there is no guess left; then whatever comes of the request is answered by `answer_locked`.
    """
    user = authenticate(request, username=request.user.get_username(), password=password)
    if user is not None:
        AxesProxyHandler.user_logged_in(type(user), request, user)
    return bool(getattr(request, "axes_locked_out", False))


def answer_locked(request: HttpRequest, response: HttpResponse, credentials: object) -> HttpResponse:
    """Answer whoever is locked out with a page that says until when: `AXES_LOCKOUT_CALLABLE`."""
    counter: Counter = getattr(request, "locked_by")  # noqa: B009 - mypy knows no such attribute of HttpRequest
    context = {
        **admin.site.each_context(request),
        "title": "Too many attempts to log in",
        "until": counter.ends_at,
        "is_for_all_names": counter.is_for_all_names,
    }
    locked = render(request, "admin/locked.html", context, status=429)
    locked["Retry-After"] = str(ceil((counter.ends_at - counter.attempt.now).total_seconds()))
    add_never_cache_headers(locked)
    THROTTLED.labels("log_in").inc()
    return locked


def forget_old_attempts() -> None:
    """Delete what no longer counts, but what a log-in holds: it takes its rows in another order than they lie in."""
    old = AccessAttempt.objects.filter(attempt_time__lt=DatabaseNow() - COOL_OFF)
    with transaction.atomic():
        AccessAttempt.objects.filter(pk__in=old.select_for_update(skip_locked=True).values("pk")).delete()


def _locked_attempt(address: str, name: str) -> Any:
    """Return the row of an address and a name, locked; the sweep may delete it while it is waited for."""
    key = {"ip_address": address, "username": name, "user_agent": ""}
    rows = AccessAttempt.objects.annotate(now=DatabaseNow()).filter(**key).select_for_update()
    while (attempt := rows.first()) is None:
        AccessAttempt.objects.get_or_create(**key, defaults={"failures_since_start": 0})
    return attempt


def _names(credentials: dict[str, Any] | None) -> tuple[str, str]:
    """Return under which names a guess is counted, always in this order, so that no two log-ins wait for each other."""
    return ALL_NAMES, _name(credentials)


def _name(credentials: dict[str, Any] | None) -> str:
    """Return the user's name, or a digest of what is none: people type passwords into the wrong field."""
    name = (credentials or {}).get("username") or ""
    if User.objects.filter(username=name).exists():
        return str(name)
    return f"unknown {salted_hmac(__name__, name).hexdigest()[:32]}"
