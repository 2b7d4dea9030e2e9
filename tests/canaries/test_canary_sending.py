"""A canary goes the way of every receipt, files nothing, and is never one of a flock."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from PIL import Image

from jobs import canary, services
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.models import JobEvent, JobLog
from jobs.payload import Payload
from jobs.proof.audit import verify_job
from receipts.models import Receipt
from receipts.storage import PrivateFileStorage, StorageAway
from tests.factories import JobFactory
from tests.support.canary_lifecycle import NOT_REGISTERED, aged, answered, returned, sent

pytestmark = pytest.mark.django_db

Status = JobLog.Status
INTERVAL = 300
DAY_SECONDS = 86_400


@pytest.fixture
def schedule(settings: LazySettings) -> None:
    settings.CANARY_INTERVAL_SECONDS = INTERVAL


def payload(job: JobLog) -> dict[str, object]:
    fields: dict[str, object] = json.loads(b"".join(Payload(job)))
    return fields


# -- one


def test_it_is_a_job_like_any_other_but_for_its_mark(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = sent()
    assert (job.status, job.is_canary, job.client.name) == (Status.QUEUED, True, "Canary")
    assert rung() == [str(job.pk)]
    assert verify_job(job).sentence == "Verified: 1 event."


def test_no_two_are_the_same_picture_and_each_can_be_read() -> None:
    first, second = sent(), sent()
    assert first.receipt_id != second.receipt_id
    with default_storage.open(str(first.receipt.file.name)) as file, Image.open(file) as picture:
        assert (picture.width, picture.height) == (first.receipt.width, first.receipt.height)
        assert picture.getcolors() not in (None, [(picture.width * picture.height, 255)])


def test_n8n_is_told_that_it_is_one_and_a_database_that_does_not_exist() -> None:
    fields = payload(services.claim_job(sent().pk, worker="w1") or JobLog())
    assert fields["canary"] is True
    assert fields["notion_database_id"] == "00000000-0000-0000-0000-000000000000"


def test_a_receipt_is_sent_without_that_word() -> None:
    assert "canary" not in payload(JobFactory.create(sending=True))


# -- those before it


def test_one_that_n8n_has_not_taken_is_given_up_for_the_next() -> None:
    former = answered(sent(), NOT_REGISTERED)
    assert former.status == Status.QUEUED
    sent()
    former.refresh_from_db()
    assert (former.status, former.failure_code, former.last_error) == (
        Status.FAILURE, "n8n_unavailable", "n8n_webhook_not_found",
    )  # fmt: skip
    assert verify_job(former).ok


@pytest.mark.parametrize("is_delivered", [False, True])
def test_one_that_waits_for_its_turn_or_is_on_its_way_is_left_alone(is_delivered: bool) -> None:
    former = sent()
    if is_delivered:
        answered(former)
    sent()
    former.refresh_from_db()
    assert former.is_open
    assert former.receipt.purged_at is None


@pytest.mark.django_db(transaction=True)
def test_the_picture_of_one_that_has_ended_is_deleted_and_an_event_says_so(media: Callable[[], list[Path]]) -> None:
    former = returned()
    assert len(media()) == 1
    latest = sent()
    assert [path.name for path in media()] == [Path(str(latest.receipt.file.name)).name]
    assert Receipt.objects.get(pk=former.receipt_id).purged_at is not None
    assert former.events.last().kind == JobEvent.Kind.PURGED  # type: ignore[union-attr] # it has events
    assert verify_job(former).ok
    sent()
    assert former.events.filter(kind=JobEvent.Kind.PURGED).count() == 1


def test_a_former_picture_that_cannot_be_deleted_keeps_none_from_being_sent() -> None:
    returned()
    with patch.object(PrivateFileStorage, "delete", side_effect=StorageAway):
        assert sent().status == "queued"


# -- by schedule


def test_without_a_schedule_none_is_sent() -> None:
    assert canary.send_scheduled() is None
    call_command("sweep_jobs", once=True)
    assert not JobLog.objects.exists()


@pytest.mark.usefixtures("schedule")
def test_a_sweep_sends_the_first_at_once_and_the_next_an_interval_later() -> None:
    call_command("sweep_jobs", once=True)
    call_command("sweep_jobs", once=True)
    first = returned(answered(JobLog.objects.get()))
    assert first.events.order_by("id")[0].source == JobEvent.Source.SWEEP
    aged(first, INTERVAL - 10)
    assert canary.send_scheduled() is None
    aged(first, INTERVAL + 10)
    second = canary.send_scheduled()
    assert second is not None
    assert second.pk != first.pk


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize("is_delivered", [False, True])
def test_none_is_sent_while_one_waits_for_its_turn_or_is_on_its_way(is_delivered: bool) -> None:
    former = sent()
    if is_delivered:
        answered(former)
    aged(former, INTERVAL * 10)
    assert canary.send_scheduled() is None


@pytest.mark.usefixtures("schedule")
def test_one_that_n8n_does_not_take_keeps_no_later_one_from_being_sent() -> None:
    former = answered(sent(), Answer(error=ErrorCode.UNREACHABLE))
    aged(former, INTERVAL + 1)
    assert canary.send_scheduled() is not None
    assert JobLog.objects.filter(status=Status.QUEUED).count() == 1


@pytest.mark.usefixtures("schedule")
def test_those_sent_by_a_clock_that_was_ahead_keep_none_from_being_sent() -> None:
    aged(returned(canary.send_scheduled()), INTERVAL + 1)
    for days in (10, 20):  # the schedule went on meanwhile
        aged(returned(canary.send_scheduled()), -days * DAY_SECONDS)
    for _ in range(3):
        former = canary.send_scheduled()
        assert former is not None
        assert canary.send_scheduled() is None
        aged(returned(former), INTERVAL + 1)


@pytest.mark.usefixtures("schedule")
def test_a_full_disk_keeps_the_sweep_from_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    overdue = aged(JobFactory.create(processing=True), 10)
    monkeypatch.setattr(PrivateFileStorage, "_save", full)
    call_command("sweep_jobs", once=True)
    overdue.refresh_from_db()
    assert overdue.status == Status.FAILURE
    assert not canary.canaries().exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("schedule")
def test_of_several_sweeps_at_once_one_sends_it() -> None:
    for expected in (1, 2, 3):
        _all_at_once(6)
        assert JobLog.objects.count() == expected
        aged(returned(answered(canary.canaries().get(due_at__isnull=False))), INTERVAL + 1)


def _all_at_once(number: int) -> None:
    barrier = Barrier(number)

    def sweep() -> None:
        try:
            barrier.wait()
            canary.send_scheduled()
        finally:
            connection.close()

    sweeps = [Thread(target=sweep) for _ in range(number)]
    for each in sweeps:
        each.start()
    for each in sweeps:
        each.join()
