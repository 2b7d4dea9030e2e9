"""Serves a sandbox from a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from waitress import wasyncore
from waitress.server import create_server

from .application import Sandbox
from .bodies import MIB
from .webhook import Behaviour

THREADS = 16


@contextmanager
def running_sandbox(
    listener: socket.socket | None = None,
    *,
    behaviour: Behaviour = Behaviour.SUCCESS,
    delay: float = 0.5,
    retry_delay: float = 1.0,
) -> Iterator[Sandbox]:
    """Serve a sandbox from a thread for as long as the block lasts.

    Args:
        listener: a listening socket, which is closed at the end; without one, any free port of loopback is taken.
        behaviour: for requests whose URL names none with `?behaviour=`.
        delay: seconds before a report, and before a slow answer.
        retry_delay: seconds between two tries of a report.

    Returns:
        The sandbox, which listens already; its webhooks are everything below `{url}/webhook/`.
    """
    with listener or socket.create_server(("127.0.0.1", 0)) as listening:
        host, port, *_ = listening.getsockname()
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        sandbox = Sandbox(url=url, behaviour=behaviour, delay=delay, retry_delay=retry_delay)
        with _served(sandbox, listening):
            try:
                yield sandbox
            finally:
                sandbox.stop()


@contextmanager
def _served(sandbox: Sandbox, listener: socket.socket) -> Iterator[None]:
    channels: dict[int, Any] = {}
    in_memory = 4 * settings.N8N_MAX_PAYLOAD_MB * MIB  # no body gets into a temporary file
    adjustments: dict[str, Any] = {
        "sockets": [listener],
        "threads": THREADS,
        "connection_limit": 1000,
        "max_request_body_size": in_memory,
        "inbuf_overflow": in_memory,
    }
    server: Any = create_server(sandbox, channels, **adjustments)
    ended = threading.Event()
    thread = threading.Thread(target=_loop, args=(channels, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        server.pull_trigger()  # wakes the loop
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(channels)


def _loop(channels: dict[int, Any], ended: threading.Event) -> None:
    while not ended.is_set():
        wasyncore.loop(timeout=1, use_poll=True, map=channels, count=1)
