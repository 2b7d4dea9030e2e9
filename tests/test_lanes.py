"""What has to do with pictures has threads of its own: it waits for its like, and nobody waits for it."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from accounting import connections
from accounting.lanes import Lanes
from accounting.problems import RETRY_AFTER_SECONDS

from .installation import wait_for
from .serving import serving

UPLOAD, ADMIN_UPLOAD = ("POST", "/api/v1/receipts/upload"), ("POST", "/admin/jobs/joblog/add/")
THUMBNAIL = "GET", "/admin/receipts/receipt/01920000-0000-7000-8000-000000000000/thumbnail/"
ABOUT_PICTURES = {UPLOAD, ADMIN_UPLOAD, THUMBNAIL}
LANE = 2


class Application:
    """Answers everything at once but what has to do with pictures: that waits until it is let go on."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_go_on = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) in ABOUT_PICTURES:
            with self._lock:
                self.begun += 1
            self.may_go_on.wait(30)
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


def ask(port: int, method: str, path: str) -> tuple[int, str | None]:
    """Return the answer's status, and its Retry-After."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, b"")
        answer = connection.getresponse()
        return answer.status, answer.headers["Retry-After"]


def test_pictures_that_take_long_keep_nobody_else_waiting(application: Application, port: int) -> None:
    waiting = [start(port, *asked) for asked in (UPLOAD, ADMIN_UPLOAD, THUMBNAIL, UPLOAD)]
    wait_for(lambda: application.begun == LANE, "the first of them")

    for method, (_, path) in (("POST", ("", "/api/v1/jobs/callback")), ("GET", UPLOAD), ("GET", ADMIN_UPLOAD)):
        assert ask(port, method, path) == (200, None)

    assert application.begun == LANE, "a picture took the thread that is there for all else"
    application.may_go_on.set()
    for thread in waiting:
        thread.join(20)
    assert application.begun == len(waiting)


def test_who_has_waited_so_long_that_his_client_may_be_gone_is_told_to_come_again(
    application: Application, lanes: Lanes, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [start(port, *UPLOAD) for _ in range(LANE)]
    wait_for(lambda: application.begun == LANE, "those before")
    answers: list[tuple[int, str | None]] = []
    late = threading.Thread(target=lambda: answers.append(ask(port, *UPLOAD)))
    late.start()
    wait_for(lambda: lanes._pictures.queue, "the one that has to wait")
    monkeypatch.setattr(connections, "QUEUE_SECONDS", 0)
    application.may_go_on.set()
    for thread in (*busy, late):
        thread.join(20)
    assert answers == [(503, str(RETRY_AFTER_SECONDS))]
    assert application.begun == LANE


def test_what_is_no_request_at_all_is_refused_beside_uploads(application: Application, port: int) -> None:
    upload = start(port, *UPLOAD)
    wait_for(lambda: application.begun, "the upload")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"no request\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 400 Bad Request\r\n")
    application.may_go_on.set()
    upload.join(20)


def test_the_threads_of_both_lanes_end() -> None:
    before = threading.active_count()
    lanes = Lanes(pictures=LANE, all_else=1)  # not the fixture's, which are there before they are counted
    wait_for(lambda: threading.active_count() == before + LANE + 1, "the threads")
    lanes.shutdown(timeout=10)
    wait_for(lambda: threading.active_count() == before, "their end")


def test_a_thread_that_does_not_end_is_not_waited_for_longer_than_told(
    application: Application, lanes: Lanes, port: int
) -> None:
    upload = start(port, *UPLOAD)
    wait_for(lambda: application.begun, "the upload")
    begun = time.monotonic()
    lanes.shutdown(timeout=1)
    assert time.monotonic() - begun < 10
    application.may_go_on.set()
    upload.join(20)
