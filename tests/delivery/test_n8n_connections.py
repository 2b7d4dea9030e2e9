"""The connection on which N8N gets a receipt: kept for a moment, and never trusted with one twice."""

from collections.abc import Iterator

import pytest

from jobs import n8n
from jobs.delivery_errors import ErrorCode
from tests.support.deliveries import leaving_no_trace, n8n_client, sleep_for
from tests.support.stub_server import PATIENCE_SECONDS, Visit, answering, answering_once, response, stub_server


@pytest.fixture(autouse=True)
def _no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with leaving_no_trace(caplog):
        yield


def test_quick_deliveries_share_a_connection() -> None:
    with stub_server(answering()) as server, n8n_client(server.url) as post:
        assert [post().status for _ in range(3)] == [200, 200, 200]
        assert [len(visit.requests) for visit in server.visits] == [3]


def test_a_connection_is_not_used_again_once_it_was_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n8n, "IDLE_SECONDS", 0.0)
    with stub_server(answering()) as server, n8n_client(server.url) as post:
        assert [post().status for _ in range(2)] == [200, 200]
        assert [len(visit.requests) for visit in server.visits] == [1, 1]
        assert server.visit(0).is_over.wait(PATIENCE_SECONDS)


def test_nor_is_one_over_which_the_machine_has_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_server(answering()) as server, n8n_client(server.url) as post:
        assert post().status == 200
        sleep_for(60, monkeypatch)
        assert post().status == 200
        assert [len(visit.requests) for visit in server.visits] == [1, 1]


def test_connections_are_given_up_well_before_node_closes_them() -> None:
    assert n8n.IDLE_SECONDS <= 3.0


def test_a_connection_that_n8n_has_closed_is_made_anew() -> None:
    with stub_server(answering_once(response()), answering()) as server, n8n_client(server.url) as post:
        assert post().status == 200
        assert server.visit(0).is_over.wait(PATIENCE_SECONDS)
        assert post().status == 200


def test_a_receipt_is_not_sent_twice_where_a_kept_connection_dies_under_it() -> None:
    def dying(visit: Visit) -> None:
        visit.read()
        visit.send(response())
        visit.read()

    with stub_server(dying, answering()) as server, n8n_client(server.url) as post:
        assert post().status == 200
        assert post().error is ErrorCode.CUT
        assert len(server.visits) == 1
        assert post().status == 200
