"""What has to do with pictures has threads of its own: it waits for its like, and nobody waits for it."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from django.core.management import call_command
from waitress import wasyncore

from accounting.request_facts import WAITED_SECONDS
from accounting.web_server.lanes import Lanes
from accounting.web_server.server import Server
from tests.support.installation import wait_for
from tests.support.servers import free_port

from .in_process_server import serving

UPLOAD, ADMIN_UPLOAD = ("POST", "/api/v1/receipts/upload"), ("POST", "/admin/jobs/joblog/add/")
THUMBNAIL = "GET", "/admin/receipts/receipt/01920000-0000-7000-8000-000000000000/thumbnail/"
ABOUT_PICTURES = {UPLOAD, ADMIN_UPLOAD, THUMBNAIL}
LANE = 2


class Application:
    """Answers everything at once but what has to do with pictures: that waits until it is let go on."""

    def __init__(self) -> None:
        self.begun = 0
        self.waited: list[float] = []
        self.may_go_on = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) in ABOUT_PICTURES:
            with self._lock:
                self.begun += 1
            self.may_go_on.wait(30)
            self.waited.append(environ[WAITED_SECONDS])
        start_response("200 OK", [("Content-Length", "0")])
        return []


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.may_go_on.set()


@pytest.fixture
def lanes() -> Lanes:
    """Return three threads, two of which are for pictures."""
    return Lanes(pictures=LANE, all_else=1)


@pytest.fixture
def port(application: Application, lanes: Lanes) -> Iterator[int]:
    """Return the port of a server with them."""
    with serving(application, lanes) as (_, port):
        yield port


def start(port: int, method: str, path: str) -> threading.Thread:
    """Ask in a thread of its own, which ends with the answer."""
    thread = threading.Thread(target=ask, args=[port, method, path])
    thread.start()
    return thread


def ask(port: int, method: str, path: str) -> int:
    """Return the answer's status."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, b"")
        return connection.getresponse().status


@contextmanager
def lane_taken(application: Application, port: int) -> Iterator[None]:
    """Keep all threads for pictures busy with uploads, which are answered at the end."""
    uploads = [start(port, *UPLOAD) for _ in range(LANE)]
    try:
        wait_for(lambda: application.begun == LANE, "the uploads")
        yield
    finally:
        application.may_go_on.set()
        for upload in uploads:
            upload.join(20)


def test_pictures_that_take_long_keep_nobody_else_waiting(application: Application, port: int) -> None:
    waiting = [start(port, *asked) for asked in (UPLOAD, ADMIN_UPLOAD, THUMBNAIL, UPLOAD)]
    wait_for(lambda: application.begun == LANE, "the first of them")

    for method, (_, path) in (("POST", ("", "/api/v1/jobs/callback")), ("GET", UPLOAD), ("GET", ADMIN_UPLOAD)):
        assert ask(port, method, path) == 200

    assert application.begun == LANE, "a picture took the thread that is there for all else"
    application.may_go_on.set()
    for thread in waiting:
        thread.join(20)
    assert application.begun == len(waiting)


def test_the_application_is_told_how_long_a_request_has_waited_for_a_thread(
    application: Application, lanes: Lanes, port: int
) -> None:
    with lane_taken(application, port):
        late = start(port, *UPLOAD)
        wait_for(lambda: lanes._pictures.queue, "the one that has to wait")
        seen = time.monotonic()
        while (waited := time.monotonic() - seen) < 0.2:
            ask(port, "GET", "/health")
    late.join(20)
    assert max(application.waited) > waited
    assert min(application.waited) >= 0


def test_an_upload_that_is_too_long_is_refused_beside_uploads(application: Application, port: int) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    with lane_taken(application, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head % UPLOAD[1].encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_request_at_all_is_refused_beside_uploads(application: Application, port: int) -> None:
    with lane_taken(application, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"no request\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 400 Bad Request\r\n")


def test_the_threads_of_both_lanes_end() -> None:
    before = set(threading.enumerate())
    lanes = Lanes(pictures=LANE, all_else=1)
    threads = set(threading.enumerate()) - before
    assert len(threads) == LANE + 1
    lanes.shutdown(timeout=10)
    wait_for(lambda: not any(thread.is_alive() for thread in threads), "their end")


def test_a_thread_that_does_not_end_is_not_waited_for_longer_than_told(
    application: Application, lanes: Lanes, port: int
) -> None:
    with lane_taken(application, port):
        begun = time.monotonic()
        lanes.shutdown(timeout=1)
        assert time.monotonic() - begun < 5


@pytest.mark.django_db
def test_half_of_the_threads_are_for_pictures_and_all_share_their_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    shares = "accounting.management.commands.serve.share_memory_among_threads"
    monkeypatch.setattr(shares, lambda: made.append(set(threading.enumerate())))
    monkeypatch.setattr(Server, "run", lambda server: made.append(server))
    call_command("serve", port=free_port())
    before, server = made
    lanes = server.task_dispatcher
    try:
        assert len(set(threading.enumerate()) - before) == 8
        assert (len(lanes._pictures.threads), len(lanes.threads)) == (4, 4)
    finally:
        lanes.shutdown()
        wasyncore.close_all(server._sockets)
