"""A client's connection: how its refusals are worded, and how it ends so that they are read."""

import json
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

import structlog
from django.http import HttpRequest
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask

from accounting.middleware import WAITED_SECONDS, request_id
from accounting.problems import CONTENT_TYPE, Problem, answer_exception

from .http_parser import CannotKeepBody, RequestParser

logger = structlog.get_logger(__name__)

ARRIVAL_SECONDS = 120  # by then a request has arrived, however slowly it trickles
# what nginx allows (https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close)
LINGER_SECONDS = 30
LINGER_IDLE_SECONDS = 5
LINGER_BYTES = 64 * 1024 * 1024
READ_SECONDS = 10  # in which a client reads something of a long answer
SLOW_READERS = 2  # may each keep a thread waiting

_slow_readers = threading.BoundedSemaphore(SLOW_READERS)


class _Task(WSGITask):
    """Tells the application how long the request has waited, and the client where the server is about to end."""

    def get_environment(self) -> WSGIEnvironment:
        """Return what the application is told of the request."""
        request: Any = self.request  # the stubs take it for an error
        environ: WSGIEnvironment = super().get_environment()
        environ.setdefault(WAITED_SECONDS, time.monotonic() - request.waits_since)
        return environ

    def build_response_header(self) -> bytes:
        """Return the first line and the headers."""
        channel: Any = self.channel
        if channel.server.is_stopping:
            self.set_close_on_finish()
        return super().build_response_header()

    def set_close_on_finish(self) -> None:
        """End the connection with this answer, unless waitress asks for it only because the answer has no length."""
        if not self._ends_with_its_headers():
            super().set_close_on_finish()

    def _ends_with_its_headers(self) -> bool:
        """Tell whether the answer is a 204 or 304, after which another may follow (RFC 9112 section 6.3)."""
        channel, request = cast(Any, self.channel), cast(RequestParser, self.request)
        wishes = [wish.strip() for wish in request.headers.get("CONNECTION", "").lower().split(",")]
        return not (self.has_body or self.version == "1.0" or "close" in wishes or channel.server.is_stopping)


class _ProblemTask(ErrorTask):
    """Answers what never reaches Django in the one format of all errors."""

    def execute(self) -> None:
        refused: Any = self.request  # the stubs take it for the error that it carries
        channel: Any = self.channel
        request = HttpRequest()
        request.META["HTTP_X_REQUEST_ID"] = refused.headers.get("X_REQUEST_ID", "")
        problem = _problem(refused)
        response = answer_exception(problem, {"request": request})
        body = json.dumps(response.data if response else {}).encode()
        # waitress' own words quote the header that it did not understand, which may hold a key
        logger.info("request_refused", status=problem.status_code, request_id=request_id(request))
        self.status = f"{problem.status_code} {HTTPStatus(problem.status_code).phrase}"
        self.response_headers = [("Content-Type", CONTENT_TYPE), ("X-Request-ID", request_id(request))]
        self.response_headers += problem.headers.items()
        self.set_close_on_finish()
        channel.will_linger = True
        self.content_length = len(body)
        self.write(body)


def _problem(refused: RequestParser) -> Problem:
    if isinstance(refused.error, CannotKeepBody):
        return refused.error.problem
    match refused.error and refused.error.code:
        case 413:
            return refused.body_limit.problem()
        case 431:
            return Problem(431, "headers_too_large", "The request's headers are too long.")
        case 500:
            return Problem(500, "internal_error", "Something went wrong on our side.")
    return Problem(400, "bad_request", "The request is not well-formed HTTP: look at its first line and headers.")


class Channel(HTTPChannel):
    """A connection.

    A refused client may still be sending. Closed at once, the kernel would answer its next bytes with a reset, which
    throws the answer away before it is read; so only our side is closed, and what comes is dropped for a while
    (RFC 9112 section 9.6).
    """

    parser_class = RequestParser
    task_class = _Task
    error_task_class = _ProblemTask

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
        if self._is_flooded() and not self._wait_for_reader():
            self.will_close = True
            with suppress(OSError):  # a socket that is full would never be ready to be closed by the loop
                connected: Any = self.socket
                connected.shutdown(socket.SHUT_RDWR)
            self.server.pull_trigger()
            raise ClientDisconnected

    def _is_flooded(self) -> bool:
        return self.connected and not self.will_close and self.total_outbufs_len > self.adj.outbuf_high_watermark

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
