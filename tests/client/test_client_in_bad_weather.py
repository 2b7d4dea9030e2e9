"""The client of the API, against stand-ins that are in a bad mood."""

import json
import threading
import time
from pathlib import Path

import pytest

from receipts.client import service
from receipts.client.refusals import Misused
from tests.support.client_runs import FILED, JOB, KEY, NO_JOBS, TAKEN, pictures, run_client, scripted
from tests.support.payload_parser import parse_body
from tests.support.stub_server import Visit, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

REVOKED = response(401, b'{"code": "authentication_failed", "detail": "This API key was revoked."}')


@pytest.mark.parametrize("status", [425, 429, 500, 503, 507])
def test_a_service_that_asks_for_patience_gets_it(tmp_path: Path, status: int) -> None:
    busy = response(status, b"{}", Retry_After="1")
    with stub_server(scripted(NO_JOBS, busy, TAKEN, FILED)) as server:
        began = time.monotonic()
        result = run_client(pictures(tmp_path, range(1)), "--parallel", 1, url=server.url)
    assert result.words == ["filed"]
    assert time.monotonic() - began >= 1
    refused, taken = (request for request in server.requests if request.method == "POST")
    assert refused.headers["Idempotency-Key"] == taken.headers["Idempotency-Key"]
    assert parse_body(taken.headers["Content-Type"], taken.body).picture == (tmp_path / "000.jpg").read_bytes()


def test_what_a_netrc_says_of_the_service_replaces_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password annas\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with stub_server(scripted(NO_JOBS, TAKEN, FILED)) as server:
        result = run_client(pictures(tmp_path, range(1)), url=server.url)
    assert result.words == ["filed"]
    assert {request.headers["Authorization"] for request in server.requests} == {f"Api-Key {KEY}"}


def test_patience_has_an_end_however_much_is_asked_for(tmp_path: Path) -> None:
    problem = b'{"code": "throttled", "detail": "Too many uploads."}'
    with stub_server(scripted(NO_JOBS, response(429, problem, Retry_After="86400"))) as server:
        result = run_client(pictures(tmp_path, range(1)), "--patience", 5, url=server.url)
    assert (result.code, result.words) == (1, ["refused"])
    assert json.loads(result.lines[0])["code"] == "throttled"


def test_nobody_waits_for_longer_than_is_reasonable_whatever_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LONGEST_PAUSE_SECONDS", 0.1)
    busy = response(429, b"{}", Retry_After="86400")
    with stub_server(scripted(NO_JOBS, busy, TAKEN)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--no-wait", url=server.url)
    assert (result.code, result.words) == (0, ["taken"])


def test_a_connection_that_breaks_is_tried_again_with_the_same_key(tmp_path: Path) -> None:
    def break_off(visit: Visit) -> None:
        visit.read_head()
        visit.reset()

    with stub_server(scripted(NO_JOBS), break_off, scripted(TAKEN)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--no-wait", url=server.url)
    assert (result.code, result.words) == (0, ["taken"])
    keys = [head.headers["Idempotency-Key"] for visit in server.visits for head in visit.heads if head.method == "POST"]
    assert (len(keys), len(set(keys))) == (2, 1)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b'{"job_id": 1}', b"<html>"])
def test_an_answer_that_is_not_the_services_is_no_success(tmp_path: Path, body: bytes) -> None:
    with stub_server(scripted(NO_JOBS, response(200, body))) as server:
        result = run_client(pictures(tmp_path, range(1)), url=server.url)
    assert (result.code, result.words) == (1, ["refused"])


def test_what_is_open_at_the_end_of_the_wait_is_no_success(tmp_path: Path) -> None:
    still = response(200, JOB % b"processing", Retry_After="1")
    with stub_server(scripted(NO_JOBS, TAKEN, *[still] * 9)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--wait", 1.5, url=server.url)
    assert (result.code, result.words) == (1, ["taken"])


def test_what_is_filed_within_the_wait_is_seen_at_its_end_however_late_the_service_asks_to_come_again(
    tmp_path: Path,
) -> None:
    later = response(200, JOB % b"processing", Retry_After="60")
    with stub_server(scripted(NO_JOBS, TAKEN, later, FILED)) as server:
        began = time.monotonic()
        result = run_client(pictures(tmp_path, range(1)), "--wait", 1.5, url=server.url)
    assert (result.code, result.words) == (0, ["filed"])
    assert time.monotonic() - began >= 1.5


def test_a_service_that_is_away_for_a_moment_costs_that_moment_of_the_wait(tmp_path: Path) -> None:
    busy = response(503, b"{}", Retry_After="1")
    with stub_server(scripted(NO_JOBS, TAKEN, busy, busy, FILED)) as server:
        began = time.monotonic()
        result = run_client(pictures(tmp_path, range(1)), "--wait", 25, url=server.url)
    assert (result.code, result.words) == (0, ["filed"])
    assert 2 <= time.monotonic() - began < 20


def test_a_service_that_is_away_for_longer_than_the_wait_is_asked_when_that_ends(tmp_path: Path) -> None:
    busy = response(503, b"{}", Retry_After="60")
    with stub_server(scripted(NO_JOBS, TAKEN, busy, FILED)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--wait", 1.5, url=server.url)
    assert (result.code, result.words) == (0, ["filed"])


def test_the_wait_has_an_end_however_slowly_the_service_answers(tmp_path: Path) -> None:
    script = iter([NO_JOBS, *[TAKEN] * 9, *[response(200, JOB % b"processing", Retry_After="1")] * 18])

    def answer_slowly(visit: Visit) -> None:
        while request := visit.read():
            time.sleep(0.5 if "/jobs/j1/" in request.target else 0)
            visit.send(next(script))

    with stub_server(answer_slowly) as server:
        result = run_client(pictures(tmp_path, range(9)), "--wait", 0.7, url=server.url)
    assert result.words == ["taken"] * 9
    assert sum("/jobs/j1/" in visit.target for visit in server.requests) <= 6


def test_the_wait_has_an_end_though_the_service_never_answers(tmp_path: Path) -> None:
    script, is_over = iter([NO_JOBS, TAKEN]), threading.Event()

    def hang(visit: Visit) -> None:
        while request := visit.read():
            if "/jobs/j1/" in request.target:
                is_over.wait(100)
                return
            visit.send(next(script))

    with stub_server(hang) as server:
        began = time.monotonic()
        result = run_client(pictures(tmp_path, range(1)), "--wait", 0.2, url=server.url)
        is_over.set()
    assert result.words == ["taken"]
    assert time.monotonic() - began < 60


def test_a_key_that_is_revoked_during_the_wait_ends_it_and_is_told(tmp_path: Path) -> None:
    with stub_server(scripted(NO_JOBS, TAKEN, REVOKED)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--wait", 60, url=server.url)
    assert (result.code, result.words) == (1, ["taken"])
    told = json.loads(result.lines[0])
    assert (told["job_id"], told["code"], told["detail"]) == (
        "j1", "authentication_failed", "This API key was revoked.",
    )  # fmt: skip
    assert sum("/jobs/j1/" in request.target for request in server.requests) == 1


def test_a_key_that_is_revoked_while_many_are_waited_for_is_found_out_once(tmp_path: Path) -> None:
    later = response(200, JOB % b"processing", Retry_After="60")
    with stub_server(scripted(NO_JOBS, *[TAKEN] * 9, later, later, REVOKED)) as server:
        began = time.monotonic()
        result = run_client(pictures(tmp_path, range(9)), "--parallel", 1, url=server.url)
    assert (result.code, result.words) == (1, ["taken"] * 9)
    assert {json.loads(line)["code"] for line in result.lines} == {"authentication_failed"}
    assert sum("/jobs/j1/" in request.target for request in server.requests) == 3
    assert time.monotonic() - began < 60


def test_a_key_that_is_revoked_while_files_are_uploaded_takes_no_further_one(tmp_path: Path) -> None:
    with stub_server(scripted(NO_JOBS, FILED, FILED, REVOKED)) as server:
        result = run_client(pictures(tmp_path, range(9)), "--parallel", 1, url=server.url)
    assert (result.code, result.words) == (1, ["already filed", *["refused"] * 8])
    assert [json.loads(line)["code"] for line in result.lines[1:]] == ["authentication_failed"] * 8
    assert [request.method for request in server.requests].count("POST") == 2


def test_what_a_firewall_forbids_of_one_file_stops_no_other(tmp_path: Path) -> None:
    with stub_server(scripted(NO_JOBS, response(403, b"<html>"), *[FILED] * 2)) as server:
        result = run_client(pictures(tmp_path, range(2)), "--parallel", 1, url=server.url)
    assert (result.code, result.words) == (1, ["refused", "already filed"])


@pytest.mark.parametrize(("patience", "code"), [(0, "throttled"), (60, "authentication_failed")])
def test_where_too_many_keys_were_wrong_nothing_is_uploaded_before_this_one_is_found_to_be_right(
    tmp_path: Path, patience: int, code: str
) -> None:
    too_many = response(429, b'{"code": "throttled"}', Retry_After="1")
    with (
        stub_server(scripted(too_many, too_many, REVOKED)) as server,
        pytest.raises(Misused, match=rf"does not take this API key \({code}\)"),
    ):
        run_client(pictures(tmp_path, range(1)), "--patience", patience, url=server.url)
    assert {request.method for request in server.requests} == {"GET"}


def test_a_service_that_is_away_after_that_is_not_said_to_refuse_the_key(tmp_path: Path) -> None:
    too_many = response(429, b'{"code": "throttled"}', Retry_After="0")
    away = response(503, b'{"code": "database_unavailable", "detail": "The database is away."}')
    with (
        stub_server(scripted(too_many, too_many, away)) as server,
        pytest.raises(Misused, match=r"^The database is away\.$"),
    ):
        run_client(pictures(tmp_path, range(1)), "--patience", 0.5, url=server.url)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (response(200, b"<html>", Content_Type="text/html"), "no such service"),
        (response(404, b"{}"), "no such service"),
        (response(301, b"", Location="https://elsewhere.example/api"), "redirects to https://elsewhere.example/api"),
        (response(403, b'{"code": "permission_denied"}'), r"API key \(permission_denied\)"),
    ],
)
def test_what_is_not_the_service_gets_no_picture(tmp_path: Path, answer: bytes, sentence: str) -> None:
    def behave(visit: Visit) -> None:
        visit.read()
        visit.send(answer)

    with stub_server(behave) as server, pytest.raises(Misused, match=sentence):
        run_client(pictures(tmp_path, range(1)), url=server.url)
    assert [request.method for request in server.requests] == ["GET"]
