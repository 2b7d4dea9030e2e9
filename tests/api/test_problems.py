"""Errors, request ids, timing and the log: the same for every request, whatever went wrong and wherever."""

import errno
import logging
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as Browser
from rest_framework.test import APIClient

from jobs.models import JobEvent, JobLog
from jobs.views import JobViewSet
from receipts.admin.receipts import ReceiptAdmin
from receipts.models import Receipt
from tests.support.outages import database_away
from tests.support.servers import SETTINGS
from tests.support.uploads import client_named, post

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]
JOBS = "/api/v1/jobs/"
GLOBAL_TOKEN = SETTINGS["CALLBACK_SECRET_TOKEN"].split(",")[0]


def problem(answer: Any, status: int) -> str:
    """Return the code of an answer that is a problem in every respect."""
    body = answer.json()
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "code", "request_id"}
    assert body["type"] == f"urn:receipts:problem:{body['code']}"
    assert (body["title"], body["status"]) == (HTTPStatus(status).phrase, status)
    assert body["detail"].endswith((".", '"'))
    assert body["request_id"] == answer["X-Request-ID"]
    return str(body["code"])


def fails(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("canary in the exception")


def lose_connection(*args: Any, **kwargs: Any) -> Any:
    raise OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def calm(api: APIClient) -> APIClient:
    """Return the client, which looks at a 500 instead of raising what led to it."""
    api.raise_request_exception = False
    return api


# -- every layer answers in the one format


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "head", "options"])
@pytest.mark.parametrize(
    "path",
    ["", "v1", "v1/nothing", "v1/nothing/", "v2/jobs/", "v1/receipts/17/", "v1/jobs/17/callback", "v1/%00", "v1/%FF"],
)
def test_an_address_that_is_none_is_404(method: str, path: str) -> None:
    answer = getattr(Browser(), method)(f"/api/{path}")
    assert answer.status_code == 404
    assert method == "head" or problem(answer, 404) == "not_found"


def test_a_method_that_is_none_of_an_address_is_405(api: APIClient) -> None:
    answer = api.delete(JOBS)
    assert problem(answer, 405) == "method_not_allowed"
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_a_host_that_is_not_ours_is_400() -> None:
    assert problem(Browser().get(JOBS, headers={"Host": "evil.example"}), 400) == "bad_request"


def test_messages_by_field_come_with_a_sentence_of_them_all(api: APIClient) -> None:
    answer = post(api, notion_database_id="none", allow_duplicate="perhaps")
    assert problem(answer, 400) == "invalid"
    errors = answer.json()["errors"]
    assert sorted(errors) == ["allow_duplicate", "notion_database_id"]
    assert all(message in answer.json()["detail"] for messages in errors.values() for message in messages)


def test_a_fault_of_ours_is_500_tells_nothing_of_itself_and_is_logged_with_the_request(
    calm: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(JobViewSet, "get_queryset", fails)
    answer = calm.get(JOBS)
    assert problem(answer, 500) == "internal_error"
    assert "canary" not in answer.content.decode()
    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert error.exc_info is not None
    assert "canary in the exception" in str(error.exc_info[1])


def ask_for_what_there_is_none_of(*args: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing")


def test_so_is_what_the_database_cannot_understand_whichever_it_is(
    calm: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobViewSet, "get_queryset", ask_for_what_there_is_none_of)
    assert problem(calm.get(JOBS), 500) == "internal_error"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "send",
    [
        lambda api: api.get(JOBS),
        lambda api: post(api),
        lambda api: api.get("/api/v1/receipts/0198c1f2-0000-4000-8000-000000000000/file"),
        lambda api: api.post(
            f"{JOBS}callback",
            {"status": "failure", "execution_id": "17"},
            format="json",
            headers={"X-Callback-Token": GLOBAL_TOKEN},
        ),
    ],
    ids=["list", "upload", "file", "callback"],
)
def test_a_database_that_is_away_is_503_and_back_again_when_it_is(
    send: Callable[[APIClient], Any], media: Media
) -> None:
    api = client_named("Shop")
    with database_away():
        answer = send(api)
        assert problem(answer, 503) == "database_unavailable"
        assert answer["Retry-After"] == "5"
        assert media() == []
    assert send(api).status_code in (200, 202, 404)


def test_where_the_database_fails_in_mid_upload_neither_a_row_nor_a_file_is_left(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, media: Media
) -> None:
    monkeypatch.setattr(JobEvent, "save", lose_connection)
    assert problem(post(api), 503) == "database_unavailable"
    assert not Receipt.objects.exists()
    assert not JobLog.objects.exists()
    assert media() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_507_and_leaves_nothing_behind(
    number: int, api: APIClient, monkeypatch: pytest.MonkeyPatch, media: Media
) -> None:
    def fill(descriptor: int) -> None:
        raise OSError(number, "no room")

    post(api)  # the day's folder is there already
    before = (media(), JobEvent.objects.count())
    monkeypatch.setattr(os, "fsync", fill)
    answer = post(api, 2)
    assert problem(answer, 507) == "storage_full"
    assert answer["Retry-After"] == "5"
    assert (media(), JobEvent.objects.count()) == before


# -- pages are for people


def test_a_page_that_is_none_is_html() -> None:
    answer = Browser().get("/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_page_of_a_host_that_is_not_ours_is_html() -> None:
    answer = Browser().get("/admin/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_a_fault_of_ours_on_a_page_is_html(admin_client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    admin_client.raise_request_exception = False
    monkeypatch.setattr(ReceiptAdmin, "get_queryset", fails)
    answer = admin_client.get("/admin/receipts/receipt/")
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "canary" not in answer.content.decode()


def test_a_page_without_the_database_is_503_and_one_line_of_the_log(
    admin_client: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    admin_client.raise_request_exception = False
    monkeypatch.setattr(ReceiptAdmin, "get_queryset", lose_connection)
    answer = admin_client.get("/admin/receipts/receipt/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "The database cannot be reached just now; try again." in answer.content.decode()
    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (error.msg["event"], error.exc_info) == ("database_unavailable", None)  # type: ignore[index] # a dict, by structlog


# -- the request's id, its timing and its line in the log


ADDRESSES = ["/health", JOBS, "/api/v1/nothing", "/nothing", "/admin/login/"]


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_callers_request_id_is_kept(path: str) -> None:
    answer = Browser().get(path, headers={"X-Request-ID": "Till-3_77.a"})
    assert answer["X-Request-ID"] == "Till-3_77.a"


@pytest.mark.parametrize("given", [None, "", "two words", "<b>", 'a"b', "a;b", "a\x00b", "\xe4", "x" * 129], ids=ascii)
def test_what_is_no_plain_id_is_replaced(given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    ids = [Browser().get(JOBS, headers=headers)["X-Request-ID"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", made) for made in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_answer_tells_how_long_it_took(path: str) -> None:
    assert re.fullmatch(r"queue;dur=0\.0, app;dur=\d+\.\d", Browser().get(path)["Server-Timing"])


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what was logged, as the fields of each line."""
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/health", 200, None),
        (JOBS, 401, "not_authenticated"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/nothing", 404, None),
    ],
)
def test_a_request_is_one_line_in_the_log(
    path: str, status: int, code: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Browser().get(path, {"token": "canary"}, headers={"X-Request-ID": "r1", "Referer": "https://canary.example/"})
    assert len(caplog.records) == 1
    (line,) = lines(caplog)
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", path, status)
    assert line.get("code") == code
    assert line["request_id"] == "r1"
    assert isinstance(line["ms"], float)
    assert line["waited_ms"] == 0.0
    assert "canary" not in caplog.text


def test_what_somebody_made_up_makes_no_long_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Browser().generic("BREW" * 1000, "/" + "%1b" * 20_000)
    (line,) = lines(caplog)
    assert (line["method"], line["path"]) == ("BREW" * 5, "/" + "\x1b" * 199)


def test_whatever_is_logged_on_the_way_carries_the_requests_id(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(JobEvent, "save", lose_connection)
    post(api, headers={"X-Request-ID": "r2"})
    assert [(line["event"], line["request_id"]) for line in lines(caplog)] == [
        ("database_unavailable", "r2"),
        ("request", "r2"),
    ]
