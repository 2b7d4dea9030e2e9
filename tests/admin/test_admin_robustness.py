"""The admin takes whatever an address may hold: what means nothing is a redirect or a 404, and never a fault."""

import logging
import re
from typing import Any

import pytest
from django.db import transaction
from django.test import Client as Browser

from jobs.queue import queue_service
from receipts.admin.receipts import ReceiptAdmin
from receipts.models import ApiKey, Client
from tests.factories import JobFactory
from tests.support.admin_pages import QUEUE

pytestmark = pytest.mark.django_db

JOBS = "/admin/jobs/joblog/"
HUGE = "9" * 30
ABSURD = ["99999", "-1", "\0", HUGE, "9999-12-31 23:59:59+00:00", "x'\"y"]


def get(browser: Browser, address: str, query: dict[str, str]) -> Any:
    with transaction.atomic():  # PostgreSQL ends a transaction in which a statement failed
        return browser.get(address, query)


@pytest.mark.parametrize(
    ("address", "names"),
    [
        (JOBS, ["created_at__year", "created_at__gte", "created_at__day", "created_at__iso_year", "attempts"]),
        (JOBS, ["job_id", "client__id__exact", "status__regex", "unknown", "client__name__startswith", "_facets"]),
        (JOBS, ["q", "p", "o", "e", "_to_field", "_popup"]),
        ("/admin/jobs/jobevent/", ["at__year", "id__in", "attempt"]),
        ("/admin/receipts/receipt/", ["created_at__year", "created_at__lt", "size__gte"]),
        ("/admin/receipts/apikey/", ["client", "created__year"]),
        ("/admin/auth/user/", ["last_login__year", "id__exact"]),
        ("/admin/receipts/apikey/add/", ["client", "name", "expiry_date", "_to_field"]),
        ("/admin/receipts/client/add/", ["name"]),
        ("/admin/auth/user/add/", ["username", "date_joined", "usable_password"]),
        ("/admin/auth/group/add/", ["name", "permissions"]),
        ("/admin/axes/accessattempt/", ["attempt_time__year", "ip_address"]),
        (f"{QUEUE}queues/0/", ["page"]),
        (f"{QUEUE}queues/0/finished/", ["page", "desc"]),
    ],
)
def test_no_query_string_is_a_fault(admin_client: Browser, address: str, names: list[str]) -> None:
    JobFactory.create()
    for name in names:
        for value in ABSURD:
            answer = get(admin_client, address, {name: value})
            assert (name, value, answer.status_code in (200, 302, 400, 404)) == (name, value, True)


def test_a_filter_that_means_nothing_is_left_out_and_said_so(admin_client: Browser) -> None:
    job = JobFactory.create()
    answer = get(admin_client, "/admin/jobs/jobevent/", {"at__year": "99999"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/jobs/jobevent/")
    assert "cannot be understood" in admin_client.get("/admin/jobs/jobevent/").content.decode()
    assert str(job.job_id)[:13] in admin_client.get(JOBS).content.decode()


@pytest.mark.parametrize(
    ("address", "query"),
    [
        (JOBS, {"on": "2025-02-30"}),
        (JOBS, {"on": "abc"}),
        (JOBS, {"client__id__exact": "x", "status__exact": "queued"}),
        ("/admin/receipts/receipt/", {"created_at__gte": "yesterday"}),
    ],
)
def test_so_is_one_that_django_leaves_out_without_a_word(
    admin_client: Browser, address: str, query: dict[str, str]
) -> None:
    JobFactory.create_batch(2)  # of two clients: one alone is nothing to choose from
    answer = get(admin_client, address, query)
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert "cannot be understood; everything is shown" in admin_client.get(address).content.decode()


@pytest.mark.parametrize("address", [JOBS, "/admin/receipts/client/", "/admin/admin/logentry/"])
def test_so_is_a_search_for_more_than_its_field_takes(admin_client: Browser, address: str) -> None:
    answer = get(admin_client, address, {"q": "x" * 51_000})
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert (
        "Nothing is searched for that has over 1,000 letters; all is shown."
        in get(admin_client, address, {}).content.decode()
    )


def test_so_is_one_while_one_chooses(admin_client: Browser) -> None:
    whose = {"app_label": "receipts", "model_name": "apikey", "field_name": "client"}
    statuses = [
        get(admin_client, "/admin/autocomplete/", whose | {"term": "x" * size}).status_code for size in (1, 51_000)
    ]
    assert statuses == [200, 302]


def test_whatever_its_field_takes_can_be_searched_for(admin_client: Browser) -> None:
    JobFactory.create()
    page = admin_client.get(JOBS).content.decode()
    longest = int(re.search(r'id="searchbar" maxlength="(\d+)"', page)[1])  # type: ignore[index]
    for letter in ("x", "\u1f82", "\U0001f9fe", "\\", "%"):  # some in many parts, or to be marked in a pattern
        assert get(admin_client, JOBS, {"q": letter * longest}).status_code == 200


def test_a_fault_of_ours_is_not_taken_for_one_of_the_address(
    admin_client: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> Any:
        raise ValueError

    monkeypatch.setattr(ReceiptAdmin, "get_queryset", fail)
    admin_client.raise_request_exception = False
    assert admin_client.get("/admin/receipts/receipt/").status_code == 500
    admin_client.get("/admin/receipts/receipt/", {"q": "x"})
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    fields: Any = line.msg
    assert (fields["event"], fields["error"]) == ("admin_query_refused", "ValueError")
    assert re.fullmatch(rf"accounting\.admin_site\.site:\d+ > .*{re.escape(__name__)}:\d+", fields["place"])


@pytest.mark.parametrize(
    "path",
    [
        "queues/99/",
        f"queues/{HUGE}/",
        "queues/99/details/",
        "queues/99/finished/",
        "queues/99/failed/",
        "queues/99/scheduled/",
        "queues/99/started/",
        "queues/99/deferred/",
        "queues/0/none/",
        "queues/99/none/",
        "queues/0/none/results/none/",
        "queues/0/%00/",
        "queues/0/a:b/",
        "workers/99/",
        "workers/0/none/",
        "workers/0/rq:worker:none/",
        "schedulers/0/",
        "schedulers/99/",
        "cron-schedulers/0/none/",
        "cron-schedulers/99/none/jobs/a/b/",
        "nothing/",
    ],
)
def test_a_queue_a_job_or_a_worker_that_there_is_none_of_is_404(admin_client: Browser, path: str) -> None:
    assert admin_client.get(f"{QUEUE}{path}").status_code == 404


@pytest.mark.parametrize("path", ["jobs/joblog", "receipts/client", "receipts/apikey"])
@pytest.mark.parametrize(("row", "name"), [("none", "none"), (HUGE, HUGE), ("a%2Fb", "a/b")])
def test_a_row_that_there_is_none_of_is_a_redirect_with_a_message(
    admin_client: Browser, path: str, row: str, name: str
) -> None:
    with transaction.atomic():
        answer = admin_client.get(f"/admin/{path}/{row}/change/", follow=True)
    assert [status for _, status in answer.redirect_chain] == [302]
    assert f"“{name}”" in answer.content.decode()


@pytest.mark.parametrize("path", ["jobs/joblog", "receipts/client", "receipts/apikey"])
def test_an_id_that_none_can_have_is_404(admin_client: Browser, path: str) -> None:
    assert admin_client.get(f"/admin/{path}/%00/change/").status_code == 404


def test_a_ring_can_be_read(admin_client: Browser) -> None:
    job = JobFactory.create()
    queue_service().ring([job.pk])
    listing = admin_client.get(f"{QUEUE}queues/0/").content.decode()
    found = re.search(rf'href="({QUEUE}queues/0/[0-9a-f-]{{45}}/)"', listing)
    assert found is not None
    page = admin_client.get(found[1]).content.decode()
    assert str(job.pk) in page
    assert "jobs.tasks.trigger_n8n_workflow" in page


def test_a_new_api_key_is_in_the_answer_alone(admin_client: Browser) -> None:
    client = Client.objects.create(name="Bakery")
    answer = admin_client.post("/admin/receipts/apikey/add/", {"client": client.pk, "name": "phone"})
    found = re.search(r"\b\w{8}\.\w{32}\b", answer.content.decode())
    assert found is not None
    assert ApiKey.objects.get_from_key(found[0]).name == "phone"
    assert "no-store" in answer["Cache-Control"]
    secret = found[0].partition(".")[2]
    assert secret not in str(answer.cookies) + str(admin_client.cookies) + str(admin_client.session.items())
    assert secret not in str(dict(answer.headers))
    assert secret not in admin_client.get("/admin/receipts/apikey/").content.decode()


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/admin/jobs/joblog/", {"action": "retry_selected", "_selected_action": "x"}),
        ("/admin/auth/group/", {"action": "delete_selected", "_selected_action": "x"}),
        ("/admin/receipts/apikey/add/", {"client": "x", "name": "till"}),
    ],
)
def test_a_form_that_no_page_has_is_a_bad_request(
    admin_client: Browser, caplog: pytest.LogCaptureFixture, address: str, form: dict[str, str]
) -> None:
    assert admin_client.post(address, form).status_code == 400
    # as an error, which is reported: it may be a fault of ours
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    fields: Any = line.msg
    assert fields["event"] == "admin_form_refused"


def test_what_such_a_form_or_a_query_holds_is_not_in_the_log(
    admin_client: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    admin_client.post("/admin/receipts/apikey/add/", {"client": "CANARYNINE", "name": "till"})
    admin_client.get("/admin/receipts/receipt/", {"CANARYNINE__regex": "CANARYNINE"})
    formatters: Any = [handler.formatter for handler in logging.getLogger().handlers if handler.formatter]
    lines = [formatter.format(record) for formatter in formatters for record in caplog.records]
    assert any("admin_form_refused" in line for line in lines)
    assert any("admin_query_refused" in line for line in lines)
    assert not any("CANARYNINE" in line for line in lines)
