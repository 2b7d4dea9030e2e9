"""Receipts in a bucket of a real S3 server: the same service, and an outage that is never taken for a loss."""

import hashlib
import io
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import n8n
from jobs.answers import Answer, Trouble
from jobs.models import JobLog
from jobs.payload import FileMissing, Payload
from jobs.services import NotNow, retry_job
from receipts.evidence import verify_files
from receipts.models import Receipt, Rendition
from receipts.orphans import find_orphans, remove_orphans
from receipts.storage import StorageAway, can_store
from receipts.thumbnails import find_thumbnail

from .bodies import parse_body
from .factories import JobFactory, ReceiptFactory
from .outages import closed_port
from .pictures import heic
from .s3_server import BUCKET, S3Server, storage
from .servers import made_up
from .uploads import content, post

pytestmark = pytest.mark.django_db

MB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def use(settings: LazySettings) -> Callable[[str], None]:
    """Return a function that lets the service use a storage at that address."""

    def use(url: str) -> None:
        settings.STORAGES = settings.STORAGES | {"default": storage(endpoint=url)}

    return use


@pytest.fixture
def s3(server: S3Server, use: Callable[[str], None]) -> S3Server:
    server.make_bucket()
    use(server.url)
    return server


@pytest.fixture
def away(s3: S3Server, use: Callable[[str], None]) -> Callable[[], None]:
    """Return a function after which nobody listens where the S3 server was."""

    def go() -> None:
        with closed_port() as port:
            use(f"http://127.0.0.1:{port}")

    return go


def name_of(stored: Receipt | Rendition) -> str:
    return stored.file.name or ""


def picture_in(payload: Payload) -> bytes:
    return parse_body(payload.content_type, b"".join(payload)).picture


def refused(s3: S3Server) -> None:
    """Remove the bucket: the server is there, and gives nothing."""
    for name in s3.objects():
        s3.boto3().delete_object(Bucket=BUCKET, Key=name)
    s3.boto3().delete_bucket(Bucket=BUCKET)


# -- uploads, files, deliveries


def test_an_upload_is_one_private_object_under_a_random_name_with_the_bytes_as_they_came(
    api: APIClient, s3: S3Server
) -> None:
    assert post(api).status_code == 202
    ((name, size),) = s3.objects().items()
    stored = s3.boto3().get_object(Bucket=BUCKET, Key=name)
    assert stored["Body"].read() == content()
    assert (name, size) == (name_of(Receipt.objects.get()), len(content()))
    grants = s3.boto3().get_object_acl(Bucket=BUCKET, Key=name)["Grants"]
    assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]  # the owner, and nobody else


def test_a_receipt_has_no_address_in_the_bucket(s3: S3Server) -> None:
    with pytest.raises(NotImplementedError):
        ReceiptFactory.create().file.url  # noqa: B018 - to ask is the test


def test_the_same_bytes_again_are_not_stored_twice(api: APIClient, s3: S3Server) -> None:
    first, second = post(api), post(api)
    assert (first.status_code, second.status_code) == (202, 200)
    assert len(s3.objects()) == 1


def test_bytes_whose_object_is_gone_are_healed_by_uploading_again(api: APIClient, s3: S3Server) -> None:
    post(api)
    (name,) = s3.objects()
    s3.boto3().delete_object(Bucket=BUCKET, Key=name)
    assert post(api).status_code == 200
    assert list(s3.objects()) == [name_of(Receipt.objects.get())]


def test_the_client_gets_its_bytes_back(api: APIClient, s3: S3Server) -> None:
    post(api)
    answer = api.get(f"/api/v1/receipts/{Receipt.objects.get().pk}/file")
    assert (answer.status_code, answer.getvalue()) == (200, content())
    assert answer["Content-Length"] == str(len(content()))


def test_a_receipt_is_sent_as_it_came(s3: S3Server) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=content()))
    payload = Payload(job)
    assert len(payload) == len(b"".join(payload))
    assert picture_in(payload) == content()


def test_once_a_delivery_has_begun_the_storage_is_needed_no_more(s3: S3Server) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=content()))
    payload = Payload(job)
    s3.boto3().delete_object(Bucket=BUCKET, Key=name_of(job.receipt))
    assert picture_in(payload) == content()


def test_what_n8n_cannot_read_is_made_once_and_kept_in_the_bucket(s3: S3Server) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=heic(), content_type="image/heic"))
    first = picture_in(Payload(job))
    assert picture_in(Payload(job)) == first
    made = Rendition.objects.get()
    assert hashlib.sha256(first).hexdigest() == made.sha256
    assert sorted(s3.objects()) == sorted([name_of(job.receipt), name_of(made)])


def test_thumbnails_are_made_once_and_kept_in_the_bucket(s3: S3Server) -> None:
    receipt = ReceiptFactory.create()
    assert find_thumbnail(receipt)
    (name,) = [name for name in s3.objects() if name.startswith("thumbnails/")]
    s3.boto3().put_object(Bucket=BUCKET, Key=name, Body=b"kept")
    assert find_thumbnail(receipt) == b"kept"


def test_ten_megabytes_are_never_whole_in_memory(s3: S3Server) -> None:
    default_storage.save("receipts/small.bin", ContentFile(b"x"))  # what is made but once is made
    with io.BytesIO(bytes(10 * MB)) as large:
        tracemalloc.start()
        try:
            name = default_storage.save("receipts/large.bin", File(large))
            with default_storage.open(name).open() as file:
                length = sum(len(piece) for piece in file.chunks())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert length == 10 * MB
    assert peak < 5 * MB


def test_a_length_is_known_without_a_byte_of_the_file(s3: S3Server) -> None:
    name = name_of(ReceiptFactory.create(content=b"bytes"))
    with default_storage.open(name) as file:
        s3.boto3().delete_object(Bucket=BUCKET, Key=name)
        assert file.size == 5
        with pytest.raises(FileNotFoundError):
            file.read()


# -- evidence, purge, orphans


def test_the_audit_reads_the_files(s3: S3Server) -> None:
    kept, changed, lost = ReceiptFactory.create_batch(3)
    s3.boto3().put_object(Bucket=BUCKET, Key=name_of(changed), Body=b"other bytes")
    s3.boto3().delete_object(Bucket=BUCKET, Key=name_of(lost))
    ((number, sentences),) = verify_files(Receipt.objects.all())
    assert number == 3
    assert sorted(sentences) == sorted(
        [
            f"Receipt {changed.pk}: its file holds other bytes than those that came.",
            f"Receipt {lost.pk}: its file is gone.",
        ]
    )
    assert name_of(kept) in s3.objects()


def test_a_purge_deletes_the_objects_and_what_was_made_of_them(
    s3: S3Server, settings: LazySettings, django_capture_on_commit_callbacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.RETENTION_DAYS = 1
    job = JobFactory.create(receipt=ReceiptFactory.create(content=heic(), content_type="image/heic"))
    b"".join(Payload(job))
    find_thumbnail(job.receipt)
    assert len(s3.objects()) == 3
    JobLog.objects.update(status="success", due_at=None, completed_at=timezone.now())
    old_name = f"receipts/2020/01/01/{'x' * 32}.heic"
    default_storage.save(old_name, ContentFile(heic()))
    Receipt.objects.update(file=old_name)
    with django_capture_on_commit_callbacks(execute=True):
        call_command("purge_receipts")
    assert Receipt.objects.get().purged_at is not None
    assert list(s3.objects()) == [name_of(job.receipt)]  # which no row named any more, for less than a day
    assert find_orphans("/".join(name_of(job.receipt).split("/")[:-1]), now=timezone.now() + timedelta(days=2))


def test_orphans_go_once_they_are_a_day_old_and_no_row_names_them(s3: S3Server) -> None:
    receipt = ReceiptFactory.create()
    orphan = default_storage.save(str(Path(name_of(receipt)).with_name("orphan.jpg")), ContentFile(b"left behind"))
    assert remove_orphans(now=timezone.now()) == 0
    assert orphan in s3.objects()
    assert remove_orphans(now=timezone.now() + timedelta(days=2)) == 1
    assert list(s3.objects()) == [name_of(receipt)]


# -- away, refusing, changed


def test_while_it_is_away_an_upload_is_503_and_nothing_half_done(api: APIClient, away: Callable[[], None]) -> None:
    away()
    answer = post(api)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not JobLog.objects.exists()
    assert not Receipt.objects.exists()


def test_while_it_is_away_no_file_is_called_missing(api: APIClient, shop: Any, away: Callable[[], None]) -> None:
    post(api)
    job, receipt = JobLog.objects.get(), Receipt.objects.get()
    away()
    assert n8n.send_receipt(job) == Answer(trouble=Trouble.STORAGE_AWAY)
    assert post(api).status_code == 503
    assert api.get(f"/api/v1/receipts/{receipt.pk}/file").json()["code"] == "storage_unavailable"
    assert find_thumbnail(receipt) == b""
    JobLog.objects.update(status="failure", failure_code="callback_timeout", due_at=None, completed_at=timezone.now())
    with pytest.raises(NotNow, match="cannot be reached"):
        retry_job(job.pk, actor="anna", reason="")


@pytest.mark.parametrize("path", ["jobs/joblog/{job.pk}/change/", "receipts/receipt/{job.receipt_id}/change/"])
def test_the_admins_pages_do_without_it(admin_client: Browser, away: Callable[[], None], path: str) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=heic(), content_type="image/heic"))
    b"".join(Payload(job))
    away()
    assert admin_client.get("/admin/" + path.format(job=job)).status_code == 200


def test_a_bucket_that_is_gone_is_an_outage_for_uploads_and_readiness(api: APIClient, s3: S3Server) -> None:
    assert can_store()
    refused(s3)
    assert post(api).json()["code"] == "storage_unavailable"
    assert not can_store()


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


def test_a_fault_names_no_address_key_or_object(away: Callable[[], None]) -> None:
    receipt = ReceiptFactory.create()
    away()
    with pytest.raises(StorageAway) as caught:
        default_storage.open(name_of(receipt))
    told = repr(caught.value)
    assert not any(word in told for word in ("127.0.0.1", "a-key", made_up("key of S3"), name_of(receipt)))
    assert caught.value.__cause__ is None


# -- settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"secret": ""}, "S3_SECRET_ACCESS_KEY is missing"),
        ({"key": ""}, "S3_ACCESS_KEY_ID is missing"),
        ({"bucket": ""}, "S3_BUCKET is missing"),
    ],
)
def test_half_a_key_or_a_key_without_a_bucket_is_one_sentence(wrong: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        storage(**wrong)


def test_nothing_of_amazons_is_imported_where_there_is_no_bucket() -> None:
    assert type(storages["default"]).__module__ == "receipts.storage"
