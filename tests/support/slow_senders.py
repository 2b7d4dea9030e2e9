"""Clients that keep a server waiting: many connections on one thread, each sending a byte a second or nothing."""

import contextlib
import resource
import socket
import threading
import time
from itertools import cycle, islice
from typing import Self

TICKS = 20  # in a second; at each of them some of the senders send their byte
UPLOAD = b"POST /api/v1/receipts/upload HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def slow_headers() -> tuple[bytes, bytes]:
    """Return what such a client sends at once, and what it sends byte by byte."""
    return b"", UPLOAD + b"X-Padding: " + b"x" * 5000


def slow_body() -> tuple[bytes, bytes]:
    """Return the same of a client whose headers come at once."""
    return UPLOAD + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 50000\r\n\r\n", b"x" * 50_000


class SlowSenders:
    """Slow senders, half of them with slow headers, the others with slow bodies.

    Args:
        port: the server's, on loopback.
        size: how many they are.
    """

    def __init__(self, port: int, size: int) -> None:
        allow_files(size + 500)
        kinds = islice(cycle([slow_headers(), slow_body()]), size)
        self._clients = [_Client(port, *kind) for kind in kinds]
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()
        for client in self._clients:
            client.socket.close()

    def connected(self) -> int:
        """Return how many the server has not cut off yet."""
        return sum(client.is_connected for client in self._clients)

    def _send(self) -> None:
        for tick in cycle(range(TICKS)):
            for client in self._clients[tick::TICKS]:
                client.send_a_byte()
            if self._leaving.wait(1 / TICKS):
                return


class _Client:
    def __init__(self, port: int, at_once: bytes, slowly: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.is_connected = True
        self.socket.sendall(at_once)
        self._rest = iter(slowly)

    def send_a_byte(self) -> None:
        try:
            self.socket.send(bytes([next(self._rest)]))
        except OSError:
            self.is_connected = False


def idle_connections(port: int, number: int) -> list[socket.socket]:
    """Return that many connections over which nothing is sent."""
    allow_files(number + 500)
    connections = []
    for _ in range(number):
        with contextlib.suppress(TimeoutError):  # no room for more
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        time.sleep(0.0005)
    return connections


def allow_files(number: int) -> None:
    """Let this process open that many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))
