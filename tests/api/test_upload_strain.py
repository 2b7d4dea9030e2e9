"""Uploads under strain: many at once, and with Redis away."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from accounting.problems import RETRY_AFTER_SECONDS
from accounting.request_facts import WAITED_SECONDS
from jobs.models import JobEvent, JobLog
from jobs.queue import queue_service
from receipts.models import Receipt
from receipts.uploading import PATIENCE_SECONDS
from tests.factories import DATABASE_ID
from tests.support.outages import closed_port, silent_port
from tests.support.uploads import UPLOAD, at_once, client_named, content, picture, post

pytestmark = pytest.mark.django_db(transaction=True)

Media = Callable[[], list[Path]]
KEY = {"Idempotency-Key": "k1"}


@pytest.mark.parametrize("headers", [None, KEY], ids=["without a key", "with one key"])
def test_equal_uploads_at_once_make_one_job(headers: dict[str, str] | None, media: Media) -> None:
    clients = [client_named("Shop") for _ in range(8)]
    answers = at_once(*(partial(post, api, headers=headers) for api in clients))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert {answer.json()["job_id"] for answer in answers} == {str(JobLog.objects.get().pk)}
    assert list(JobEvent.objects.values_list("kind", flat=True)) == ["received"] + ["repeated"] * 7
    assert (Receipt.objects.count(), len(media())) == (1, 1)
    assert media()[0].read_bytes() == content()


def test_one_new_key_with_different_bytes_at_once_makes_one_job(media: Media) -> None:
    clients = enumerate(client_named("Shop") for _ in range(8))
    answers = at_once(*(partial(post, api, number, headers=KEY) for number, api in clients))
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 7
    assert JobLog.objects.count() == Receipt.objects.count() == JobEvent.objects.count() == len(media()) == 1


def test_different_receipts_at_once_make_a_job_each(media: Media) -> None:
    clients = enumerate(client_named("Shop") for _ in range(8))
    answers = at_once(*(partial(post, api, number) for number, api in clients))
    assert [answer.status_code for answer in answers] == [202] * 8
    assert JobLog.objects.count() == len(media()) == 8


def test_an_upload_that_has_waited_for_too_long_is_told_to_come_again(api: APIClient, media: Media) -> None:
    fields: dict[str, Any] = {"file": picture(), "notion_database_id": DATABASE_ID}
    too_long: dict[str, Any] = {WAITED_SECONDS: PATIENCE_SECONDS + 0.1}
    late = api.post(UPLOAD, fields, format="multipart", **too_long)
    assert (late.status_code, late.json()["code"], late["Retry-After"]) == (503, "busy", str(RETRY_AFTER_SECONDS))
    assert not JobLog.objects.exists()
    assert media() == []
    long: dict[str, Any] = {WAITED_SECONDS: PATIENCE_SECONDS}
    in_time = api.post(UPLOAD, fields | {"file": picture()}, format="multipart", **long)
    assert in_time.status_code == 202


# -- Redis away


@pytest.mark.parametrize("port", [closed_port, silent_port], ids=["refuses", "never answers"])
def test_an_upload_does_not_wait_for_redis(
    port: Any, api: APIClient, settings: LazySettings, media: Media, caplog: pytest.LogCaptureFixture
) -> None:
    post(api, 3)  # what a process does but once is done by then
    with port() as number:
        settings.REDIS_URL = f"redis://127.0.0.1:{number}/0"
        queue_service.cache_clear()
        seconds = [duration_of(partial(post, api, receipt)) for receipt in range(3)]
    assert max(seconds) < 2  # the first one is counted and rung in Redis, and waits for one of the two
    assert caplog.text.count("redis_unreachable") == 1  # what does not answer is not asked again at once
    assert list(JobLog.objects.values_list("status", flat=True)) == ["queued"] * 4
    assert len(media()) == 4


def duration_of(request: Callable[[], Any]) -> float:
    started = time.perf_counter()
    assert request().status_code == 202
    return time.perf_counter() - started
