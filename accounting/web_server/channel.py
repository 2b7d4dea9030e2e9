"""A client's connection: how long it may take, and how it ends so that a refusal is read."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel

from accounting.problems import Problem

from .http_parser import CannotKeepBody, RequestParser
from .tasks import ProblemTask, Task

ARRIVAL_SECONDS = 120  # by then a request has arrived, however slowly it trickles
# what nginx allows (https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close)
LINGER_SECONDS = 30
LINGER_IDLE_SECONDS = 5
LINGER_BYTES = 64 * 1024 * 1024
# Buffers of answers that nobody has read yet, before the next request is looked at: an answer that is a file has three,
# and the file stays open as long (`server.FILES_PER_CONNECTION`). Requests may come by the thousand at once.
READY = 2
READ_SECONDS = 10  # in which a client reads something of a long answer
SLOW_READERS = 2  # may each keep a thread waiting

_slow_readers = threading.BoundedSemaphore(SLOW_READERS)


class Channel(HTTPChannel):
    """A connection.

    A refused client may still be sending. Closed at once, the kernel would answer its next bytes with a reset, which
    throws the answer away before it is read; so only our side is closed, and what comes is dropped for a while
    (RFC 9112 section 9.6).
    """

    parser_class = RequestParser
    task_class = Task
    error_task_class = ProblemTask

    will_linger = False
    lingers_since = 0.0
    dropped_bytes = 0

    @property
    def last_activity(self) -> float:
        """When something was read or written, by the clock that never jumps."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        """Take note of the moment in which waitress says so; it says it by the other clock."""
        self._active_at = time.monotonic()

    def handle_write(self) -> None:
        """Send what is ready; then close, or begin to linger."""
        if self.will_close or not (self.will_linger and self.close_when_flushed):
            super().handle_write()
            return
        channel: Any = self  # the stubs leave these two out
        channel._flush_exception(channel._flush_some)
        if self.connected and not self.total_outbufs_len:
            self._begin_to_linger()

    def received(self, data: bytes) -> bool:
        """Take in what came, or drop it."""
        if not self.lingers_since:
            return super().received(data)
        self.dropped_bytes += len(data)
        self.will_close = self.will_close or self.dropped_bytes > LINGER_BYTES
        return False

    def service(self) -> None:
        """Answer one request; of who reads no answers, no other is answered."""
        try:
            super().service()
        except ClientDisconnected:  # cut off between two requests
            channel: Any = self  # the stubs leave the lock out
            with channel.requests_lock:
                for request in self.requests:
                    request.close()
                self.requests = []

    def handle_close(self) -> None:
        """End it, and let go at once of a body that will not come to its end: its file would wait to be collected."""
        super().handle_close()
        if self.request:
            self.request.close()
            self.request = None

    def waited(self, now: float) -> float:
        """Return for how many seconds it has waited for its client to send a whole request, or to read an answer.

        Args:
            now: by `time.monotonic`.
        """
        if self.requests:
            return 0.0  # it is our turn
        request: RequestParser | None = self.request  # type: ignore[assignment] # made by `parser_class`
        return now - (self.lingers_since or (request.begun_at if request else self.last_activity))

    def is_over(self, now: float) -> bool:
        """Tell whether it has waited long enough."""
        if self.lingers_since and now - self.last_activity > LINGER_IDLE_SECONDS:
            return True
        return self.waited(now) > (LINGER_SECONDS if self.lingers_since else ARRIVAL_SECONDS)

    def end(self) -> None:
        """End it; a client whose request did not arrive whole in time is told so (RFC 9110 section 15.5.9)."""
        request: RequestParser | None = self.request  # type: ignore[assignment] # as above
        if self.lingers_since or request is None or not request.headers_finished:
            self.will_close = True
            return
        request.refuse(CannotKeepBody(_too_slow()))
        channel: Any = self  # the stubs leave the lock out
        with channel.requests_lock:
            channel.requests.append(request)
            self.request = None
            channel.server.add_task(self)

    def _begin_to_linger(self) -> None:
        self.will_linger = self.close_when_flushed = False
        self.lingers_since = time.monotonic()
        try:
            connected: Any = self.socket
            connected.shutdown(socket.SHUT_WR)
        except OSError:  # the client has gone
            self.will_close = True

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait for who reads a long answer slowly; cut off who lets it lie, and whoever is one too many.

        waitress would let a thread wait for any client, without end.

        Raises:
            ClientDisconnected: it is cut off, and what makes the answer need not go on.
        """
        if self._is_flooded() and not self._is_read_at_once() and not self._wait_for_reader():
            self.will_close = True
            with suppress(OSError):  # a socket that is full would never be ready to be closed by the loop
                connected: Any = self.socket
                connected.shutdown(socket.SHUT_RDWR)
            self.server.pull_trigger()
            raise ClientDisconnected

    def _is_flooded(self) -> bool:
        channel: Any = self  # the stubs leave them out
        is_full = self.total_outbufs_len > self.adj.outbuf_high_watermark or len(channel.outbufs) > READY
        return self.connected and not self.will_close and is_full

    def _is_read_at_once(self) -> bool:
        """Send what the client's side has room for, and tell whether that is enough."""
        channel: Any = self
        with self.outbuf_lock:
            channel._flush_exception(channel._flush_some, do_close=False)
            return not self._is_flooded()

    def _wait_for_reader(self) -> bool:
        """Wait until there is room for more, and tell whether there is."""
        if not _slow_readers.acquire(blocking=False):
            return False
        try:
            with self.outbuf_lock:
                while self._is_flooded():
                    left = self.total_outbufs_len
                    self.server.pull_trigger()  # wakes the loop, which sends
                    self.outbuf_lock.wait(READ_SECONDS)
                    if self.total_outbufs_len >= left:
                        return False
            return True
        finally:
            _slow_readers.release()


def _too_slow() -> Problem:
    return Problem(408, "too_slow", f"The request did not arrive whole within {ARRIVAL_SECONDS} s; send it again.")
