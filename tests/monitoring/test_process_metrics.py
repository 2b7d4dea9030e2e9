"""What a web process measures itself: its requests, and what it refused of them, also while its database is away."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client as Browser
from rest_framework.test import APIClient

from accounting.request_facts import WAITED_SECONDS
from jobs.signatures import callback_token
from tests.factories import JobFactory
from tests.support.outages import database_away
from tests.support.scrapes import added, scrape

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("metrics_token")]

JOBS = "/api/v1/jobs/"


def test_requests_are_told_by_view_method_and_status() -> None:
    before = scrape()
    browser = Browser()
    browser.get("/health")
    browser.get("/nowhere/at/all?secret")
    browser.get(f"{JOBS}0b8e5f43-8a5c-4d30-9bd6-3a4f1f0a3a11/")
    browser.generic("BREW", "/health")
    counts = {
        name.removeprefix("receipts_http_request_seconds_count"): by
        for name, by in added(before, scrape()).items()
        if name.startswith("receipts_http_request_seconds_count")
    }
    assert counts == {
        '{method="GET",status="2xx",view="health"}': 1,
        '{method="other",status="4xx",view="health"}': 1,
        '{method="GET",status="4xx",view="none"}': 1,
        '{method="GET",status="4xx",view="job-detail"}': 1,
        '{method="GET",status="2xx",view="metrics"}': 1,  # the scrape before
    }


def test_failed_uploads_are_told_before_the_first_of_them() -> None:
    samples = scrape()
    for view in ("receipt-upload", "receipt-list"):
        assert f'receipts_http_request_seconds_count{{method="POST",status="5xx",view="{view}"}}' in samples


def test_what_a_request_waits_for_a_thread_is_part_of_what_it_took() -> None:
    before = scrape()
    waited: dict[str, Any] = {WAITED_SECONDS: 700.0}
    Browser().get("/health", **waited)
    took = added(before, scrape())['receipts_http_request_seconds_sum{method="GET",status="2xx",view="health"}']
    assert 700 < took < 800


def test_refused_callbacks_are_told_by_code() -> None:
    job = JobFactory.create(success=True)
    before = scrape()
    api, right = APIClient(), {"X-Callback-Token": callback_token(job.pk)}
    api.post(f"{JOBS}{job.pk}/callback", {"status": "success"}, format="json", headers=right)
    api.post(f"{JOBS}{job.pk}/callback", {"status": "failure"}, format="json", headers=right)
    api.post(f"{JOBS}{job.pk}/callback", {"status": "maybe"}, format="json", headers=right)
    api.post(f"{JOBS}callback", {}, format="json")
    grown = added(before, scrape())
    assert {name: by for name, by in grown.items() if name.startswith("receipts_callbacks_refused_total")} == {
        f'receipts_callbacks_refused_total{{code="{code}"}}': 1
        for code in ("outcome_contradicts", "invalid", "callback_token_invalid")
    }


@pytest.mark.usefixtures("quick_passwords")
def test_what_comes_too_often_is_told_by_what_counts_it(settings: LazySettings, api: APIClient) -> None:
    settings.UPLOAD_RATE = "1/minute"
    before = scrape()
    for _ in range(3):
        api.post("/api/v1/receipts/upload", {"file": SimpleUploadedFile("a.jpg", b"x")}, format="multipart")
    for _ in range(32):
        APIClient().post(f"{JOBS}callback", {}, format="json")
        APIClient().get(JOBS, headers={"Authorization": "Api-Key wrong"})
    for _ in range(7):
        Browser().post("/admin/login/", {"username": "nobody", "password": "wrong"})
    grown = added(before, scrape())
    scopes = {name: by for name, by in grown.items() if name.startswith("receipts_throttled_total")}
    assert scopes == {
        'receipts_throttled_total{scope="upload"}': 2,
        'receipts_throttled_total{scope="callback_token"}': 2,
        'receipts_throttled_total{scope="key"}': 2,
        'receipts_throttled_total{scope="log_in"}': 3,
    }


@pytest.mark.django_db(transaction=True)
def test_without_its_database_a_process_tells_what_it_measured_itself() -> None:
    scrape()
    job_id = uuid4()
    with database_away():
        tried = APIClient().post(
            f"{JOBS}{job_id}/callback",
            {"status": "success"},
            format="json",
            headers={"X-Callback-Token": callback_token(job_id)},
        )
        samples = scrape()
    assert tried.status_code == 503
    assert 'receipts_callbacks_refused_total{code="database_unavailable"}' not in samples  # it is repeated
    assert samples['receipts_http_request_seconds_count{method="GET",status="2xx",view="metrics"}'] >= 1
    own = ("receipts_http", "receipts_throttled", "receipts_callbacks")
    reached = {name: value for name, value in samples.items() if not name.startswith(own)}
    assert reached == {"receipts_database_up": 0, "receipts_storage_up": 1, "receipts_redis_up": 1}
    assert scrape()["receipts_database_up"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_may_only_be_read_is_not_up_and_tells_what_it_knows() -> None:
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}
    try:
        connection.cursor().execute(read_only[connection.vendor])
        samples = scrape()
    finally:
        connection.close()
    assert (samples["receipts_database_up"], samples["receipts_workers"]) == (0, 0)
    assert scrape()["receipts_database_up"] == 1
