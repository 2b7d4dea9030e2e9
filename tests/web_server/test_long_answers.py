"""Long answers: a client may read them slowly, but not let them lie, and few may keep a thread waiting."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from accounting.web_server import channel
from accounting.web_server.lanes import Lanes
from accounting.web_server.server import Server
from tests.support.installation import wait_for

from .in_process_server import serving

PIECE, PIECES = bytes(100_000), 200
LENGTH = len(PIECE) * PIECES

begun: list[str] = []


def long_answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    begun.append(environ["REMOTE_PORT"])
    start_response("200 OK", [("Content-Length", str(LENGTH))])
    return (PIECE for _ in range(PIECES))


@contextmanager
def answering_at_length() -> Iterator[tuple[Server, int]]:
    """Lend a server that does, and its port."""
    with serving(long_answer, Lanes(pictures=1, all_else=4)) as (server, port):
        server.adj.outbuf_high_watermark = 200_000
        yield server, port


def asking(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return client


def read_all(client: socket.socket, pause: Callable[[], Any] = lambda: None) -> int:
    """Return how many bytes came in all."""
    number = 0
    while piece := client.recv(100_000):
        number += len(piece)
        pause()
    return number


def test_a_slow_reader_gets_all_of_it() -> None:
    with answering_at_length() as (_, port), asking(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)
        assert read_all(client, lambda: time.sleep(0.002)) > LENGTH


def test_who_reads_nothing_is_cut_off_and_what_makes_the_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "READ_SECONDS", 0.3)
    with answering_at_length() as (server, port), asking(port) as client:
        wait_for(server._channels, "the client")
        wait_for(lambda: not server._channels(), "the cut")
        assert read_all(client) < LENGTH  # what was on its way


def test_few_may_keep_a_thread_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "READ_SECONDS", 20)
    with answering_at_length() as (server, port), ExitStack() as clients:
        before = begun.copy()
        them = [clients.enter_context(asking(port)) for _ in range(channel.SLOW_READERS + 2)]
        wait_for(lambda: len(begun) - len(before) == len(them), "all of them")
        wait_for(lambda: len(server._channels()) == channel.SLOW_READERS, "the others' end")
