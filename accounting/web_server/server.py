"""The web server: waitress, tuned so that slow senders stop nobody, and an end that waits for requests in progress."""

import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from .channel import LINGER_IDLE_SECONDS, Channel
from .http_parser import HEADER_BYTES
from .lanes import Lanes

CONNECTIONS = 2000
FILES_PER_CONNECTION = 3  # its socket, what came in, what goes out
PATIENCE_SECONDS = 5  # with a client that sends nothing, or slowly, while others find no room
ROOM = 100  # connections, made at once
GRACE_SECONDS = 8.0
LAST_CALL_SECONDS = 2.0  # a proxy may be sending a request on a connection that is idle still
PIECE_BYTES = 64 * 1024  # read at a time: with waitress' 8 KB a receipt wakes the loop some thirty times
IN_MEMORY_BYTES = 256 * 1024  # the rest of a body waits on the disk for its thread


class Server(TcpWSGIServer):
    """Serves a WSGI application over HTTP/1.1 until the process is told to stop.

    Args:
        application: what answers.
        listener: a bound socket.
        lanes: the threads that answer; each takes up whole requests only.
    """

    channel_class = Channel

    def __init__(self, application: WSGIApplication, listener: socket.socket, lanes: Lanes) -> None:
        self.is_stopping = False
        self._sockets: dict[int, Any] = {}
        self._looks_again_at = 0.0
        super().__init__(
            without_content_for_head(application),
            map=self._sockets,
            _sock=listener,
            bind_socket=False,
            dispatcher=lanes,
            adj=Adjustments(
                connection_limit=_connection_limit(),
                asyncore_use_poll=True,
                max_request_header_size=HEADER_BYTES,
                max_request_body_size=sys.maxsize,  # `accounting.api.body_limits` says it for each address
                inbuf_overflow=IN_MEMORY_BYTES,
                recv_bytes=PIECE_BYTES,
                ident=None,
                expose_tracebacks=False,
                log_socket_errors=False,
                clear_untrusted_proxy_headers=False,  # `proxies.believe_proxies` does it
            ),
        )

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let requests in progress finish, for at most `GRACE_SECONDS`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.is_stopping:
            self._turn(1.0)
        self._let_in_who_waits()
        wasyncore.dispatcher.close(self)  # nobody new; those that are connected stay
        stopped_at = time.monotonic()
        while self._is_needed(time.monotonic() - stopped_at):
            self._turn(0.1)
        self.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets)

    def _let_in_who_waits(self) -> None:
        """Accept the connections that the kernel has made already: it would reset them."""
        listening: Any = self.socket
        door = select.poll()
        door.register(listening, select.POLLIN)
        for _ in range(self.adj.backlog):
            if not door.poll(0):
                break
            self.handle_accept()

    def _is_needed(self, seconds: float) -> bool:
        """Tell whether to go on, so long after it was told to stop; each answer ends its connection then."""
        if seconds > GRACE_SECONDS:
            return False
        return self._is_busy() or (seconds < LAST_CALL_SECONDS and bool(self.active_channels))

    def maintenance(self, _: float) -> None:
        """Do nothing: waitress asks for it by a clock that may jump."""

    def readable(self) -> bool:
        """Tell whether somebody new may come in; each turn of the loop asks, so this is where others are let go."""
        now = time.monotonic()
        if now >= self._looks_again_at:
            self._looks_again_at = now + LINGER_IDLE_SECONDS
            self.end_what_is_over(now)
        if len(self._sockets) >= self.adj.connection_limit:
            self._make_room(now)
        return super().readable()

    def end_what_is_over(self, now: float) -> None:
        """End connections that have waited for their clients long enough."""
        for channel in self._channels():
            if not channel.will_close and channel.is_over(now):
                channel.end()

    def _make_room(self, now: float) -> None:
        """Close those that have waited longest, idle or slow, so that nobody keeps others out by doing nothing."""
        waiting = [channel for channel in self._channels() if channel.waited(now) > PATIENCE_SECONDS]
        for channel in sorted(waiting, key=lambda channel: channel.waited(now))[-ROOM:]:
            channel.handle_close()

    def _stop(self, *_: object) -> None:
        self.is_stopping = True
        self.pull_trigger()  # wakes the loop

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)

    def _is_busy(self) -> bool:
        return any(channel.request or channel.requests or channel.total_outbufs_len for channel in self._channels())

    def _channels(self) -> list[Channel]:
        channels: Any = self.active_channels
        return list(channels.values())


def _connection_limit() -> int:
    """Return how many connections there are files for, once the process may have as many as it can be given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS * FILES_PER_CONNECTION
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(CONNECTIONS, soft // FILES_PER_CONNECTION)


def without_content_for_head(application: WSGIApplication) -> WSGIApplication:
    """Return the application behind a layer that drops what answers to HEAD contain (RFC 9110 section 9.3.2).

    Neither Django nor waitress does; on a connection that stays open, the client takes it for the next answer.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response: Any = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "HEAD":
            return response  # type: ignore[no-any-return] # what the application returned
        if hasattr(response, "close"):
            response.close()
        return ()

    return answer
