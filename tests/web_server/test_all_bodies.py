"""All bodies that are on their way have one bound together: connections cannot fill the disk by their number."""

import gc
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from accounting.web_server import http_parser
from accounting.web_server.lanes import Lanes
from tests.support.installation import wait_for

from .in_process_server import serving, tell_caller

MB = 1024 * 1024
HEAD = b"POST /api/v1/receipts HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Length: %d\r\n\r\n" % (4 * MB)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return that of a server with room for 5 MB of bodies."""
    gc.collect()
    monkeypatch.setattr(http_parser, "ALL_BODIES_BYTES", 5 * MB)
    with serving(tell_caller, Lanes(pictures=1, all_else=1)) as (_, number):
        yield number


def sent(port: int, number: int) -> socket.socket:
    """Send so many bytes of a body of 4 MB."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(HEAD + bytes(number))
    return client


def arrived() -> int:
    return sum(each.body_bytes_received for each in http_parser._long)


def test_where_all_bodies_together_are_too_much_the_next_piece_is_refused_and_the_others_go_on(port: int) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(closing(sent(port, 3 * MB)))
        wait_for(lambda: arrived() == 3 * MB, "the first")
        second = stack.enter_context(closing(sent(port, 3 * MB)))
        status, _, rest = second.makefile("rb").read().partition(b"\r\n")
        assert (status, b"Retry-After: 5\r\n" in rest) == (b"HTTP/1.1 503 Service Unavailable", True)
        assert json.loads(rest.partition(b"\r\n\r\n")[2])["code"] == "busy"
        first.sendall(bytes(MB))
        assert first.recv(1000).startswith(b"HTTP/1.1 200")


def test_what_was_answered_or_given_up_makes_room(port: int) -> None:
    for number in (4 * MB, 4 * MB - 1, 4 * MB):
        with closing(sent(port, number)) as client:
            if number == 4 * MB:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            else:
                wait_for(lambda: arrived() >= 3 * MB, "what there is of it")
        wait_for(lambda: arrived() == 0, "the end")
