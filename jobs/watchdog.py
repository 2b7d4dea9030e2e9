"""Holds an HTTP exchange to one total deadline, which urllib3 cannot: its time-outs begin anew with each byte."""

import math
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, Self

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Watchdog:
    """Cuts the connection when the time is up, whatever waits on it.

    Used as a context manager around one exchange over a pool of `POOL_CLASSES`. Two things are not cut: looking up a
    name ends by the resolver's time-out, and connecting by the connection's; but what connects too late sends nothing.

    Attributes:
        has_barked: the time was up.
        has_seen_sending: a request was begun, so that something may have arrived.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self.has_barked = False
        self.has_seen_sending = False

    def __enter__(self) -> Self:
        self._outer = _on_watch.set(self)
        _alarm.set(self, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        _alarm.take_back(self)  # so that it barks at nothing that comes later
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
        if self.has_barked:
            raise TimeoutError
        self.watch(connected)
        self.has_seen_sending = True

    def bark(self) -> None:
        """Cut the connection: the time is up."""
        with self._lock:
            self.has_barked = True
            self._cut()

    def _cut(self) -> None:
        if self._handle is not None:
            try:
                self._handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def _let_go(self) -> None:
        if self._handle is not None:
            self._handle.close()


class _Alarm:
    """Wakes each watchdog in time, from one thread for all of them: one for each exchange cost more than the exchange.

    The thread is told of an exchange only where it would sleep too long for it; of one that has ended it is not.
    """

    def __init__(self) -> None:
        self._sooner = threading.Condition()
        self._ends: dict[Watchdog, float] = {}
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def set(self, watchdog: Watchdog, seconds: float) -> None:
        """Wake this one in so many seconds, unless it is taken back."""
        with self._sooner:
            self._ends[watchdog] = end = time.monotonic() + seconds
            if self._thread is None or not self._thread.is_alive():  # a fork has none
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif end < self._wakes_at:
                self._sooner.notify()

    def take_back(self, watchdog: Watchdog) -> None:
        """Let it sleep; when this returns it is not barking, either."""
        with self._sooner:
            self._ends.pop(watchdog, None)

    def _run(self) -> None:
        with self._sooner:
            while True:
                self._wake_whose_time_is_up(time.monotonic())
                self._wakes_at = min(self._ends.values(), default=math.inf)
                self._sooner.wait(None if self._wakes_at == math.inf else self._wakes_at - time.monotonic())

    def _wake_whose_time_is_up(self, now: float) -> None:
        for watchdog in [watchdog for watchdog, end in self._ends.items() if end <= now]:
            del self._ends[watchdog]
            watchdog.bark()


_alarm = _Alarm()
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
