"""N8N's public API: what it is asked, and that no answer of whatever is at its address keeps anybody long."""

import json
import time
from pathlib import Path

import pytest
from django.conf import LazySettings

from accounting import __version__
from jobs.executions import Execution
from jobs.n8n_api import ApiError, PublicApi, public_api
from tests.support.deliveries import MB, PLENTY_SECONDS
from tests.support.servers import free_port, made_up
from tests.support.stub_server import (
    Behaviour,
    answering,
    answering_once,
    ca_bundle,
    dripping,
    repeating,
    response,
    server_tls,
    silent,
    stub_server,
)

KEY = made_up("key of N8N's public API")
# as N8N 2.41.1 answered; of its many fields those that matter
FINISHED = {"id": "17", "finished": True, "mode": "webhook", "status": "success", "workflowId": "wf4EZnTJHk2c8oQX"}


def asking(url: str, deadline: float = PLENTY_SECONDS) -> PublicApi:
    return PublicApi(base_url=url, key=KEY, deadline=deadline)


def as_json(said: object, status: int = 200) -> bytes:
    return response(status, json.dumps(said).encode())


def test_a_call_carries_the_key_and_an_agent_that_n8n_takes_for_no_bot() -> None:
    with stub_server(answering(as_json({"data": [], "nextCursor": None}))) as server:
        found = asking(f"{server.url}/n8n").get("workflows", limit=2, active="true")
    request = server.requests[0]
    assert found == {"data": [], "nextCursor": None}
    assert (request.method, request.target) == ("GET", "/n8n/api/v1/workflows?limit=2&active=true")
    assert request.headers["X-N8N-API-KEY"] == KEY
    assert request.headers["User-Agent"] == f"Mozilla/5.0 (compatible; receipts/{__version__})"
    assert "bot" not in request.headers["User-Agent"]


def test_what_is_sent_is_json() -> None:
    with stub_server(answering(as_json({"id": "1"}))) as server:
        api = asking(server.url)
        assert api.post("workflows", {"name": "Receipts"}) == api.put("workflows/1", {"name": "Ticket"}) == {"id": "1"}
        api.post("workflows/1/activate")
    sent = [(request.method, request.target, request.body) for request in server.requests]
    assert sent == [
        ("POST", "/api/v1/workflows", b'{"name": "Receipts"}'),
        ("PUT", "/api/v1/workflows/1", b'{"name": "Ticket"}'),
        ("POST", "/api/v1/workflows/1/activate", b""),
    ]
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_an_execution_says_how_it_stands() -> None:
    with stub_server(answering(as_json(FINISHED))) as server:
        found = asking(server.url).execution("17")
    assert found == Execution(id="17", status="success", workflow_id="wf4EZnTJHk2c8oQX")


def test_an_execution_with_more_data_than_a_sweep_has_room_for_is_not_read() -> None:
    said = as_json(FINISHED | {"data": "\N{RECEIPT}" + "x" * 9 * MB})
    with stub_server(answering(said)) as server, pytest.raises(ApiError) as failure:
        asking(server.url).execution("17", with_error=True)
    assert "more than is read" in failure.value.sentence


def test_an_id_leads_nowhere_else() -> None:
    with stub_server(answering(as_json({"message": "Not Found"}, 404))) as server, pytest.raises(ApiError):
        asking(server.url).execution("../workflows?x=")
    assert server.requests[0].target == "/api/v1/executions/..%2Fworkflows%3Fx%3D"


@pytest.mark.parametrize(
    ("answer", "status", "sentence", "cure"),
    [
        (as_json({"message": "'X-N8N-API-KEY' header required"}, 401), 401, "401: 'X-N8N-", "Make an API key in N8N"),
        (
            as_json({"message": "Forbidden"}, 403),
            403,
            "answered 403: Forbidden.",
            "Let N8N's owner or an admin make the API key, with the scopes",
        ),
        (as_json({"message": "Not Found"}, 404), 404, "answered 404: Not Found.", "N8N_BASE_URL"),
        (response(500, b"oops"), 500, "answered 500.", "log"),
        (response(502, b"[" * 60_000), 502, "answered 502.", "log"),
        (response(301, b"", Location="https://elsewhere.example/"), 301, "redirects elsewhere", "Set N8N_BASE_URL"),
        (response(200, b"<html>", Content_Type="text/html"), 200, "not N8N's API", "N8N_BASE_URL"),
        (response(200, b'"' + b"x" * 9 * MB + b'"'), 200, "more than is read", "N8N_BASE_URL"),
    ],
)
def test_what_is_no_answer_to_the_question_is_told_with_a_cure(
    answer: bytes, status: int, sentence: str, cure: str
) -> None:
    with stub_server(answering(answer)) as server, pytest.raises(ApiError) as failure:
        asking(server.url).get("workflows")
    assert failure.value.status == status
    assert sentence in failure.value.sentence
    assert cure in failure.value.cure
    assert len(server.requests) == 1


def test_no_content_is_an_answer() -> None:
    with stub_server(answering(response(204, b""))) as server:
        assert asking(server.url).post("workflows/1/activate") is None


@pytest.mark.parametrize(
    "behave",
    [silent, dripping(response(200, b"x" * 1000)), repeating(b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["silent", "dripping", "never at an end"],
)
def test_a_call_is_over_within_its_deadline(behave: Behaviour) -> None:
    with stub_server(behave) as server:
        started = time.monotonic()
        with pytest.raises(ApiError) as failure:
            asking(server.url, deadline=1.0).get("workflows")
        assert time.monotonic() - started < 3.0
    assert failure.value.status == 0
    assert failure.value.sentence == "N8N did not answer in time."


def test_an_answer_that_was_cut_is_none() -> None:
    with stub_server(answering_once(as_json(FINISHED)[:-5])) as server, pytest.raises(ApiError) as failure:
        asking(server.url).execution("17")
    assert failure.value.sentence == "The connection to N8N was cut."


def test_a_server_that_is_away_is_told_so() -> None:
    with pytest.raises(ApiError) as failure:
        asking(f"http://127.0.0.1:{free_port()}").execution("17")
    assert failure.value.sentence == "N8N could not be reached."


def test_tls_is_verified_as_for_the_webhook(settings: LazySettings, tmp_path: Path) -> None:
    settings.N8N_PUBLIC_API_KEY = KEY
    with stub_server(answering(as_json(FINISHED)), tls=server_tls()) as server:
        settings.N8N_BASE_URL = server.url
        with pytest.raises(ApiError) as failure:
            ask_for_17()
        settings.N8N_VERIFY_SSL = ca_bundle(tmp_path)
        assert ask_for_17().status == "success"
    assert "nobody whom this service trusts" in failure.value.sentence
    assert "N8N_VERIFY_SSL" in failure.value.cure


def ask_for_17() -> Execution:
    api = public_api()
    assert api
    return api.execution("17")


@pytest.mark.parametrize(("base_url", "key"), [("", ""), ("https://n8n.example.com", ""), ("", KEY)])
def test_without_both_settings_nobody_is_asked(settings: LazySettings, base_url: str, key: str) -> None:
    settings.N8N_BASE_URL, settings.N8N_PUBLIC_API_KEY = base_url, key
    assert public_api() is None
