"""A made-up history looks to the rest of the service like one that was lived."""

from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count
from django.urls import reverse

from accounting.clock import database_now
from jobs.delivery_errors import WRONG_SETTINGS
from jobs.history.batch import SHOPS
from jobs.history.indexes import without_indexes
from jobs.management.commands import make_history as command
from jobs.models import HourlyFigures, JobEvent, JobLog, Seal, SpanFigures
from jobs.rollups import close_hours, sum_up_hours
from tests.factories import JobFactory
from tests.support.job_lifecycle import uploaded
from tests.support.staff import auditor

pytestmark = pytest.mark.django_db


def make_history(jobs: int = 200, **options: Any) -> None:
    """Make jobs of the last two days."""
    call_command("make_history", jobs=jobs, days=options.pop("days", 2), force=True, stdout=StringIO(), **options)


def test_the_audit_finds_every_row_signed_and_every_hour_sealed() -> None:
    make_history()
    said = StringIO()
    call_command("verify_audit", no_files=True, stdout=said)
    assert "Jobs: 200 looked at, 0 broken" in said.getvalue()
    assert Seal.objects.count() >= 47


def test_without_signatures_the_audit_does_not_hold() -> None:
    make_history(20, unsigned=True)
    with pytest.raises(CommandError, match="broken"):
        call_command("verify_audit", no_files=True, stdout=StringIO())


def test_its_hourly_figures_are_those_that_a_sweep_would_count() -> None:
    make_history()
    made = list(HourlyFigures.objects.order_by("hour").values())
    HourlyFigures.objects.all().delete()
    while close_hours(database_now()):
        pass
    counted = {row["hour"]: row for row in HourlyFigures.objects.values()}
    assert counted == {row["hour"]: row for row in made if row["hour"] in counted}
    assert sum(row["received"] for row in made) == sum(row["received"] for row in counted.values()) > 150


def test_its_days_are_those_that_a_sweep_would_sum_up() -> None:
    make_history(days=3)
    make_history(add=True, seed=2)
    made = list(
        SpanFigures.objects.order_by("minutes", "begin").values_list("minutes", "begin", "received", "latencies")
    )
    SpanFigures.objects.all().delete()
    while sum_up_hours():
        pass
    assert made == list(
        SpanFigures.objects.order_by("minutes", "begin").values_list("minutes", "begin", "received", "latencies")
    )
    assert len(made) >= 2 + 10  # whole days and whole six hours of three days, whenever they begin


def test_most_succeed_some_fail_and_a_few_are_open() -> None:
    make_history(1_000)
    number = {status: JobLog.objects.filter(status=status).count() for status in JobLog.Status}
    assert 900 < number[JobLog.Status.SUCCESS] < 950
    assert 40 < number[JobLog.Status.FAILURE] < 90
    assert 0 < JobLog.objects.filter(due_at__isnull=False).count() <= 40
    assert 4.5 < JobEvent.objects.count() / 1_000 < 5.5


def test_few_jobs_can_show_every_client_and_every_end() -> None:
    make_history(300, even=True)
    assert min(JobLog.objects.filter(client__name=shop).count() for shop in SHOPS) > 30
    codes = JobLog.objects.exclude(failure_code="").order_by().values_list("failure_code").annotate(count=Count("*"))
    assert len(codes) == 8
    assert min(count for _, count in codes) > 5


@pytest.mark.parametrize("code", ["n8n_unavailable", "delivery_unconfirmed", "file_missing"])
def test_what_ends_with_the_schedule_ends_with_no_try_left(settings: LazySettings, code: str) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [5, 30]
    make_history(100, even=True)
    ended = JobLog.objects.filter(failure_code=code)
    assert ended
    assert {job.tries for job in ended} == {3}
    ends = JobEvent.objects.filter(job__in=ended, kind=JobEvent.Kind.FAILED)
    assert {end.source for end in ends} == {"sweep" if code == "delivery_unconfirmed" else "worker"}


def test_what_tells_of_a_wrong_setting_came_with_that_answer() -> None:
    make_history(100, even=True)
    sentences = {(wrong.code, wrong.status): wrong.sentence for wrong in WRONG_SETTINGS}
    codes = {code for code, _ in sentences}
    details = [event.detail for event in JobEvent.objects.filter(detail__code__in=codes)]
    assert {detail["code"] for detail in details} == {"n8n_webhook_not_found", "n8n_forbidden"}
    assert all(sentences[detail["code"], detail["http_status"]] == detail["message"] for detail in details)


def test_events_are_numbered_in_the_order_in_which_they_happened() -> None:
    make_history()
    moments = list(JobEvent.objects.order_by("id").values_list("at", flat=True))
    assert moments == sorted(moments)


def test_what_happens_next_gets_the_next_number() -> None:
    make_history(20)
    last = JobEvent.objects.order_by("id").last()
    uploaded()
    assert last
    assert JobEvent.objects.filter(pk=last.pk + 1).exists()


def test_so_it_does_where_the_making_was_interrupted() -> None:
    with patch.object(command, "add_figures", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        make_history(20)
    uploaded()
    assert JobLog.objects.count() > 1


def test_the_pages_bear_that_there_are_no_files() -> None:
    make_history(20)
    job, browser = JobLog.objects.all()[0], auditor()
    assert browser.get(reverse("admin:jobs_joblog_change", args=[job.pk])).status_code == 200
    assert browser.get(reverse("admin:jobs_joblog_changelist")).status_code == 200
    assert browser.get(reverse("receipt-file", args=[job.receipt_id])).status_code == 404


def test_a_database_in_use_is_left_alone(settings: LazySettings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="--force"):
        call_command("make_history")
    JobFactory.create()
    with pytest.raises(CommandError, match="There are jobs already"):
        make_history(20)
    assert JobLog.objects.count() == 1


def test_more_can_be_added() -> None:
    make_history(20)
    received_before = sum(HourlyFigures.objects.values_list("received", flat=True))
    make_history(20, add=True, seed=2)
    assert JobLog.objects.count() == 40
    assert sum(HourlyFigures.objects.values_list("received", flat=True)) > received_before
    call_command("verify_audit", no_files=True, stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_indexes_that_were_put_off_are_there_afterwards_even_where_it_failed() -> None:
    before = _indexes()
    with pytest.raises(KeyboardInterrupt):
        _interrupted_without_indexes()
    assert _indexes() == before
    assert "job_newest" in before


def _interrupted_without_indexes() -> None:
    with without_indexes(JobLog):
        assert "job_newest" not in _indexes()
        raise KeyboardInterrupt


def _indexes() -> set[str]:
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, JobLog._meta.db_table))


@pytest.mark.faults
def test_several_processes_make_the_same_as_one() -> None:
    make_history(2_500, processes=2)
    assert JobLog.objects.count() == 2_500
    call_command("verify_audit", no_files=True, stdout=StringIO())
    assert JobLog.objects.filter(created_at__gte=database_now() - timedelta(days=1)).count() > 1_000
