"""The status machine: the whole table, and that nothing goes round it."""

import ast
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from structlog.testing import capture_logs

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.transitions import TransitionNotAllowed, change_status, lock_job, note
from tests.factories import JobFactory, job_in

Status = JobLog.Status
Kind, Source = JobEvent.Kind, JobEvent.Source

LEADS_TO = {
    Status.QUEUED: {Status.SENDING, Status.SUCCESS, Status.FAILURE},
    Status.SENDING: {Status.QUEUED, Status.PROCESSING, Status.SUCCESS, Status.FAILURE},
    Status.PROCESSING: {Status.QUEUED, Status.SUCCESS, Status.FAILURE},
    Status.SUCCESS: set(),
    Status.FAILURE: {Status.QUEUED, Status.SUCCESS},
}
PAIRS = list(itertools.product(Status, Status))
ALLOWED = [(was, to) for was, to in PAIRS if to in LEADS_TO[was]]
FORBIDDEN = [(was, to) for was, to in PAIRS if to not in LEADS_TO[was]]


def fields_of(status: JobLog.Status) -> dict[str, Any]:
    is_open = status in JobLog.OPEN
    return {
        "due_at": timezone.now() if is_open else None,
        "completed_at": None if is_open else timezone.now(),
        "failure_code": FailureCode.CANCELLED if status == Status.FAILURE else "",
    }


def move(job: JobLog, to: JobLog.Status) -> None:
    with transaction.atomic():
        locked = lock_job(job.pk)
        change_status(locked, to, kind=Kind.FAILED, source=Source.SWEEP, actor="me", detail={"a": 1}, **fields_of(to))


@pytest.mark.django_db
@pytest.mark.parametrize(("was", "to"), ALLOWED)
def test_an_allowed_change_is_saved_with_its_event(was: JobLog.Status, to: JobLog.Status) -> None:
    job = job_in(was)
    move(job, to)
    job.refresh_from_db()
    assert job.status == to
    event = job.events.get()
    assert (event.from_status, event.to_status, event.source, event.actor) == (was, to, "sweep", "me")
    assert (event.kind, event.attempt, event.detail) == ("failed", job.attempts, {"a": 1})


@pytest.mark.django_db
@pytest.mark.parametrize(("was", "to"), FORBIDDEN)
def test_any_other_change_is_refused_and_leaves_nothing(was: JobLog.Status, to: JobLog.Status) -> None:
    job = job_in(was)
    with pytest.raises(TransitionNotAllowed):
        move(job, to)
    job.refresh_from_db()
    assert job.status == was
    assert not job.events.exists()


@pytest.mark.django_db
def test_a_change_is_one_of_its_job_alone() -> None:
    job, other = job_in(Status.SENDING), job_in(Status.SENDING)
    before = JobLog.objects.values().get(pk=other.pk)
    move(job, Status.SUCCESS)
    assert JobLog.objects.values().get(pk=other.pk) == before


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", [{"attempts": 7}, {"status": Status.PROCESSING}, {"chain_length": 7}])
def test_a_row_that_has_moved_on_is_not_overwritten(elsewhere: dict[str, Any]) -> None:
    job = job_in(Status.SENDING)
    with transaction.atomic():
        locked = lock_job(job.pk)
        JobLog.objects.filter(pk=job.pk).update(**elsewhere)
        with pytest.raises(TransitionNotAllowed):
            change_status(locked, Status.SUCCESS, kind=Kind.SUCCEEDED, source=Source.CALLBACK)
    assert not job.events.exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_right_after_the_commit_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []

    def be_away_once_committed(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not told:
            return execute(sql, *rest)
        told.append(sql)
        raise OperationalError("the connection is lost")

    job = job_in(Status.PROCESSING)
    with connection.execute_wrapper(be_away_once_committed), transaction.atomic():
        transaction.on_commit(lambda: told.append("committed"))
        change_status(
            lock_job(job.pk), Status.SUCCESS, kind=Kind.SUCCEEDED, source=Source.CALLBACK, **fields_of(Status.SUCCESS)
        )
    assert len(told) == 2
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    job.refresh_from_db()
    assert job.status == Status.SUCCESS


@pytest.mark.django_db(transaction=True)
def test_the_log_tells_of_a_change_once_it_is_committed_and_of_none_that_was_rolled_back() -> None:
    job, ended = job_in(Status.SENDING), fields_of(Status.SUCCESS)
    with capture_logs() as logs:
        for undone in (True, False):
            with transaction.atomic():
                change_status(lock_job(job.pk), Status.SUCCESS, kind=Kind.SUCCEEDED, source=Source.CALLBACK, **ended)
                transaction.set_rollback(undone)
                assert logs == []
    assert [log["kind"] for log in logs] == [Kind.SUCCEEDED]


@pytest.mark.django_db(transaction=True)
def test_a_change_outside_a_transaction_is_refused() -> None:
    job = JobFactory.create()
    with transaction.atomic():
        locked = lock_job(job.pk)
    with pytest.raises(TransactionManagementError):
        change_status(locked, Status.SENDING, kind=Kind.CLAIMED, source=Source.WORKER)


@pytest.mark.django_db(transaction=True)
def test_a_change_whose_event_cannot_be_written_does_not_happen() -> None:
    job = JobFactory.create()
    with pytest.raises(IntegrityError):
        _claim_without_a_time(job)
    job.refresh_from_db()
    assert job.status == Status.QUEUED


@transaction.atomic
def _claim_without_a_time(job: JobLog) -> None:
    locked = lock_job(job.pk)
    locked.now = None  # type: ignore[assignment] # what no event can be written with
    change_status(locked, Status.SENDING, kind=Kind.CLAIMED, source=Source.WORKER)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"due_at": None},
        {"status": "lost"},
        {"status": Status.SUCCESS, "due_at": None},
        {"status": Status.SUCCESS, "completed_at": timezone.now()},
        {"status": Status.FAILURE, "due_at": None, "completed_at": timezone.now()},
        {"failure_code": "cancelled"},
        {"completed_at": timezone.now()},
    ],
)
def test_the_database_itself_refuses_an_impossible_row(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        JobFactory.create(**fields)


@pytest.mark.django_db
def test_an_event_keeps_as_much_of_a_long_name_as_its_column_holds() -> None:
    job = JobFactory.create()
    with transaction.atomic():
        note(lock_job(job.pk), kind=Kind.REPEATED, source=Source.ADMIN, actor="n" * 200)
    assert job.events.get().actor == "n" * 150


@pytest.mark.django_db
def test_an_event_is_written_once_and_stays() -> None:
    job = JobFactory.create()
    move(job, Status.FAILURE)
    event = job.events.get()
    with pytest.raises(TypeError, match="never changed"):
        event.save()
    with pytest.raises(TypeError, match="never deleted"):
        event.delete()


def test_only_one_place_in_the_code_changes_a_status() -> None:
    """No `.update(status=…)` and no `.status = …` on a job stands anywhere but in `transitions`."""
    places = {
        path.name
        for folder in ("accounting", "jobs", "receipts")
        for path in Path(folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if _updates_status(node)
    }
    assert places == {"transitions.py"}


def _updates_status(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "update" and any(keyword.arg == "status" for keyword in node.keywords)
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Attribute) and ast.unparse(target) == "job.status" for target in targets)
