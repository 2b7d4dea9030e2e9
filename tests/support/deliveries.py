"""Posting to a stub server, and watching that nothing stays behind."""

import gc
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import pytest
from django.test import override_settings

from accounting.clock import BOOT_CLOCK
from jobs import n8n
from jobs.answers import Answer

DEADLINE_SECONDS = 1.0  # where it is to be met
PLENTY_SECONDS = 30.0  # where it is not, however busy the machine is
SLACK_SECONDS = 2.0
BODY = (b'{"callback_token": "canary-token-0123", ', b'"image_data": "AAAA"}')
WEBHOOK = "/webhook/canary-path-4567?key=canary-query-89ab"
API_KEY = "canary-bearer-cdef"
SECRETS = ("canary-token", "canary-path", "canary-query", "canary-bearer")
MB = 1024 * 1024

Post = Callable[..., Answer]


def large(size: int) -> Iterator[bytes]:
    """Yield a body of so many bytes."""
    piece = b"x" * 65_536
    for _ in range(size // len(piece)):
        yield piece


class Pieces:
    """A body that comes in pieces and whose length is known."""

    def __init__(self, pieces: Iterable[bytes], length: int) -> None:
        self._pieces = pieces
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def sleep_for(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have slept for so long, which Linux' monotonic clock does not count."""
    tell = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: tell(which) + (seconds if which == BOOT_CLOCK else 0))


@contextmanager
def n8n_client(url: str, *, verify: bool | str = True, deadline: float = PLENTY_SECONDS) -> Iterator[Post]:
    """Return a function that posts a body to the webhook at that address, and does not return late."""
    with override_settings(N8N_VERIFY_SSL=str(verify)):
        client = n8n.N8NClient(url + WEBHOOK, deadline=deadline)

    def post(body: Iterable[bytes] = BODY, *, length: int = sum(map(len, BODY))) -> Answer:
        started = time.monotonic()
        answer = client.post(Pieces(body, length), {"Authorization": f"Bearer {API_KEY}"})
        assert time.monotonic() - started < deadline + SLACK_SECONDS
        return answer

    yield post
    client.close()


@contextmanager
def n8n_at(url: str, **settings: object) -> Iterator[None]:
    """Let the worker's own client deliver to that address."""
    _forget_client()
    with override_settings(N8N_WEBHOOK_URL=url + WEBHOOK, **settings):
        yield
    _forget_client()


def _forget_client() -> None:
    if n8n._client.cache_info().currsize:
        n8n._client().close()
    n8n._client.cache_clear()


@contextmanager
def leaving_no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail what leaves a thread or a socket open, or a secret in any log, ours or a library's, at the finest level."""
    caplog.set_level(logging.DEBUG)
    threads, sockets = set(threading.enumerate()), open_sockets()
    gc.disable()  # it would close what was left open
    try:
        yield
        left_open = (set(threading.enumerate()) - threads) | (open_sockets() - sockets)
    finally:
        gc.enable()
    assert left_open == set(), left_open
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.get_records("call"))
    assert [secret for secret in SECRETS if secret in logged] == []


def open_sockets() -> set[int]:
    """Return the numbers of this process' sockets."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the listed folder's own is closed by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
    return found
