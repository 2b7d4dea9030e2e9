"""The sweep: what is overdue, and what becomes of it."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import sweep as sweeping
from jobs.failures import FailureCode
from jobs.heartbeats import forget_dead_processes
from jobs.models import Heartbeat, JobLog
from jobs.queue import queue_service
from jobs.reconciliation import NOT_ASKED
from jobs.services import claim_job, fail
from jobs.sweep import Swept, sweep
from receipts.models import Client, Receipt, Rendition
from receipts.orphans import remove_orphans
from receipts.services import has_file
from receipts.storage import PrivateFileStorage
from tests.factories import JobFactory, ReceiptFactory
from tests.support.job_lifecycle import uploaded
from tests.support.old_receipts import stored_ago
from tests.support.query_plans import multiply, plan

Status = JobLog.Status
Rung = Callable[[], list[str]]
pytestmark = pytest.mark.django_db

PAST = timezone.now() - timedelta(seconds=1)
FUTURE = timezone.now() + timedelta(hours=1)


def after_a_sweep(job: JobLog) -> JobLog:
    sweep()
    job.refresh_from_db()
    return job


def test_a_dead_workers_lease_is_taken_back_and_the_job_sent_again(rung: Rung, settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [0, 3600]
    job = after_a_sweep(JobFactory.create(sending=True, due_at=PAST))
    assert (job.status, job.attempts, job.tries) == (Status.QUEUED, 1, 1)
    assert job.events.get().kind == "lease_ended"
    assert rung() == [str(job.pk)]


@pytest.mark.parametrize(("schedule", "status"), [([5], Status.QUEUED), ([], Status.FAILURE)])
def test_what_kept_the_try_before_is_not_told_of_the_one_whose_worker_died(
    schedule: list[int], status: JobLog.Status, settings: LazySettings
) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = schedule
    dead = JobFactory.create(sending=True, due_at=PAST, last_error="n8n_forbidden", needs_attention=True)
    job = after_a_sweep(dead)
    assert (job.status, job.last_error, job.needs_attention) == (status, "", False)


@pytest.mark.parametrize("trait", ["sending", "unconfirmed"])
def test_what_may_have_arrived_is_sent_again_by_the_schedule_so_that_its_tries_outlast_a_day(
    trait: str, settings: LazySettings
) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [5, 3600]
    job = after_a_sweep(JobFactory.create(**{trait: True}, due_at=PAST, tries=2, attempts=2))
    assert job.due_at is not None
    assert timedelta(seconds=3590) < job.due_at - timezone.now() <= timedelta(seconds=3600)


def test_a_job_that_cannot_be_acted_on_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = (JobFactory.create(processing=True, due_at=PAST - timedelta(minutes=minutes)) for minutes in (2, 1))
    end = fail

    def fail_but_one(job: JobLog, *args: Any, **kwargs: Any) -> None:
        if job.pk == bad.pk:
            raise ValueError
        end(job, *args, **kwargs)

    monkeypatch.setattr(sweeping, "fail", fail_but_one)
    assert sweep().stopped_waiting == 1
    good.refresh_from_db()
    assert good.status == Status.FAILURE


def test_a_database_that_goes_away_ends_the_pass_and_is_not_asked_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        JobFactory.create(sending=True, due_at=PAST)
    asked: list[UUID] = []

    def away(job_id: UUID) -> None:
        asked.append(job_id)
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(sweeping, "lock_free_job", away)
    with pytest.raises(OperationalError):
        sweep()
    assert len(asked) == 1


@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite locks no rows")
@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_has_locked_keeps_no_other_from_its_turn() -> None:
    held, other, waiting = (JobFactory.create(sending=True, due_at=PAST) for _ in range(3))
    JobLog.objects.filter(pk=waiting.pk).update(status=Status.QUEUED)
    connection.ensure_connection()
    with connection.get_new_connection(connection.get_connection_params()) as outside, outside.transaction():
        outside.execute("SELECT 1 FROM jobs_joblog WHERE job_id = ANY(%s) FOR UPDATE", [[held.pk, waiting.pk]])
        assert sweep().taken_back == 1
        assert claim_job(waiting.pk, worker="w") is None
    assert sweep().taken_back == 1
    assert claim_job(waiting.pk, worker="w") is not None
    assert {after_a_sweep(job).status for job in (held, other)} == {Status.QUEUED}


def test_a_lease_that_ends_in_the_last_try_ends_the_job(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    job = after_a_sweep(JobFactory.create(sending=True, due_at=PAST))
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.DELIVERY_UNCONFIRMED)


def test_a_confirmed_job_whose_callback_is_overdue_fails_and_is_not_sent_again() -> None:
    job = after_a_sweep(JobFactory.create(processing=True, due_at=PAST))
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_TIMEOUT)
    assert job.events.get().source == "sweep"


def test_an_unconfirmed_job_is_sent_again_while_tries_are_left() -> None:
    job = after_a_sweep(JobFactory.create(unconfirmed=True, due_at=PAST))
    assert job.status == Status.QUEUED
    assert job.events.get().kind == "resent"


def test_an_unconfirmed_job_without_tries_left_ends(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [5]
    job = after_a_sweep(JobFactory.create(unconfirmed=True, tries=2, attempts=2, due_at=PAST))
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.DELIVERY_UNCONFIRMED)


@pytest.mark.parametrize("trait", ["sending", "processing", "unconfirmed"])
def test_what_is_not_overdue_is_left_alone(trait: str) -> None:
    job = JobFactory.create(**{trait: True}, due_at=FUTURE)
    before = JobLog.objects.values().get(pk=job.pk)
    assert sweep() == Swept(rung=0, taken_back=0, stopped_waiting=0)
    assert JobLog.objects.values().get(pk=job.pk) == before


def test_a_queued_job_whose_bell_was_lost_is_rung_for_and_one_that_waits_is_not(rung: Rung) -> None:
    overdue = JobFactory.create(due_at=PAST)
    JobFactory.create(due_at=FUTURE)
    assert sweep().rung == 1
    assert rung() == [str(overdue.pk)]


def test_the_oldest_are_rung_for_first_and_only_for_a_few_more_than_n8n_has_places_for(
    rung: Rung, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SPARE_RINGS", 1)
    settings.N8N_MAX_IN_FLIGHT = 2
    JobFactory.create(processing=True, due_at=FUTURE)
    jobs = [JobFactory.create(due_at=PAST - timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert sweep().rung == 2
    assert rung() == [str(jobs[1].pk), str(jobs[2].pk)]


def test_one_that_cannot_be_claimed_keeps_none_behind_it_waiting(rung: Rung, settings: LazySettings) -> None:
    settings.N8N_MAX_IN_FLIGHT = 1
    damaged, whole = uploaded(Client.objects.create(name="A")), uploaded(Client.objects.create(name="B"))
    JobLog.objects.filter(pk=damaged.pk).update(chain_length=F("chain_length") - 1)
    sweep()
    first, second = rung()
    assert (first, second) == (str(damaged.pk), str(whole.pk))
    with pytest.raises(IntegrityError):
        claim_job(damaged.pk, worker="w1")
    assert claim_job(whole.pk, worker="w1") is not None


@pytest.mark.parametrize("most", [2, 1])
def test_nobody_is_rung_for_while_n8n_has_all_that_it_may_have_or_by_now_more(
    most: int, rung: Rung, settings: LazySettings
) -> None:
    JobFactory.create_batch(2, processing=True, due_at=FUTURE)
    JobFactory.create(due_at=PAST)
    settings.N8N_MAX_IN_FLIGHT = most
    assert sweep().rung == 0
    assert rung() == []


def test_what_is_overdue_at_n8n_takes_no_ring_from_what_waits(rung: Rung, settings: LazySettings) -> None:
    settings.N8N_MAX_IN_FLIGHT = 2
    JobFactory.create(processing=True, due_at=PAST - timedelta(minutes=1))
    waiting = JobFactory.create(due_at=PAST)
    sweep()
    assert rung() == [str(waiting.pk)]


@pytest.mark.parametrize("trait", ["sending", "processing"])
def test_one_pass_acts_on_a_bounded_number(trait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "ENDS_AT_ONCE", 2)
    JobFactory.create_batch(3, **{trait: True}, due_at=PAST)
    passes = [sweep() for _ in range(3)]
    assert [swept.taken_back + swept.stopped_waiting for swept in passes] == [2, 1, 0]


@pytest.mark.parametrize("others", [0, 5])
def test_rings_do_not_pile_up_where_no_worker_listens(rung: Rung, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    monkeypatch.setattr(sweeping, "RINGS_AT_ONCE", 3)
    JobFactory.create_batch(4, due_at=PAST)
    queue_service().ring(uuid4() for _ in range(others))
    assert [sweep().rung for _ in range(3)] == [3, 0, 0]
    assert len(rung()) == 3 + others


def test_however_many_younger_jobs_are_rung_for_the_oldest_have_their_turn_before_them(rung: Rung) -> None:
    older, old = (JobFactory.create(due_at=PAST - timedelta(minutes=minutes)) for minutes in (2, 1))
    younger = [uuid4() for _ in range(sweeping.RINGS_AT_ONCE)]
    queue_service().ring(younger)
    assert sweep().rung == 2
    assert rung()[:3] == [str(older.pk), str(old.pk), str(younger[0])]


def test_nobody_is_rung_for_whose_own_ring_is_among_the_next(rung: Rung) -> None:
    missed, rung_for = (JobFactory.create(due_at=PAST - timedelta(minutes=minutes)) for minutes in (2, 1))
    queue_service().ring([rung_for.pk])
    assert sweep().rung == 1
    assert rung() == [str(missed.pk), str(rung_for.pk)]


def test_without_redis_a_sweep_does_all_the_rest(settings: LazySettings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    queue_service.cache_clear()
    JobFactory.create(due_at=PAST)
    processing = JobFactory.create(processing=True, due_at=PAST)
    assert sweep() == Swept(rung=0, taken_back=0, stopped_waiting=1)
    processing.refresh_from_db()
    assert processing.status == Status.FAILURE


@pytest.mark.parametrize("trait", ["sending", "processing"])
def test_a_job_that_a_callback_has_ended_meanwhile_stays_as_it_is(trait: str) -> None:
    job = JobFactory.create(success=True)
    stop_waiting = partial(sweeping._stop_waiting, finding=NOT_ASKED)
    acts: dict[str, Callable[[JobLog], None]] = {"sending": sweeping._take_back, "processing": stop_waiting}
    assert sweeping._act_once(job.pk, Status(trait), acts[trait]) is False
    assert not job.events.exists()


# -- the command


def test_one_pass_of_the_command_sweeps_and_beats() -> None:
    job = JobFactory.create(processing=True, due_at=PAST)
    call_command("sweep_jobs", once=True)
    job.refresh_from_db()
    assert job.status == Status.FAILURE
    assert Heartbeat.objects.get().kind == "sweep"


def test_heartbeats_of_processes_long_dead_are_forgotten() -> None:
    Heartbeat.objects.create(name="old", kind="worker", at=timezone.now() - timedelta(days=2))
    Heartbeat.objects.create(name="young", kind="worker", at=timezone.now())
    forget_dead_processes()
    assert [beat.name for beat in Heartbeat.objects.all()] == ["young"]


def test_a_file_without_a_receipt_is_removed_after_a_day_and_no_other(media: Callable[[], list[Path]]) -> None:
    receipt = ReceiptFactory.create()
    kept = stored_ago(receipt, 7)
    orphan, young, partial = (kept.with_name(name) for name in ("orphan.jpg", "young.jpg", ".partial-cut"))
    for path in (orphan, young, partial):
        path.write_bytes(b"x")
    for path in (kept, orphan, partial):
        os.utime(path, (time.time(), time.time() - 25 * 3600))
    assert sum(remove_orphans(now=timezone.now())) == 2
    assert media() == sorted([kept, young])
    assert has_file(receipt)


def test_an_upload_that_ends_while_orphans_are_looked_for_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = stored_ago(ReceiptFactory.create(), 7)
    partial, stored = kept.with_name(".partial-upload"), kept.with_name("stored.jpg")
    partial.write_bytes(b"bytes")
    files_in = PrivateFileStorage.files_in

    def list_just_before_it_ends(storage: PrivateFileStorage, folder: str) -> list[str]:
        found = list(files_in(storage, folder))
        if partial.name in found:
            partial.rename(stored)
        return found

    monkeypatch.setattr(PrivateFileStorage, "files_in", lambda *args: iter(list_just_before_it_ends(*args)))
    assert sum(remove_orphans(now=timezone.now())) == 0
    assert stored.exists()


@pytest.mark.parametrize("model", [Receipt, Rendition])
def test_the_row_of_a_file_is_found_by_an_index(model: type[Receipt | Rendition]) -> None:
    receipt = ReceiptFactory.create()
    multiply(receipt, ({"file": f"{number}.jpg", "sha256": f"{number:064}"} for number in range(1_000)))
    of_them = Rendition(size=1, content_type="image/jpeg", width=1, height=1, most_bytes=1)
    multiply(of_them, ({"receipt_id": receipt.pk, "file": f"{receipt.pk}.jpg"} for receipt in Receipt.objects.all()))
    with CaptureQueriesContext(connection) as queries:
        list(model.objects.filter(file__in=["one", "two"]).values_list("file").order_by())
    assert f"{model.__name__.lower()}_file" in plan(queries.captured_queries[0]["sql"])
