"""What is made of a receipt for N8N is made once, kept, and shown; or it cannot be made."""

import errno
import threading
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.conf import LazySettings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from jobs import n8n
from jobs.delivery_errors import ErrorCode
from jobs.payload import Payload, most_bytes
from receipts import renditions
from receipts.models import Receipt, Rendition
from receipts.orphans import remove_orphans
from receipts.storage import PrivateFileStorage, StorageAway
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at
from tests.support.pictures import heic
from tests.support.renditions import job_for, sent
from tests.support.stub_server import answering, stub_server

Media = Callable[[], list[Path]]


# -- once


@pytest.mark.django_db
def test_it_is_not_made_again_for_the_next_try(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    first, files = sent(job), media()
    assert sent(job) == first
    assert sent(JobFactory.create(receipt=job.receipt))[1] == first[1]
    assert media() == files
    assert Rendition.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_each_receipt_has_its_own(media: Media) -> None:
    one, other = (job_for(heic(number), "image/heic") for number in (1, 2))
    first, second = sent(one), sent(other)
    assert first[1] != second[1]
    assert all(fields["sha256"] == sha256(picture).hexdigest() for fields, picture in (first, second))
    assert (sent(one), sent(other)) == (first, second)
    assert (Rendition.objects.count(), len(media())) == (2, 4)


@pytest.mark.django_db(transaction=True)
def test_another_limit_of_n8n_asks_for_another_and_the_former_file_goes(settings: LazySettings, media: Media) -> None:
    job = job_for(heic(), "image/heic")
    sent(job)
    files = media()
    settings.N8N_MAX_PAYLOAD_MB = 2
    sent(job)
    assert Rendition.objects.get().most_bytes == most_bytes()
    assert len(media()) == len(files) == 2
    assert media() != files


@pytest.mark.django_db(transaction=True)
def test_a_former_file_that_cannot_be_deleted_keeps_no_receipt_from_being_sent(settings: LazySettings) -> None:
    job = job_for(heic(), "image/heic")
    sent(job)
    settings.N8N_MAX_PAYLOAD_MB = 2
    with patch.object(PrivateFileStorage, "delete", side_effect=StorageAway):
        assert sent(job)
    assert Rendition.objects.get().most_bytes == most_bytes()


@pytest.mark.django_db(transaction=True)
def test_one_whose_file_is_gone_is_made_again(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    _, picture = sent(job)
    Path(Rendition.objects.get().file.path).unlink()
    assert sent(job)[1] == picture
    assert len(media()) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_prepare_it_at_once_leave_one(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    gate, bodies = threading.Barrier(2), []

    def prepare() -> None:
        gate.wait()
        try:
            bodies.append(sent(job))
        finally:
            connection.close()

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert (Rendition.objects.count(), len(media())) == (1, 2)


@pytest.mark.django_db
def test_a_worker_killed_in_between_leaves_a_file_that_is_removed_after_a_day(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_for(heic(), "image/heic")
    with monkeypatch.context() as patch:
        patch.setattr(renditions, "_keep_rendition", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Payload(job)
    assert (Rendition.objects.count(), len(media())) == (0, 2)
    sent(job)
    assert len(media()) == 3
    now = timezone.now()
    assert [sum(remove_orphans(now=now + timedelta(days=days))) for days in (1, 2)] == [0, 1]
    assert sent(job)
    assert len(media()) == 2


# -- what cannot be prepared


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"),
    [(heic()[:-2000], "image/heic"), (b"%PDF-1.7 %%EOF", "application/pdf"), (bytes(100), "image/webp")],
    ids=["HEIC", "PDF", "WebP"],
)
def test_a_file_that_nobody_can_read_is_told_of_and_ends_no_worker(content: bytes, content_type: str) -> None:
    job = job_for(content, content_type, sending=True)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job).error is ErrorCode.FILE_UNREADABLE
        assert server.requests == []
    assert not Rendition.objects.exists()


@pytest.mark.django_db
def test_where_the_storage_is_away_when_it_is_to_be_kept_that_is_what_is_told() -> None:
    job = job_for(heic(), "image/heic", sending=True)
    with patch.object(PrivateFileStorage, "_save", side_effect=StorageAway):
        assert n8n.send_receipt(job).error is ErrorCode.STORAGE_AWAY


@pytest.mark.django_db
def test_a_disk_that_takes_nothing_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    job = job_for(heic(), "image/heic", sending=True)
    with patch.object(PrivateFileStorage, "_save", side_effect=OSError(errno.EDQUOT, "Disk quota exceeded")):
        assert n8n.send_receipt(job).error is ErrorCode.NOT_PREPARED
    [line] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert (line["fault"], line["errno"]) == ("OSError", errno.EDQUOT)


@pytest.mark.django_db
def test_where_the_machine_is_too_busy_it_is_tried_again_later(settings: LazySettings) -> None:
    settings.N8N_PREPARATION_SECONDS = 0.001
    assert n8n.send_receipt(job_for(heic(), "image/heic", sending=True)).error is ErrorCode.NOT_PREPARED


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_where_the_database_is_away_when_it_is_to_be_kept_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(renditions, "_keep_rendition", Mock(side_effect=error))
    assert n8n.send_receipt(job_for(heic(), "image/heic", sending=True)).error is ErrorCode.PUT_OFF


# -- to look at


@pytest.mark.django_db
def test_the_picture_made_can_be_had_by_its_client_alone(api: Any, shop: Any) -> None:
    own = job_for(heic(), "image/heic").receipt
    Receipt.objects.filter(pk=own.pk).update(client=shop)
    address = f"/api/v1/receipts/{own.pk}/rendition"
    assert (api.get(address).status_code, api.get(address).json()["code"]) == (404, "rendition_missing")
    _, picture = sent(JobFactory.create(receipt=own))
    answer = api.get(address)
    assert (b"".join(answer.streaming_content), answer["Content-Type"]) == (picture, "image/jpeg")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    other = job_for(heic(2), "image/heic")
    sent(other)
    assert api.get(f"/api/v1/receipts/{other.receipt.pk}/rendition").status_code == 404


@pytest.mark.django_db
def test_the_jobs_page_shows_what_a_browser_can_show(admin_client: Any) -> None:
    job = job_for(heic(), "image/heic")
    page = f"/admin/jobs/joblog/{job.pk}/change/"
    before = admin_client.get(page).content.decode()
    assert '<img class="receipt"' not in before
    assert f"/api/v1/receipts/{job.receipt.pk}/file" in before
    sent(job)
    assert (
        f'<img class="receipt" src="/api/v1/receipts/{job.receipt.pk}/rendition"'
        in admin_client.get(page).content.decode()
    )
    assert (
        f"/api/v1/receipts/{job.receipt.pk}/rendition"
        in admin_client.get(f"/admin/receipts/receipt/{job.receipt.pk}/change/").content.decode()
    )
