"""An exchange is held to its deadline, and nothing is cut that comes after it."""

import socket
from collections.abc import Iterator

import pytest

from jobs.watchdog import Watchdog

SOON, LATE = 0.1, 600.0
BOUND_SECONDS = 10.0


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end of a connection, and the other one, which says nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(BOUND_SECONDS)
        yield ours, theirs


def wait_for_end(connected: socket.socket) -> None:
    """Read until the connection is cut; a time-out fails the test."""
    assert connected.recv(1) == b""


def test_a_connection_is_cut_when_its_time_is_up(connection: tuple[socket.socket, socket.socket]) -> None:
    with Watchdog(SOON) as watchdog:
        watchdog.watch(connection[0])
        wait_for_end(connection[0])
    assert watchdog.has_barked


def test_a_short_deadline_counts_beside_a_long_one(connection: tuple[socket.socket, socket.socket]) -> None:
    with Watchdog(LATE) as patient, Watchdog(SOON) as watchdog:
        watchdog.watch(connection[0])
        wait_for_end(connection[0])
    assert (patient.has_barked, watchdog.has_barked) == (False, True)


def test_a_deadline_counts_after_one_that_was_not_needed(connection: tuple[socket.socket, socket.socket]) -> None:
    with Watchdog(SOON / 2):
        pass
    with Watchdog(SOON) as watchdog:
        watchdog.watch(connection[0])
        wait_for_end(connection[0])
    assert watchdog.has_barked


def test_nothing_is_cut_once_the_exchange_is_over(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    with Watchdog(SOON) as over:
        over.watch(ours)
    with Watchdog(2 * SOON) as later:  # when this one barks, the other's time was up
        other, end = socket.socketpair()
        with other, end:
            other.settimeout(BOUND_SECONDS)
            later.watch(other)
            wait_for_end(other)
    theirs.send(b"x")
    assert ours.recv(1) == b"x"
    assert not over.has_barked
