"""When a connection ends; after a refusal the client may go on sending for a while, within bounds."""

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from waitress import wasyncore
from waitress.adjustments import Adjustments

from accounting.web_server import channel
from accounting.web_server.channel import LINGER_IDLE_SECONDS, LINGER_SECONDS, Channel
from accounting.web_server.http_parser import RequestParser
from accounting.web_server.lanes import Lanes
from accounting.web_server.server import Server
from tests.support.installation import wait_for

from .in_process_server import serving, tell_caller, turned

REFUSED = b"POST / HTTP/1.1\r\nno header\r\n\r\n"


@contextmanager
def lingering() -> Iterator[tuple[Server, Channel, socket.socket]]:
    """Lend a server, its connection that has just been refused, and the client's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server = Server(tell_caller, listener, Lanes(pictures=1, all_else=1))
        try:
            client.settimeout(10)
            client.sendall(REFUSED)
            wait_for(lambda: turned(server) and any(one.lingers_since for one in server._channels()), "the refusal")
            yield server, server._channels()[0], client
        finally:
            server.task_dispatcher.shutdown()
            wasyncore.close_all(server._sockets)


def test_what_comes_after_a_refusal_is_dropped_and_the_refusal_can_be_read() -> None:
    with lingering() as (server, channel, client):
        client.sendall(bytes(100_000))
        wait_for(lambda: turned(server) and channel.dropped_bytes == 100_000, "what was sent")

        answer = client.makefile("rb").read()  # to its end: the server has closed its side

        assert answer.startswith(b"HTTP/1.0 400")
        assert server._channels() == [channel]


def test_the_connection_ends_with_the_clients_side_of_it() -> None:
    with lingering() as (server, _, client):
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda: turned(server) and not server._channels(), "the end")


def test_nobody_sends_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LINGER_BYTES", 1000)
    with lingering() as (server, _, client):
        client.sendall(bytes(1001))
        wait_for(lambda: turned(server) and not server._channels(), "the cut")


@pytest.mark.parametrize(
    ("since", "active", "stays"),
    [(1, 1, True), (LINGER_SECONDS - 1, 1, True), (LINGER_SECONDS + 1, 1, False), (10, LINGER_IDLE_SECONDS + 1, False)],
    ids=["just refused", "sends for long", "sends for too long", "sends nothing"],
)
def test_nobody_is_waited_for_without_end(since: int, active: int, stays: bool) -> None:
    with lingering() as (server, channel, _):
        now = time.monotonic()
        channel.lingers_since, channel._active_at = now - since, now - active
        server.end_what_is_over(now)
        turned(server)
        assert bool(server._channels()) is stays


# -- after an answer without a body


def say(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the status that the path asks for."""
    start_response(f"{environ['PATH_INFO'][1:]} As Asked", [("ETag", '"1"')])
    return [] if environ["PATH_INFO"] in ("/204", "/304") else [b"whole"]


def connected(port: int) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def exchanged(port: int, *requests: bytes) -> list[bytes]:
    """Send all requests on one connection; return the first lines of its answers, and what is said of its end."""
    with connected(port) as client:
        client.sendall(b"".join(requests))
        received = client.makefile("rb").read()
    return [line for line in received.split(b"\r\n") if b"As Asked" in line or line == b"Connection: close"]


def get(status: int, version: str = "1.1", *headers: str) -> bytes:
    return "\r\n".join([f"GET /{status} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


LAST = get(200, "1.1", "Connection: close")


@pytest.mark.parametrize("status", [204, 304])
def test_a_connection_stays_open_after_an_answer_that_has_no_body(status: int) -> None:
    with serving(say, Lanes(pictures=1, all_else=1)) as (_, port):
        lines = exchanged(port, get(status), get(status), LAST)
    said = b"HTTP/1.1 %d As Asked" % status
    assert lines == [said, said, b"HTTP/1.1 200 As Asked", b"Connection: close"]


@pytest.mark.parametrize(
    "request_",
    [
        get(304, "1.1", "Connection: close"),
        get(304, "1.1", "Connection: TE, Close"),
        get(200, "1.1", "Connection: keep-alive , close"),
        get(304, "1.0"),
        get(304, "1.0", "Connection: keep-alive"),
    ],
)
def test_it_ends_where_its_client_wants_it_to_or_knows_no_better(request_: bytes) -> None:
    with serving(say, Lanes(pictures=1, all_else=1)) as (_, port):
        assert exchanged(port, request_, LAST)[1:] == [b"Connection: close"]


def test_it_ends_where_the_server_is_about_to() -> None:
    with serving(say, Lanes(pictures=1, all_else=1)) as (server, port):
        server.is_stopping = True
        assert exchanged(port, get(304), LAST)[1:] == [b"Connection: close"]


def test_a_body_is_no_header_though_a_packet_ends_within_the_blank_line_before_it() -> None:
    head = b"POST /api/v1/receipts/ HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nContent-Length: 3\r\n\r"
    parser = RequestParser(Adjustments())
    for piece in (head, b"\n\x00\x01\x02"):
        parser.received(piece)
    assert not parser.error


# -- requests that come all at once


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_answers_that_nobody_reads_keep_no_more_files_open_than_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "READ_SECONDS", 0.2)
    page, asked = tmp_path / "page", []
    page.touch()
    os.truncate(page, 50_000_000)  # more than the sockets between hold

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", str(page.stat().st_size))])
        answered: Iterable[bytes] = environ["wsgi.file_wrapper"](page.open("rb"))
        return answered

    with serving(answer, Lanes(pictures=1, all_else=1)) as (server, port), connected(port) as client:
        before = open_files()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        wait_for(lambda: asked and not server._channels(), "the end of who reads nothing")
        assert open_files() <= before
    assert len(asked) == 1


def test_who_reads_has_all_answers(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(b"ok")

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        answered: Iterable[bytes] = environ["wsgi.file_wrapper"](page.open("rb"))
        return answered

    with serving(answer, Lanes(pictures=1, all_else=1)) as (_, port), connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 500 + LAST)
        assert client.makefile("rb").read().count(b"\r\nok") == 501
