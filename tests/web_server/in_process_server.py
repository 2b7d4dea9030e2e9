"""A web server in this process, for an application of the test's own."""

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress import wasyncore

from accounting.web_server.lanes import Lanes
from accounting.web_server.server import Server


@contextmanager
def serving(application: WSGIApplication, lanes: Lanes) -> Iterator[tuple[Server, int]]:
    """Lend a server, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(application, listener, lanes)
        stop = threading.Event()
        loop = threading.Thread(target=_turn_until, args=[server, stop])
        loop.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            stop.set()
            loop.join(20)
            wasyncore.close_all(server._sockets)
            lanes.shutdown()


def _turn_until(server: Server, stop: threading.Event) -> None:
    while not stop.is_set():
        server._turn(0.05)


def turned(server: Server) -> bool:
    """Let a server of which nothing runs look once what there is to do."""
    server._turn(0.01)
    return True


def tell_caller(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with what a Django view would see of the caller."""
    start_response("200 OK", [])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {environ['HTTP_HOST']}".encode()]
