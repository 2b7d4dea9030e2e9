"""What the web server refuses by itself is told of as what Django answers is: in a line of the log, and measured."""

import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waitress.buffers import OverflowableBuffer

from accounting.monitoring.process_metrics import REGISTRY
from accounting.web_server import http_parser
from accounting.web_server.lanes import Lanes
from tests.support.installation import wait_for
from tests.support.scrapes import Samples, added, samples_of

from .in_process_server import serving, tell_caller

pytestmark = pytest.mark.any_database

MB = 1024 * 1024
UPLOAD = b"POST /api/v1/receipts/upload?key=canary HTTP/1.1\r\nHost: a\r\nX-Request-ID: r-1\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    """Return that of a web server."""
    with serving(tell_caller, Lanes(pictures=1, all_else=1)) as (_, number):
        yield number


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        return client.makefile("rb").read()


def measured() -> Samples:
    return samples_of(REGISTRY.collect())


def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(self: OverflowableBuffer) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(OverflowableBuffer, "_set_large_buffer", overflow)


def many_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "ALL_BODIES_BYTES", 0)


def as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all as it is."""


KEY = b"Authorization: Api-Key canary\r\n"
RECEIPT = UPLOAD + KEY + b"Content-Length: %d\r\n\r\n" % (2 * MB) + bytes(2 * MB)


@pytest.mark.parametrize(
    ("sent", "trouble", "status", "code", "errors"),
    [
        (UPLOAD + KEY + b"Content-Length: 999999999\r\n\r\n", as_ever, 413, "file_too_large", []),
        (UPLOAD + b"Content-Length: 999999999\r\n\r\n", as_ever, 401, "not_authenticated", []),
        (RECEIPT, no_room, 507, "storage_full", ["storage_full"]),
        (RECEIPT, many_bodies, 503, "busy", []),  # nobody's fault, and so no error
    ],
)
def test_a_refusal_is_a_line_like_any_other_and_an_error_only_where_something_is_wrong(
    sent: bytes,
    trouble: Callable[[pytest.MonkeyPatch], None],
    status: int,
    code: str,
    errors: list[str],
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    trouble(monkeypatch)
    before = measured()
    assert ask(port, sent).startswith(b"HTTP/1.1 %d " % status)
    line = refusal(caplog)
    told = {name: line[name] for name in ("method", "path", "status", "code", "request_id", "level")}
    assert told == {
        "method": "POST", "path": "/api/v1/receipts/upload", "status": status, "code": code, "request_id": "r-1",
        "level": "info",
    }  # fmt: skip
    assert 0 <= line["ms"] < 20_000
    assert 0 <= line["waited_ms"] < 20_000
    assert [logged["event"] for logged in lines(caplog) if logged["level"] == "error"] == errors
    assert "canary" not in caplog.text
    labels = f'{{method="POST",status="{status // 100}xx",view="web-server"}}'
    assert added(before, measured())[f"receipts_http_request_seconds_count{labels}"] == 1


@pytest.mark.parametrize(
    ("sent", "code", "method", "path"),
    [
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", "bad_request", "", ""),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ".ljust(256 * 1024, b"x"), "headers_too_large", "", ""),
        (b"GET /%%c3%%9f%s HTTP/1.1\r\n\r\n" % (b"%1b" * 9000), "bad_request", "GET", "/\xdf" + "\x1b" * 198),
        (b"%s / HTTP/1.1\r\n\r\n" % (b"BREW" * 1000), "bad_request", "BREW" * 5, "/"),
        (b"GET a:canary@b/ HTTP/1.1\r\nHost: x\r\n\r\n", "bad_request", "GET", ""),
    ],
)
def test_of_what_is_not_understood_no_more_is_told_than_what_is_bounded_and_harmless(
    sent: bytes, code: str, method: str, path: str, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = measured()
    ask(port, sent)
    line = refusal(caplog)
    assert (line["code"], line["method"], line["path"]) == (code, method, path)
    assert "canary" not in caplog.text
    views = {name for name in added(before, measured()) if name.startswith("receipts_http_request_seconds_count")}
    known = "GET" if method == "GET" else "other"
    assert views == {f'receipts_http_request_seconds_count{{method="{known}",status="4xx",view="web-server"}}'}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def refusal(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return the one line that tells of it."""
    wait_for(lambda: any(line["event"] == "request_refused" for line in lines(caplog)), "the line")
    (line,) = [line for line in lines(caplog) if line["event"] == "request_refused"]
    return line
