"""A small HTTP server over raw sockets, which can be as rude as other people's servers are.

It knows nothing of our code: what it receives and sends are bytes on a loopback connection.
"""

import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from functools import cache
from http import HTTPStatus
from http.client import parse_headers
from pathlib import Path

import trustme

PATIENCE_SECONDS = 10.0
DRIP_SECONDS = 0.05
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all; closing then resets the connection
ACCEPTED = b'{"accepted": true, "execution_id": "17"}'


@dataclass(frozen=True)
class Head:
    """What came before the body."""

    method: str
    target: str
    headers: Message


@dataclass(frozen=True)
class Request(Head):
    """What was received, whole."""

    body: bytes


class Visit:
    """One connection to the server, for a behaviour to read from and write to."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self.heads: list[Head] = []
        self.requests: list[Request] = []
        self.is_over = threading.Event()
        self.connection = connection
        self._reader = connection.makefile("rb")
        self._stopping = stopping

    def read_head(self) -> Head | None:
        """Read a request up to its empty line; None where no further one comes."""
        words = self._reader.readline().decode("latin-1").split(" ")
        if len(words) != 3:
            return None
        self.heads.append(Head(words[0], words[1], parse_headers(self._reader)))
        return self.heads[-1]

    def read(self) -> Request | None:
        """Read a whole request; None where no further one comes."""
        head = self.read_head()
        if head is None:
            return None
        body = self._reader.read(int(head.headers.get("Content-Length", 0)))
        self.requests.append(Request(head.method, head.target, head.headers, body))
        return self.requests[-1]

    def send(self, data: bytes) -> None:
        """Send the bytes."""
        self.connection.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send the bytes one by one, slowly."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(DRIP_SECONDS)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, but for no longer than the server runs.

        Raises:
            ConnectionAbortedError: the server stops.
        """
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError

    def wait_until_left(self) -> None:
        """Read until the other side closes the connection."""
        while self._reader.read(65536):
            pass

    def reset(self) -> None:
        """End the connection the hard way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._reader.close()
        self.connection.close()


Behaviour = Callable[[Visit], object]


def response(status: int = 200, body: bytes = ACCEPTED, **headers: str) -> bytes:
    """Return an HTTP answer; header names are written with underscores."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode() + body


def answering(answer: bytes = response()) -> Behaviour:
    """Return a behaviour that reads each request whole and answers it, as long as there are any."""

    def behave(visit: Visit) -> None:
        while visit.read():
            visit.send(answer)

    return behave


def answering_once(answer: bytes) -> Behaviour:
    """Return a behaviour that reads one request whole, answers it, and closes the connection."""

    def behave(visit: Visit) -> None:
        visit.read()
        visit.send(answer)

    return behave


def dripping(answer: bytes, *, at_once: bytes = b"") -> Behaviour:
    """Return a behaviour that reads a request whole and answers it byte by byte."""

    def behave(visit: Visit) -> None:
        visit.read()
        visit.send(at_once)
        visit.drip(answer)

    return behave


def repeating(piece: bytes, *, at_first: bytes = b"") -> Behaviour:
    """Return a behaviour that reads a request whole and sends the same piece until nobody listens."""

    def behave(visit: Visit) -> None:
        visit.read()
        visit.send(at_first)
        while True:
            visit.send(piece)

    return behave


def silent(visit: Visit) -> None:
    """Read a request whole and never answer."""
    visit.read()
    visit.wait_until_left()


class StubServer:
    """Listens on loopback; the first connection meets the first behaviour, and so on; the last one stays."""

    def __init__(
        self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.visits: list[Visit] = []
        self._behaviours = behaviours
        self._tls = tls
        self._has_visitor = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._faults: list[Exception] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._host = host
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """Everything that was received whole."""
        return [request for visit in self.visits for request in visit.requests]

    def visit(self, number: int) -> Visit:
        """Return a connection by its number, once it is there."""
        with self._has_visitor:
            assert self._has_visitor.wait_for(lambda: len(self.visits) > number, PATIENCE_SECONDS)
        return self.visits[number]

    def start(self) -> None:
        """Begin to accept."""
        self._run(self._accept)

    def stop(self) -> None:
        """Close everything.

        Raises:
            Exception: a behaviour failed, and not because the other side had left.
        """
        self._stopping.set()
        socket.create_connection((self._host, self.port)).close()  # wakes the thread that accepts
        for visit in self.visits:
            with suppress(OSError):
                visit.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        self._listener.close()
        for fault in self._faults:
            raise fault

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for number in itertools.count():
            connection, _ = self._listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            self._run(self._serve, connection, self._behaviours[min(number, len(self._behaviours) - 1)])

    def _serve(self, connection: socket.socket, behave: Behaviour) -> None:
        with connection, suppress(OSError), self._secured(connection) as secured:
            visit = Visit(secured, self._stopping)
            with self._has_visitor:
                self.visits.append(visit)
                self._has_visitor.notify_all()
            try:
                behave(visit)
            except OSError:
                pass  # the other side has left
            except Exception as fault:
                self._faults.append(fault)
            finally:
                visit.close()
                visit.is_over.set()

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


@contextmanager
def stub_server(
    *behaviours: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[StubServer]:
    """Serve for as long as the block lasts, at any free port unless one is named."""
    server = StubServer(*behaviours, tls=tls, host=host, port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def full_listener() -> Iterator[int]:
    """Return a port that takes no more connections: whoever connects waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port: int = listener.getsockname()[1]
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=0.5)]
        with suppress(TimeoutError):
            while True:
                waiting.append(socket.create_connection(("127.0.0.1", port), timeout=0.5))
        try:
            yield port
        finally:
            for connection in waiting:
                connection.close()


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def server_tls(name: str = "127.0.0.1", *, until: datetime | None = None) -> ssl.SSLContext:
    """Return a server's TLS, with a certificate that nobody trusts unless told to by `ca_bundle`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(name, not_after=until).configure_cert(context)
    return context


def ca_bundle(folder: Path) -> str:
    """Write a file that makes whoever reads it trust the servers of `server_tls`; return its path."""
    path = folder / "authority.pem"
    _authority().cert_pem.write_to_path(str(path))
    return str(path)
