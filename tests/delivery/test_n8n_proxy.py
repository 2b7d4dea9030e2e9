"""Deliveries through the proxy that the environment names: under the same deadline, and telling it little."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jobs import n8n
from jobs.delivery_errors import ErrorCode
from tests.support.deliveries import API_KEY, DEADLINE_SECONDS, WEBHOOK, leaving_no_trace, n8n_client
from tests.support.stub_server import (
    ACCEPTED,
    Behaviour,
    Visit,
    answering,
    ca_bundle,
    dripping,
    full_listener,
    server_tls,
    silent,
    stub_server,
)

READY = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with leaving_no_trace(caplog):
        yield


@pytest.fixture(autouse=True)
def _no_other_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return the path of a CA bundle that trusts the stub servers."""
    return ca_bundle(tmp_path)


def tunnelling(visit: Visit) -> None:
    """Take a CONNECT and pass on what comes from either side, as a proxy does."""
    head = visit.read_head()
    assert head is not None
    host, _, port = head.target.partition(":")
    with socket.create_connection((host, int(port))) as onward:
        visit.send(READY)
        back = threading.Thread(target=_pump, args=(onward, visit.connection))
        back.start()
        _pump(visit.connection, onward)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def test_without_tls_the_proxy_gets_the_request_and_its_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_server(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://anna:p%40ss@127.0.0.1:{proxy.port}")
        with n8n_client("http://n8n.example") as post:
            assert post().body == ACCEPTED
        (request,) = proxy.requests
        assert request.target == f"http://n8n.example{WEBHOOK}"
        assert request.headers["Authorization"] == f"Bearer {API_KEY}"
        assert request.headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"anna:p@ss").decode()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
def test_with_tls_the_proxy_learns_the_host_only(monkeypatch: pytest.MonkeyPatch, bundle: str, address: str) -> None:
    with stub_server(answering(), tls=server_tls()) as server, stub_server(tunnelling) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", address.format(proxy.port))
        with n8n_client(server.url, verify=bundle) as post:
            assert post().body == ACCEPTED
        assert [(head.method, head.target) for head in proxy.visits[0].heads] == [
            ("CONNECT", f"127.0.0.1:{server.port}")
        ]
        assert "Authorization" not in proxy.visits[0].heads[0].headers
        assert len(server.requests) == 1


def test_the_deadline_holds_behind_a_proxy(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    with stub_server(silent, tls=server_tls()) as server, stub_server(tunnelling) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with n8n_client(server.url, verify=bundle, deadline=DEADLINE_SECONDS) as post:
            answer = post()
        assert answer.error is ErrorCode.TIMED_OUT
        assert answer.milliseconds >= DEADLINE_SECONDS * 1000


def refusing(visit: Visit) -> None:
    visit.read_head()
    visit.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "behaviour",
    [
        refusing,
        pytest.param(Visit.read_head, id="closing"),
        pytest.param(
            dripping(b"x" * 1000, at_once=READY[:-2] + b"X: "),
            id="dripping",
            # ssl leaves a socket that was cut before its handshake to be closed by whoever collects it, with a warning
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
        ),
    ],
)
def test_a_proxy_that_makes_no_tunnel_leaves_n8n_unreachable(
    monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    with stub_server(behaviour) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with n8n_client("https://n8n.example", deadline=DEADLINE_SECONDS) as post:
            assert post().error is ErrorCode.UNREACHABLE


def test_a_proxy_that_is_reached_too_late_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n8n, "CONNECT_TIMEOUT_SECONDS", 0.7)
    with full_listener() as full, stub_server(dripping(b"x" * 1000, at_once=READY[:-2] + b"X: ")) as proxy:
        ports = (full, full, proxy.port)  # each but the last costs 0.7 s of one second
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        with (
            n8n_client("https://n8n.example", deadline=DEADLINE_SECONDS) as post,
            monkeypatch.context() as patched,
        ):
            patched.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            assert post().error is ErrorCode.UNREACHABLE


def test_a_proxy_that_is_away_leaves_n8n_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with n8n_client("http://n8n.example") as post:
        assert post().error is ErrorCode.UNREACHABLE


def test_a_host_can_be_exempt_from_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_server(answering()) as server, stub_server(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with n8n_client(server.url) as post:
            assert post().status == 200
        assert proxy.visits == []
