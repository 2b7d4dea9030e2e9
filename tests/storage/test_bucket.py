"""Receipts in a bucket of a real S3 server: the same service, from the upload to the audit and the purge."""

import hashlib
import io
import os
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage, storages
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import JobLog
from jobs.payload import Payload
from receipts import evidence
from receipts.evidence import FilesSeen, Unread, look_at_files, verify_files
from receipts.models import Receipt, Rendition
from receipts.orphans import find_orphans, remove_orphans
from receipts.thumbnails import find_thumbnail
from tests.factories import JobFactory, ReceiptFactory
from tests.support.payload_parser import parse_body
from tests.support.pictures import heic
from tests.support.s3_server import BUCKET, S3Server, name_of, storage
from tests.support.uploads import content, post

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

MB = 1024 * 1024


def picture_in(payload: Payload) -> bytes:
    return parse_body(payload.content_type, b"".join(payload)).picture


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


def test_a_page_reads_a_file_as_it_arrives(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, changed, lost = ReceiptFactory.create_batch(3)
    s3.boto3().put_object(Bucket=BUCKET, Key=name_of(changed), Body=bytes(changed.size))
    s3.boto3().delete_object(Bucket=BUCKET, Key=name_of(lost))
    assert look_at_files(kept) == FilesSeen(are_whole=True)
    assert look_at_files(changed).faults == ("its file holds other bytes than those that came",)
    assert look_at_files(lost).faults == ("its file is gone",)
    monkeypatch.setattr(evidence, "PAGE_SECONDS", 0)
    assert look_at_files(kept) == FilesSeen(unread=Unread.SLOW)


def test_a_purge_deletes_the_objects_and_what_was_made_of_them(
    s3: S3Server, settings: LazySettings, django_capture_on_commit_callbacks: Any
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
    folder, _, _ = name_of(job.receipt).rpartition("/")
    assert list(find_orphans([folder], now=timezone.now() + timedelta(days=2))) == [[name_of(job.receipt)]]


def test_what_is_in_a_folder_is_told_to_its_last_page(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"receipts/2020/{number}/{number}.jpg" for number in range(3)] + [f"receipts/2020/{n}.jpg" for n in "abc"]
    for name in names:
        default_storage.save(name, ContentFile(b"x"))
    s3.boto3().put_object(Bucket=BUCKET, Key="receipts/2020/")  # as consoles mark a folder
    bucket: Any = storages["default"]
    page = bucket._list
    monkeypatch.setattr(bucket, "_list", lambda **place: page(**place, MaxKeys=2))
    assert sorted(bucket.files_in("receipts/2020")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert sorted(bucket.folders_in("receipts/2020")) == ["0", "1", "2"]
    assert list(bucket.files_in("receipts/1999")) == []


def test_orphans_go_once_they_are_a_day_old_and_no_row_names_them(s3: S3Server) -> None:
    receipt = ReceiptFactory.create()
    orphan = default_storage.save(str(Path(name_of(receipt)).with_name("orphan.jpg")), ContentFile(b"left behind"))
    assert sum(remove_orphans(now=timezone.now())) == 0
    assert orphan in s3.objects()
    assert sum(remove_orphans(now=timezone.now() + timedelta(days=2))) == 1
    assert list(s3.objects()) == [name_of(receipt)]


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


LOADED_WITHOUT_A_BUCKET = """
import sys

import django

django.setup()

from django.core.files.storage import storages

print(type(storages["default"]).__module__, {"boto3", "botocore", "s3transfer"} & sys.modules.keys())
"""


def test_nothing_of_amazons_is_imported_where_there_is_no_bucket() -> None:
    command = [sys.executable, "-c", LOADED_WITHOUT_A_BUCKET]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "accounting.settings"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    assert printed == "receipts.storage set()\n"
