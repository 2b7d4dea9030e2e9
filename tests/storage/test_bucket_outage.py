"""A bucket that is away or gone: an outage, which is never taken for a loss, and of which nothing half done is left."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import n8n
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.models import JobLog
from jobs.payload import FileMissing, Payload
from jobs.services import NotNow, retry_job
from receipts.models import Receipt
from receipts.storage import StorageAway, can_store
from receipts.thumbnails import find_thumbnail
from tests.factories import JobFactory, ReceiptFactory
from tests.support.outages import closed_port
from tests.support.pictures import heic
from tests.support.s3_server import BUCKET, S3Server, name_of, use_storage
from tests.support.servers import made_up
from tests.support.stub_server import answering, response, stub_server
from tests.support.uploads import post

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def nobody_listens(_: S3Server, use: Callable[[str], None], stack: ExitStack) -> None:
    use(f"http://127.0.0.1:{stack.enter_context(closed_port())}")


def a_proxy_does_not_find_it(_: S3Server, use: Callable[[str], None], stack: ExitStack) -> None:
    use(stack.enter_context(stub_server(answering(response(404, b"")))).url)


def its_bucket_is_gone(s3: S3Server, *_: object) -> None:
    for name in s3.objects():
        s3.boto3().delete_object(Bucket=BUCKET, Key=name)
    s3.boto3().delete_bucket(Bucket=BUCKET)


@pytest.fixture(params=[nobody_listens, a_proxy_does_not_find_it, its_bucket_is_gone])
def away(s3: S3Server, settings: LazySettings, request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Return a function after which the storage is away, in one of its ways."""
    with ExitStack() as stack:
        yield lambda: request.param(s3, partial(use_storage, settings), stack)


def test_while_it_is_away_an_upload_is_503_and_nothing_half_done(api: APIClient, away: Callable[[], None]) -> None:
    assert can_store()
    away()
    answer = post(api)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert not can_store()
    assert int(answer["Retry-After"]) > 0
    assert not JobLog.objects.exists()
    assert not Receipt.objects.exists()


def test_one_that_has_no_room_is_full_and_not_away(api: APIClient, settings: LazySettings) -> None:
    with stub_server(answering(response(507, b""))) as server:
        use_storage(settings, server.url)
        answer = post(api)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")


def test_while_it_is_away_no_file_is_called_missing(api: APIClient, shop: Any, away: Callable[[], None]) -> None:
    post(api)
    job, receipt = JobLog.objects.get(), Receipt.objects.get()
    away()
    assert n8n.send_receipt(job) == Answer(error=ErrorCode.STORAGE_AWAY)
    assert post(api).status_code == 503
    assert api.get(f"/api/v1/receipts/{receipt.pk}/file").json()["code"] == "storage_unavailable"
    assert find_thumbnail(receipt) == b""
    JobLog.objects.update(status="failure", failure_code="callback_timeout", due_at=None, completed_at=timezone.now())
    with pytest.raises(NotNow, match="cannot be reached"):
        retry_job(job.pk, actor="anna", reason="")


def test_where_it_is_away_an_audit_calls_no_file_broken(api: APIClient, away: Callable[[], None]) -> None:
    post(api)
    call_command("verify_audit", stdout=StringIO())
    away()
    with pytest.raises(CommandError, match=r"^The storage is away \(.+\)") as stop:
        call_command("verify_audit", stdout=StringIO())
    assert stop.value.returncode == 2


@pytest.mark.parametrize("path", ["jobs/joblog/{job.pk}/change/", "receipts/receipt/{job.receipt_id}/change/"])
def test_the_admins_pages_do_without_it(admin_client: Browser, away: Callable[[], None], path: str) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=heic(), content_type="image/heic"))
    b"".join(Payload(job))
    away()
    answer = admin_client.get("/admin/" + path.format(job=job))
    assert answer.status_code == 200
    assert not any(words in answer.content.decode() for words in ("is gone", "missing, or", "other bytes"))


def test_a_lost_object_is_missing_and_one_of_another_length_is_not_the_receipts(s3: S3Server) -> None:
    lost, changed = JobFactory.create_batch(2)
    s3.boto3().delete_object(Bucket=BUCKET, Key=name_of(lost.receipt))
    s3.boto3().put_object(Bucket=BUCKET, Key=name_of(changed.receipt), Body=b"short")
    for job in (lost, changed):
        with pytest.raises(FileMissing):
            Payload(job)


def test_while_it_is_away_a_purge_lets_go_of_nothing(away: Callable[[], None], settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 1
    receipt = ReceiptFactory.create()
    Receipt.objects.update(file="receipts/2020/01/01/x.jpg")
    away()
    with pytest.raises(CommandError, match="storage is away"):
        call_command("purge_receipts")
    receipt.refresh_from_db()
    assert receipt.purged_at is None


def test_while_it_is_away_nothing_is_said_to_be_deleted_or_not_to_exist(away: Callable[[], None]) -> None:
    name = name_of(ReceiptFactory.create())
    default_storage.delete("receipts/nothing")
    assert [default_storage.exists(known) for known in (name, "receipts/nothing")] == [True, False]
    away()
    for ask in (default_storage.delete, default_storage.exists, default_storage.get_modified_time):
        with pytest.raises(StorageAway):
            ask(name)


def test_a_fault_names_no_address_key_or_object(away: Callable[[], None]) -> None:
    receipt = ReceiptFactory.create()
    away()
    with pytest.raises(StorageAway) as caught:
        default_storage.open(name_of(receipt))
    told = repr(caught.value)
    assert not any(word in told for word in ("127.0.0.1", "a-key", made_up("key of S3"), name_of(receipt)))
    assert caught.value.__cause__ is None
