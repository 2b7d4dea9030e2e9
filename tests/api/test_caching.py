"""What the API answers stays between it and its client: no cache that others share keeps it."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from jobs.models import JobLog
from tests.support.uploads import post

pytestmark = pytest.mark.django_db


def kept(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("Cache-Control")


def test_no_shared_cache_keeps_what_a_client_is_told_of_its_receipts(api: APIClient) -> None:
    assert [kept(post(api)) for _ in range(2)] == [(202, "private, no-cache"), (200, "private, no-cache")]
    job = JobLog.objects.get()
    of_the_job, of_the_receipt = f"/api/v1/jobs/{job.pk}/", f"/api/v1/receipts/{job.receipt_id}/"
    for address in ("/api/v1/jobs/", of_the_job, of_the_receipt):
        assert kept(api.get(address)) == (200, "private, no-cache")
    etag = api.get(of_the_job)["ETag"]
    assert kept(api.get(of_the_job, headers={"If-None-Match": etag})) == (304, "private, no-cache")


def test_nor_what_it_is_refused(api: APIClient) -> None:
    for client, address, status in (
        (api, "/api/v1/receipts/00000000-0000-4000-8000-000000000000/", 404),
        (api, "/api/v1/nowhere", 404),
        (api, "/api/v1/receipts/upload", 405),
        (APIClient(), "/api/v1/jobs/", 401),
        (APIClient(HTTP_HOST="elsewhere.example"), "/api/v1/jobs/", 400),
    ):
        assert kept(client.get(address)) == (status, "private, no-cache")
