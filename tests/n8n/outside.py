"""The world outside as N8N sees it: a proxy that leads to stand-ins, under real names and with TLS, and nowhere else.

So the workflows' nodes run as they are shipped, with the addresses of Notion and of OpenAI in them.
"""

import email.policy
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.support.stub_server import server_tls

PIECE_BYTES = 64 * 1024
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Call:
    """A request to somebody's API."""

    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)

    def part_named(self, name: str) -> tuple[str, bytes] | None:
        """Return the type and the bytes of a part of the form that was sent; None where there is none."""
        head = f"Content-Type: {self.headers.get('Content-Type', '')}\r\n\r\n".encode()
        form = BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        for part in form.iter_parts() if form.is_multipart() else ():
            if part.get_param("name", header="Content-Disposition") == name:
                content = part.get_payload(decode=True)
                return part.get_content_type(), content if isinstance(content, bytes) else b""
        return None


@dataclass(frozen=True)
class Reply:
    """What the API answers: JSON, or a page of somebody between."""

    status: int
    body: dict[str, Any] | list[Any] | str | None

    def encoded(self) -> tuple[str, bytes]:
        """Return its content type and its bytes."""
        if isinstance(self.body, str):
            return "text/html", self.body.encode()
        return "application/json", json.dumps(self.body).encode()


class Api(Protocol):
    """A stand-in for somebody's API."""

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        ...


@dataclass
class Proxy:
    """Where N8N's way out leads.

    Attributes:
        url: for N8N's `HTTPS_PROXY`.
        refused: the hosts that N8N asked for and nobody stands in for.
    """

    url: str
    refused: list[str] = field(default_factory=list)


@contextmanager
def outside(apis: Mapping[str, Api]) -> Iterator[Proxy]:
    """Stand in for these hosts as long as the block lasts."""
    servers = {host: _server(host, api) for host, api in apis.items()}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        ports = {host: server.server_address[1] for host, server in servers.items()}
        _start(_accept, listener, ports, proxy)
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            for server in servers.values():
                server.shutdown()
                server.server_close()


# -- the stand-ins' servers --------------------------------------------------------------------------------------------


def _server(host: str, api: Api) -> ThreadingHTTPServer:
    server = _TlsServer(("127.0.0.1", 0), _handler(api), server_tls(host))
    _start(server.serve_forever)
    return server


class _TlsServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # N8N keeps its connections

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext) -> None:
        super().__init__(address, handler)
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands on the connection's own thread."""
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = api.answer(Call(self.command, self.path, self.headers, body))
            content_type, answer = reply.encoded()
            self.send_response(reply.status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


# -- the proxy ---------------------------------------------------------------------------------------------------------


def _start(target: Any, *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def _accept(listener: socket.socket, ports: Mapping[str, int], proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            visitor, _ = listener.accept()
            _start(_connect, visitor, ports, proxy)


def _connect(visitor: socket.socket, ports: Mapping[str, int], proxy: Proxy) -> None:
    """Answer a CONNECT (RFC 9110, section 9.3.6), then carry bytes both ways."""
    with visitor, suppress(OSError):
        host = _requested_host(visitor)
        if host not in ports:
            proxy.refused.append(host)
            visitor.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", ports[host]), PATIENCE_SECONDS) as server:
            server.settimeout(None)
            visitor.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            _start(_carry, server, visitor)
            _carry(visitor, server)


def _requested_host(visitor: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head and (piece := visitor.recv(PIECE_BYTES)):
        head += piece
    target = head.decode("latin-1").split(" ")[1] if head.startswith(b"CONNECT ") else ""
    return target.rpartition(":")[0]


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
