"""Holds an HTTP exchange to one total deadline, which urllib3 cannot: its time-outs begin anew with each byte."""

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from math import inf
from typing import Any, Self

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from accounting.clock import seconds_since_boot


class Watchdog:
    """Cuts the connection when the time is up, whatever waits on it.

    Used as a context manager around one exchange over a pool of `POOL_CLASSES`. Two things are not cut: looking up a
    name ends by the resolver's time-out, and connecting by the connection's; but what connects too late sends nothing.

    Args:
        seconds: for the whole exchange.
        begin_by: by `seconds_since_boot`; nothing is sent that was not begun by then, for a process may have been
            stopped, and its machine may have slept, for as long as it likes since it looked at a clock.

    Attributes:
        has_barked: the time was up.
        has_seen_sending: a request was begun, so that something may have arrived.
    """

    def __init__(self, seconds: float, *, begin_by: float = inf) -> None:
        self._begin_by = begin_by
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self.has_barked = False
        self.has_seen_sending = False

    def __enter__(self) -> Self:
        self._outer = _on_watch.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()  # so that it barks at nothing that comes later
        self._let_go()
        _on_watch.reset(self._outer)

    def watch(self, connected: socket.socket) -> None:
        """Watch over this connection from now on."""
        with self._lock:
            self._let_go()
            # a handle of its own: TLS takes the first one away from its Python object, and shuts down politely
            self._handle = socket.fromfd(connected.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            if self.has_barked:
                self._cut()

    def see_sending(self, connected: socket.socket) -> None:
        """Watch over a connection on which a request is about to be sent.

        Raises:
            TimeoutError: it is too late to begin.
        """
        if self.has_barked or seconds_since_boot() > self._begin_by:
            raise TimeoutError
        self.watch(connected)
        self.has_seen_sending = True

    def _bark(self) -> None:
        with self._lock:
            self.has_barked = True
            self._cut()

    def _cut(self) -> None:
        if self._handle is not None:
            with suppress(OSError):  # it has ended by itself
                self._handle.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._handle is not None:
            self._handle.close()


_on_watch: ContextVar[Watchdog] = ContextVar("_on_watch")


class _Connection(HTTPConnection):
    """Shows its socket to the watchdog: a new one before TLS begins on it, any before a request is sent on it."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        _on_watch.get().watch(connected)
        return connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        _on_watch.get().see_sending(self.sock)
        self.timeout = None  # the one for connecting is too short for a server that is slow to read
        super().request(*args, **kwargs)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same, with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOL_CLASSES = {"http": _Pool, "https": _SecurePool}
