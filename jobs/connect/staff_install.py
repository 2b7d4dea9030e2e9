"""Installing as staff do it: one at a time, and written down with what came of it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.messages.storage.base import Message
from redis.exceptions import LockError, RedisError

from accounting.redis.shared import shared_redis
from accounting.staff import log_action
from jobs.n8n_api import ApiError, public_api

from . import installing
from .steps import NotInstalled

LOCK = "receipts:installing"
# A thread of the web is held, and a browser, or a proxy of 30 s, waits for it: 27 s with the last knocks
# at the webhook. Only where the former workflow has to be put back it is 37 s.
IN_ALL_SECONDS = 25.0
LOCKED_SECONDS = 90  # longer than it takes, with what is put back after that and the knocks at the webhook

UNSET = "Set N8N_BASE_URL and N8N_PUBLIC_API_KEY, and start the web again: without them N8N cannot be asked."
BUSY = "Nothing was done: somebody is installing just now. Load the page again in a moment."
NO_REDIS = "Nothing was done: Redis is away, and without it two could install at once."


class Busy(Exception):
    """Another one installs, or nobody can tell; the message says it."""


def install_for_staff(user: User, *, replace: Collection[str], activate: str) -> list[Message]:
    """Install, and return what was done, what was not, and what stopped it."""
    try:
        with _alone():
            return _install(user, replace, activate)
    except Busy as refusal:
        return [Message(messages.ERROR, str(refusal))]


def _install(user: User, replace: Collection[str], activate: str) -> list[Message]:
    said: list[Message] = []
    try:
        said.extend(_steps(replace, activate))
    finally:  # what was done is done, whatever came then
        log_action(user, "N8N", "install: " + " ".join(each.message for each in said))
    done = " ".join(each.message for each in said if each.level == messages.SUCCESS)
    return [Message(messages.SUCCESS, done)] * bool(done) + [each for each in said if each.level != messages.SUCCESS]


def _steps(replace: Collection[str], activate: str) -> Iterator[Message]:
    api = public_api()
    if api is None:
        yield Message(messages.ERROR, UNSET)
        return
    try:
        for step in installing.install(api.over_in(IN_ALL_SECONDS), replace=replace, activate=activate):
            yield Message(messages.WARNING if step.is_warning else messages.SUCCESS, step.sentence)
    except ApiError as error:
        yield Message(messages.ERROR, f"{error.sentence} {error.cure} To install again goes on from here.")
    except NotInstalled as refusal:
        yield Message(messages.ERROR, str(refusal))


@contextmanager
def _alone() -> Iterator[None]:
    """Let one install at a time: N8N keeps nobody from making the same workflow twice.

    Raises:
        Busy: somebody does already, or Redis, which tells, is away.
    """
    lock = shared_redis().client.lock(LOCK, timeout=LOCKED_SECONDS, blocking=False)
    try:
        with shared_redis().guarded():
            is_mine = lock.acquire()
    except RedisError:
        raise Busy(NO_REDIS) from None
    if not is_mine:
        raise Busy(BUSY)
    try:
        yield
    finally:
        with suppress(LockError, RedisError):  # it ends by itself
            lock.release()
