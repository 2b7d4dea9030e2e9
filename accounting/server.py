"""The web server: waitress, tuned so that slow senders stop nobody, and an end that waits for requests in progress."""

import json
import re
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import takewhile
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from django.http import HttpRequest
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.proxy_headers import proxy_headers_middleware
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

from receipts.validators import file_too_large

from .middleware import request_id
from .problems import CONTENT_TYPE, Problem, answer_exception

logger = structlog.get_logger(__name__)

CONNECTIONS = 2000
FILES_PER_CONNECTION = 3  # its socket, what came in, what goes out
ARRIVAL_SECONDS = 120  # by then a request has arrived, however slowly it trickles
GRACE_SECONDS = 8.0
IN_MEMORY_BYTES = 256 * 1024  # the rest of a body waits on the disk for its thread
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|([\d.]+):\d+")

Address = IPv4Address | IPv6Address


class _TimedRequest(HTTPRequestParser):
    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.begun_at = time.time()


class _ProblemTask(ErrorTask):
    """Answers what never reaches Django in the one format of all errors."""

    def execute(self) -> None:
        refused: Any = self.request  # the stubs take it for the error that it carries
        error = refused.error
        request = HttpRequest()
        request.META["HTTP_X_REQUEST_ID"] = refused.headers.get("X_REQUEST_ID", "")
        response = answer_exception(_problem(error.code), {"request": request})
        body = json.dumps(response.data if response else {}).encode()
        # waitress' own words quote the header that it did not understand, which may hold a key
        logger.info("request_refused", status=error.code, request_id=request_id(request))
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", CONTENT_TYPE), ("X-Request-ID", request_id(request))]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _problem(status: int) -> Problem:
    match status:
        case 413:
            return file_too_large()
        case 431:
            return Problem(431, "headers_too_large", "The request's headers are too long.")
        case 500:
            return Problem(500, "internal_error", "Something went wrong on our side.")
    return Problem(status, "bad_request", "The request is not well-formed HTTP: look at its first line and headers.")


class _Channel(HTTPChannel):
    parser_class = _TimedRequest
    error_task_class = _ProblemTask


class Server(TcpWSGIServer):
    """Serves a WSGI application over HTTP/1.1 until the process is told to stop.

    Args:
        application: what answers.
        listener: a bound socket.
        threads: how many requests are answered at once; a thread takes up whole requests only.
        max_body: bytes; a longer body is refused before it is read, and not by the application.
    """

    channel_class = _Channel

    def __init__(self, application: WSGIApplication, listener: socket.socket, *, threads: int, max_body: int) -> None:
        self._stopping = False
        self._sockets: dict[int, Any] = {}
        super().__init__(
            application,
            map=self._sockets,
            _sock=listener,
            bind_socket=False,
            adj=Adjustments(
                threads=threads,
                connection_limit=_connection_limit(),
                asyncore_use_poll=True,
                channel_timeout=ARRIVAL_SECONDS,
                cleanup_interval=10,
                max_request_body_size=max_body,
                inbuf_overflow=IN_MEMORY_BYTES,
                ident=None,
                expose_tracebacks=False,
                log_socket_errors=False,
                clear_untrusted_proxy_headers=False,  # `believe_proxies` does it
            ),
        )

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let requests in progress finish, for at most `GRACE_SECONDS`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            self._turn(1.0)
        wasyncore.dispatcher.close(self)  # nobody new; those that are connected stay
        deadline = time.monotonic() + GRACE_SECONDS
        while self._is_busy() and time.monotonic() < deadline:
            self._turn(0.1)
        self.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets)

    def maintenance(self, now: float) -> None:
        """Close connections that are idle, and those whose request does not come to its end."""
        super().maintenance(now)  # type: ignore[arg-type] # the stubs take seconds for whole ones
        for channel in self._channels():
            request = channel.request
            if isinstance(request, _TimedRequest) and now - request.begun_at > ARRIVAL_SECONDS:
                channel.will_close = True

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self.pull_trigger()  # wakes the loop

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)

    def _is_busy(self) -> bool:
        return any(channel.request or channel.requests or channel.total_outbufs_len for channel in self._channels())

    def _channels(self) -> Iterable[HTTPChannel]:
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


def believe_proxies(application: WSGIApplication, proxies: Sequence[str]) -> WSGIApplication:
    """Return the application behind a layer that takes X-Forwarded-For, -Proto and -Host from these proxies only.

    In a chain, the client is the last address that is not one of ours; what it claims about those before it counts
    for nothing. What cannot be understood counts as not said: the proxy itself is the client then.

    Args:
        application: what answers.
        proxies: addresses and networks.

    Raises:
        ValueError: one of them is neither.
    """
    is_ours = _membership(proxies)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        hops = map(_address, reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")))
        ours = len(list(takewhile(is_ours, hops)))
        for header, understand in UNDERSTOOD.items():
            # each proxy may have added a value of its own; the outermost of ours saw the client
            said = environ.pop(header, "").split(",")[-1 - ours :][0].strip()
            if understood := understand(said):
                environ[header] = understood
        believing = proxy_headers_middleware(
            application,
            trusted_proxy="*" if is_ours(_address(environ["REMOTE_ADDR"])) else None,
            trusted_proxy_headers=PROXY_HEADERS,
        )
        return believing(environ, start_response)

    return answer


def _membership(proxies: Sequence[str]) -> Callable[[Address | None], bool]:
    networks = [ip_network(proxy, strict=False) for proxy in proxies]

    def is_ours(address: Address | None) -> bool:
        return address is not None and any(address in network for network in networks)

    return is_ours


def _address(hop: str) -> Address | None:
    """Return a hop's address without the port that some proxies add to it; None where it is no address."""
    hop = hop.strip()
    with_port = WITH_PORT.fullmatch(hop)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else hop)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _client(hop: str) -> str:
    address = _address(hop)
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address or "")


def _scheme(name: str) -> str:
    return name.lower() if name.lower() in ("http", "https") else ""


def _host(name: str) -> str:
    return "" if '"' in name else name  # whether it is one of ours is Django's to judge


UNDERSTOOD: dict[str, Callable[[str], str]] = {
    "HTTP_X_FORWARDED_FOR": _client,
    "HTTP_X_FORWARDED_PROTO": _scheme,
    "HTTP_X_FORWARDED_HOST": _host,
}
