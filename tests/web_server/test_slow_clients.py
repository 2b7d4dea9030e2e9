"""Clients that send slowly, do not read, or do nothing at all: everybody else is served meanwhile."""

import socket
from collections.abc import Iterator

import pytest

from tests.corpus.wire import Row, send
from tests.support.installation import Installation, wait_for
from tests.support.slow_senders import SlowSenders, idle_connections

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.any_database, pytest.mark.timeout(300)]

HEALTH = Row("health", b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200")
SCRIPT = b"GET /static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 5.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation with a web process."""
    with Installation(tmp_path_factory.mktemp("slow"), "http://127.0.0.1:9/webhook") as installation:
        installation.start_web()
        yield installation


def test_500_slow_senders_stop_nobody(site: Installation) -> None:
    with SlowSenders(site.port, 500) as senders:
        for number in range(40):
            assert site.upload(number).status_code in (200, 202)
            answer = send(HEALTH, site.port, "127.0.0.1")
            assert (answer.outcome, answer.seconds < SECONDS) == ("200", True)
        assert senders.connected() == 500


def test_more_idle_connections_than_there_is_room_for_keep_nobody_out(site: Installation) -> None:
    idle = idle_connections(site.port, 2200)
    try:
        # before their time is up, those that have waited longest make room
        wait_for(lambda: send(HEALTH, site.port, "127.0.0.2").outcome == "200", "an answer")
        assert site.upload(50).status_code == 202
    finally:
        for connection in idle:
            connection.close()


def test_clients_that_do_not_read_what_they_asked_for_occupy_no_thread(site: Installation) -> None:
    silent = [_ask_without_reading(site.port) for _ in range(16)]  # twice as many as there are threads
    try:
        for number in range(5):
            answer = send(HEALTH, site.port, "127.0.0.3")
            assert (number, answer.outcome, answer.seconds < SECONDS) == (number, "200", True)
    finally:
        for connection in silent:
            connection.close()


def _ask_without_reading(port: int) -> socket.socket:
    """Ask for a hundred megabytes in one go."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(SCRIPT * 75)
    return connection
