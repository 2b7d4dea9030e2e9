"""What becomes of a delivery where N8N or the network misbehaves: a clear answer, in bounded time and memory."""

import gzip
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs import n8n
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from tests.support.deliveries import DEADLINE_SECONDS, MB, PLENTY_SECONDS, large, leaving_no_trace, n8n_client
from tests.support.outages import closed_port
from tests.support.stub_server import (
    ACCEPTED,
    PATIENCE_SECONDS,
    Behaviour,
    StubServer,
    Visit,
    answering,
    answering_once,
    ca_bundle,
    dripping,
    full_listener,
    repeating,
    response,
    server_tls,
    silent,
    stub_server,
)

UNREACHABLE, UNTRUSTED, TIMED_OUT, CUT = (
    ErrorCode.UNREACHABLE,
    ErrorCode.UNTRUSTED,
    ErrorCode.TIMED_OUT,
    ErrorCode.CUT,
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = HEAD + b"\r\n"


@pytest.fixture(autouse=True)
def _no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with leaving_no_trace(caplog):
        yield


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return the path of a CA bundle that trusts the stub servers."""
    return ca_bundle(tmp_path)


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    """Run a test twice, once with TLS and once without."""
    return server_tls() if request.param == "https" else None


def delivered(
    server: StubServer, verify: bool | str = True, deadline: float = PLENTY_SECONDS, **body: object
) -> Answer:
    with n8n_client(server.url, verify=verify, deadline=deadline) as post:
        return post(**body)


# -- nothing arrived


def test_a_refused_connection_is_unreachable() -> None:
    with closed_port() as port, n8n_client(f"http://127.0.0.1:{port}") as post:
        assert post().error is UNREACHABLE


def test_a_name_that_does_not_resolve_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with n8n_client("http://n8n.example") as post:
        assert post().error is UNREACHABLE


def test_a_host_that_takes_no_connection_is_unreachable() -> None:
    with full_listener() as port, n8n_client(f"http://127.0.0.1:{port}", deadline=DEADLINE_SECONDS) as post:
        assert post().error is UNREACHABLE


def test_a_connection_made_after_the_deadline_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n8n, "CONNECT_TIMEOUT_SECONDS", 0.7)
    with (
        full_listener() as full,
        stub_server(answering()) as server,
        n8n_client("http://n8n.example", deadline=DEADLINE_SECONDS) as post,
    ):
        ports = (full, full, server.port)  # each but the last costs 0.7 s of one second
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            answer = post()
        assert answer.error is UNREACHABLE
        assert answer.milliseconds >= 1400
        assert server.visit(0).is_over.wait(PATIENCE_SECONDS)
        assert server.requests == []


# -- something may have arrived


def reset_before_the_body(visit: Visit) -> None:
    visit.read_head()
    visit.reset()


def reset_after_the_body(visit: Visit) -> None:
    visit.read()
    visit.reset()


@pytest.mark.parametrize(
    "behaviour",
    [
        reset_before_the_body,
        reset_after_the_body,
        pytest.param(Visit.read, id="closed-without-an-answer"),
        pytest.param(answering_once(HEAD[:10]), id="closed-within-the-status-line"),
        pytest.param(answering_once(HEAD + b"Content-Length: 100\r\n\r\n" + ACCEPTED), id="closed-within-the-body"),
        pytest.param(answering_once(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), id="last-chunk-missing"),
        pytest.param(answering_once(b"SSH-2.0-OpenSSH_9.6\r\n"), id="another-protocol"),
        pytest.param(answering_once(HEAD + b"X: y\r\n" * 200), id="too-many-headers"),
        pytest.param(answering_once(HEAD + b"X: " + b"y" * 70_000), id="too-long-a-header"),
    ],
)
def test_an_answer_that_is_cut_may_have_been_preceded_by_the_receipt(
    behaviour: Behaviour, tls: ssl.SSLContext | None, bundle: str
) -> None:
    with stub_server(behaviour, tls=tls) as server:
        answer = delivered(server, bundle, body=large(8 * MB), length=8 * MB)
        assert (answer.error, answer.status) == (CUT, 0)


def not_reading(visit: Visit) -> None:
    visit.read_head()
    visit.pause(2 * DEADLINE_SECONDS)


@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        not_reading,
        pytest.param(dripping(b"x" * 1000, at_once=HEAD + b"X: "), id="dripping-headers"),
        pytest.param(repeating(b"HTTP/1.1 100 Continue\r\n\r\n"), id="continuing-for-ever"),
        pytest.param(dripping(b" " * 1000, at_once=HEAD + b"Content-Length: 1000\r\n\r\n"), id="dripping-body"),
        pytest.param(dripping(b" " * 1000, at_once=ENDLESS + ACCEPTED), id="dripping-body-without-a-length"),
        pytest.param(
            dripping(b"1\r\n \r\n" * 1000, at_once=HEAD + b"Transfer-Encoding: chunked\r\n\r\n"), id="dripping-chunks"
        ),
    ],
)
def test_an_answer_is_waited_for_until_the_deadline_and_no_longer(
    behaviour: Behaviour, tls: ssl.SSLContext | None, bundle: str
) -> None:
    with stub_server(behaviour, tls=tls) as server:
        answer = delivered(server, bundle, DEADLINE_SECONDS, body=large(8 * MB), length=8 * MB)
        assert (answer.error, answer.status) == (TIMED_OUT, 0)
        assert answer.milliseconds >= DEADLINE_SECONDS * 1000


def test_the_deadline_holds_on_a_kept_connection_too(tls: ssl.SSLContext | None, bundle: str) -> None:
    def falling_silent(visit: Visit) -> None:
        visit.read()
        visit.send(response())
        silent(visit)

    with (
        stub_server(falling_silent, tls=tls) as server,
        n8n_client(server.url, verify=bundle, deadline=DEADLINE_SECONDS) as post,
    ):
        assert post().status == 200
        assert post().error is TIMED_OUT
        assert len(server.visits) == 1


def slow_to_read(visit: Visit) -> None:
    visit.pause(0.5)
    answering()(visit)


def test_n8n_may_be_slower_to_read_than_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n8n, "CONNECT_TIMEOUT_SECONDS", 0.1)
    with stub_server(slow_to_read) as server, n8n_client(server.url) as post:
        assert post(large(8 * MB), length=8 * MB).status == 200


# -- strange answers


@pytest.mark.parametrize("status", [200, 302, 500])
def test_only_the_beginning_of_an_endless_answer_is_read(status: int) -> None:
    head = response(status, b"", Location="/elsewhere").replace(b"Content-Length: 0\r\n", b"")
    with stub_server(repeating(b"x" * 65_536, at_first=head)) as server, n8n_client(server.url) as post:
        answer = post()
        assert (answer.status, answer.error) == (status, None)
        assert answer.body == b"x" * 64 * 1024
        assert server.visit(0).is_over.wait(PATIENCE_SECONDS)  # though the client is not closed


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 * MB))
    with stub_server(answering(response(body=bomb, Content_Encoding="gzip"))) as server:
        assert delivered(server).body == bomb[: 64 * 1024]


def refusing_the_body(visit: Visit) -> None:
    visit.read_head()
    visit.send(response(413, b'{"message": "Payload Too Large"}', Connection="close"))


def refusing_the_body_politely(visit: Visit) -> None:
    refusing_the_body(visit)
    visit.wait_until_left()


def test_an_answer_that_comes_before_the_body_was_read_counts(tls: ssl.SSLContext | None, bundle: str) -> None:
    # without TLS the answer is found even where the server did not listen on before it closed
    with stub_server(refusing_the_body_politely if tls else refusing_the_body, tls=tls) as server:
        answer = delivered(server, bundle, body=large(8 * MB), length=8 * MB)
        assert (answer.status, answer.error) == (413, None)
        assert b"Too Large" in answer.body


def test_a_malformed_header_spoils_nothing_and_gets_no_secret_logged() -> None:
    malformed = response().replace(b"\r\n\r\n", b"\r\nno colon here\r\n\r\n")
    with stub_server(answering(malformed)) as server:
        assert delivered(server).status == 200


# -- TLS


def test_a_server_is_trusted_by_the_bundle(bundle: str) -> None:
    with stub_server(answering(), tls=server_tls()) as server:
        assert delivered(server, bundle).body == ACCEPTED


def test_a_server_that_the_bundle_does_not_vouch_for_gets_nothing() -> None:
    with stub_server(answering(), tls=server_tls()) as server:
        assert delivered(server, verify=True).error is UNTRUSTED
        assert server.requests == []


@pytest.mark.parametrize("name", ["n8n.example", "127.0.0.2"])
def test_a_certificate_for_another_host_is_told_apart(bundle: str, name: str) -> None:
    with stub_server(answering(), tls=server_tls(name)) as server:
        assert delivered(server, bundle).error is ErrorCode.WRONG_HOST
        assert server.requests == []


def test_a_certificate_that_has_expired_is_told_apart(bundle: str) -> None:
    with stub_server(answering(), tls=server_tls(until=datetime(2020, 1, 1, tzinfo=UTC))) as server:
        assert delivered(server, bundle).error is ErrorCode.EXPIRED
        assert server.requests == []


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_any_certificate_does_where_verification_is_off() -> None:
    with stub_server(answering(), tls=server_tls("n8n.example")) as server:
        assert delivered(server, verify=False).status == 200


def test_a_server_that_speaks_no_tls_needs_attention() -> None:
    with stub_server(lambda visit: visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        server.url = server.url.replace("http:", "https:")
        assert delivered(server).error is ErrorCode.NO_TLS


def reset_at_the_first_byte(visit: Visit) -> None:
    visit.connection.recv(1)
    visit.reset()


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Visit.wait_until_left, id="silent"),
        pytest.param(Visit.close, id="closed"),
        pytest.param(reset_at_the_first_byte, id="reset"),
        pytest.param(lambda visit: visit.drip(b"\x16\x03\x03\x40\x00" + bytes(16_384)), id="dripping"),
    ],
)
def test_a_tls_handshake_that_does_not_come_about_is_unreachable(behaviour: Behaviour) -> None:
    with stub_server(behaviour) as server:
        server.url = server.url.replace("http:", "https:")
        assert delivered(server, deadline=DEADLINE_SECONDS).error is UNREACHABLE
        assert server.visit(0).is_over.wait(PATIENCE_SECONDS)
