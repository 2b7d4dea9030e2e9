"""The web process: what it needs before it serves, how it ends, and what it refuses."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from waitress import wasyncore

from accounting.web_server.channel import ARRIVAL_SECONDS
from accounting.web_server.lanes import Lanes
from accounting.web_server.server import GRACE_SECONDS, Server
from tests.support.installation import wait_for
from tests.support.outages import frozen, is_stopped
from tests.support.servers import free_port

from .in_process_server import tell_caller, turned

pytestmark = pytest.mark.any_database  # each process is told of one

HALF_A_REQUEST = (
    b"POST /api/v1/jobs/callback HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\n{}"
)


@dataclass(frozen=True)
class Web:
    """A running web process."""

    process: subprocess.Popen[bytes]
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def accepts(self) -> bool:
        try:
            self.connect().close()
        except ConnectionError:
            return False
        return True

    def answer(self, request: bytes) -> str:
        with self.connect() as client:
            client.sendall(request)
            return client.makefile("rb").read().decode()


def serve(*options: str) -> list[str]:
    return [sys.executable, "manage.py", "serve", *options]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    address = {"PUBLIC_BASE_URL": "http://127.0.0.1:8000", "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
    return os.environ | address | settings


def serve_in_vain(folder: Path, *options: str, **settings: str) -> str:
    """Start a server that cannot start; return the one sentence that it has to say."""
    result = subprocess.run(
        serve(*options), env=environment(folder, **settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a database that is migrated."""
    folder = tmp_path_factory.mktemp("web")
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, env=environment(folder), check=True)
    return folder


@pytest.fixture
def web(migrated: Path) -> Iterator[Web]:
    """Return a web process, killed at the end."""
    port = free_port()
    with (migrated / "log").open("wb") as log:
        process = subprocess.Popen(serve(f"--port={port}"), env=environment(migrated), stderr=log)
    running = Web(process, port)
    try:
        wait_for(running.accepts, "the web server")
        yield running
    finally:
        process.kill()
        process.wait()


# -- before it serves --------------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_a_database_that_was_empty_is_named_for_its_address_may_be_wrong(tmp_path: Path) -> None:
    message = serve_in_vain(tmp_path)

    assert f"The database {tmp_path}/db.sqlite3 is empty: look at DATABASE_URL" in message
    assert "run `manage.py migrate`, or start with --migrate" in message


@pytest.mark.processes
def test_it_says_what_is_not_migrated(tmp_path: Path) -> None:
    first = [sys.executable, "manage.py", "migrate", "--verbosity=0", "receipts", "0001"]
    subprocess.run(first, env=environment(tmp_path), check=True)
    message = serve_in_vain(tmp_path)

    assert re.search(r"The database lacks \d+ migrations, the first is \S+: run `manage.py migrate`", message)


@pytest.mark.processes
def test_a_taken_port_is_one_sentence(migrated: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = serve_in_vain(migrated, f"--port={port}")

    assert f"port {port} of 127.0.0.1, address already in use" in message


@pytest.mark.processes
def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    message = serve_in_vain(tmp_path, DATABASE_URL=f"postgresql://user:canary@127.0.0.1:{free_port()}/receipts")

    assert "DATABASE_URL" in message
    assert "canary" not in message


@pytest.mark.processes
def test_a_proxy_that_is_no_address_is_one_sentence(migrated: Path) -> None:
    message = serve_in_vain(migrated, TRUSTED_PROXIES="nginx")

    assert "TRUSTED_PROXIES cannot be understood" in message


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_lets_nobody_in_and_a_request_in_progress_finish(web: Web, number: signal.Signals) -> None:
    with web.connect() as client, web.connect():  # the second connection is idle: it is not waited for
        client.sendall(HALF_A_REQUEST)
        assert web.answer(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")  # so the half one was seen, too
        web.process.send_signal(number)
        wait_for(lambda: not web.accepts(), "the end of accepting")
        client.sendall(b"  ")

        assert client.recv(100).startswith(b"HTTP/1.1 401")
        assert web.process.wait(GRACE_SECONDS - 0.5) == 0


@pytest.mark.processes
def test_told_to_stop_it_still_answers_on_a_connection_that_was_idle_and_says_that_it_ends(web: Web) -> None:
    with closing(HTTPConnection("127.0.0.1", web.port, timeout=30)) as proxy:
        assert _status_and_connection(proxy) == (200, None)
        web.process.terminate()
        wait_for(lambda: not web.accepts(), "the end of accepting")
        assert _status_and_connection(proxy) == (200, "close")
        assert web.process.wait(GRACE_SECONDS) == 0


@pytest.mark.processes
def test_told_to_stop_it_answers_those_who_had_come_and_were_not_let_in_yet(web: Web) -> None:
    assert web.answer(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")  # so it serves, and knows what a signal means
    with ExitStack() as stack:
        with frozen(web.process.pid):
            wait_for(lambda: is_stopped(web.process.pid), "the server to fall asleep")
            waiting = [stack.enter_context(web.connect()) for _ in range(3)]  # a turn of its loop lets in one
            for client in waiting:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            web.process.terminate()
        assert [client.recv(100).partition(b"\r\n")[0] for client in waiting] == [b"HTTP/1.1 200 OK"] * 3
        assert web.process.wait(GRACE_SECONDS) == 0


def _status_and_connection(connection: HTTPConnection) -> tuple[int, str | None]:
    """Ask on a connection that may stay open; return the status, and what the answer says of the connection."""
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["Connection"]


# -- what it refuses ---------------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_what_does_not_reach_django_is_refused_in_the_one_format_of_errors(web: Web) -> None:
    too_long = web.answer(
        b"POST /api/v1/receipts/upload HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n"
        b"Content-Length: 99999999\r\nX-Request-Id: mine\r\n\r\n"
    )
    assert too_long.startswith("HTTP/1.1 413")
    assert "Content-Type: application/problem+json" in too_long
    assert '"code": "file_too_large"' in too_long
    assert '"request_id": "mine"' in too_long

    broken = web.answer(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
    assert broken.startswith("HTTP/1.0 400")
    assert '"code": "bad_request"' in broken

    endless = web.answer(b"GET / HTTP/1.1\r\nHost: x\r\nX: ".ljust(256 * 1024, b"x"))
    assert endless.startswith("HTTP/1.0 431")
    assert '"code": "headers_too_large"' in endless

    assert all("\r\nX-Request-Id: " in answer for answer in (too_long, broken, endless))
    assert not any("Server-Timing" in answer for answer in (too_long, broken, endless))  # as docs/api.md says


@pytest.mark.processes
def test_a_header_that_is_not_understood_is_not_quoted(web: Web) -> None:
    request = b"GET /api/v1/jobs/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Api-Key canary\n0451\r\n\r\n"
    answer = web.answer(request)
    assert answer.partition("\r\n")[0].endswith(" 400 Bad Request")
    assert "canary" not in answer


def test_a_request_that_does_not_come_to_its_end_is_refused_however_busy_its_sender_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server = Server(tell_caller, listener, Lanes(pictures=1, all_else=1))
        try:
            client.sendall(HALF_A_REQUEST)
            wait_for(lambda: turned(server) and server._is_busy(), "the half of a request")
            server.end_what_is_over(time.monotonic() + ARRIVAL_SECONDS - 5)
            assert server._is_busy()

            for channel in server._channels():
                channel._active_at = time.monotonic() + ARRIVAL_SECONDS  # as if it had just sent another byte
            server.end_what_is_over(time.monotonic() + ARRIVAL_SECONDS + 5)
            wait_for(lambda: turned(server) and any(one.lingers_since for one in server._channels()), "the refusal")
            client.settimeout(10)
            head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")  # to its end: no more is answered
            assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"\r\nConnection: close" in head
            assert json.loads(body)["code"] == "too_slow"
        finally:
            server.task_dispatcher.shutdown()
            wasyncore.close_all(server._sockets)


def test_whoever_does_not_come_to_the_end_of_the_headers_is_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server = Server(tell_caller, listener, Lanes(pictures=1, all_else=1))
        try:
            client.sendall(HALF_A_REQUEST[:20])
            wait_for(lambda: turned(server) and server._is_busy(), "the half of a line")
            server.end_what_is_over(time.monotonic() + ARRIVAL_SECONDS + 5)
            wait_for(lambda: turned(server) and not server._is_busy(), "the cut")
            assert client.recv(1) == b""
        finally:
            server.task_dispatcher.shutdown()
            wasyncore.close_all(server._sockets)


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_ends_no_upload_on_its_way_and_keeps_none_for_longer(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, monotonic = time.time, time.monotonic
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server = Server(tell_caller, listener, Lanes(pictures=1, all_else=1))
        try:
            client.sendall(HALF_A_REQUEST)
            wait_for(lambda: turned(server) and server._is_busy(), "the half of a request")
            monkeypatch.setattr(time, "time", lambda: wall() + jump)
            monkeypatch.setattr(time, "monotonic", lambda: monotonic() + ARRIVAL_SECONDS - 20)
            assert all(turned(server) for _ in range(3))
            assert server._is_busy()

            monkeypatch.setattr(time, "monotonic", lambda: monotonic() + ARRIVAL_SECONDS + 20)
            wait_for(lambda: turned(server) and not server._is_busy(), "the cut")
        finally:
            server.task_dispatcher.shutdown()
            wasyncore.close_all(server._sockets)
