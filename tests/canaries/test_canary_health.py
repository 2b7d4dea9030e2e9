"""Readiness and the operations page tell when a canary was last back, and what is wrong where none is."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from accounting.clock import database_now
from jobs import canary
from jobs.answers import Answer
from jobs.canary.health import LOOKED_AT
from jobs.delivery_errors import ErrorCode
from jobs.heartbeats import beat
from jobs.models import Heartbeat, JobLog
from jobs.operations import component_status
from tests.factories import JobFactory, ReceiptFactory
from tests.support.canary_lifecycle import NOT_REGISTERED, aged, answered, returned, sent

pytestmark = pytest.mark.django_db

Status = JobLog.Status
INTERVAL = 300
DAY_SECONDS = 86_400


@pytest.fixture(autouse=True)
def _staffed(db: None) -> None:
    """Let a worker and a sweep be alive."""
    beat("worker-1", Heartbeat.Kind.WORKER)
    beat("sweep-1", Heartbeat.Kind.SWEEP)


@pytest.fixture
def schedule(settings: LazySettings) -> None:
    settings.CANARY_INTERVAL_SECONDS = INTERVAL


def ready() -> tuple[str, Any]:
    answer = Browser().get("/health/ready").json()
    return answer["status"], answer["checks"]["canary"]


def n8n() -> component_status.ComponentStatus:
    (sign,) = (sign for sign in component_status.component_statuses(database_now()) if sign.name == "N8N")
    return sign


# -- readiness


@pytest.mark.usefixtures("schedule")
def test_where_none_was_ever_sent_nothing_is_known_and_nothing_is_wrong() -> None:
    JobFactory.create(success=True)
    status, check = ready()
    assert (status, check["state"], check["completed_at"]) == ("ok", "unknown", None)


def test_the_last_round_trip_is_told_with_its_age_and_duration() -> None:
    aged(returned(), 90)
    later = aged(returned(), 50)
    status, check = ready()
    assert (status, check["state"], check["outcome"]) == ("ok", "ok", "success")
    assert check["seconds"] == round(later.took or 0, 3)
    assert 50 <= check["age_seconds"] < 60


def test_a_failure_that_n8n_reports_is_a_round_trip_and_says_so() -> None:
    returned(answered(sent()), Status.FAILURE)
    _, check = ready()
    assert (check["state"], check["outcome"]) == ("ok", "failure")


def test_a_workflow_that_fails_before_it_calls_back_is_none() -> None:
    answered(sent(), Answer(status=500, body=b'{"message": "Error in workflow"}'))
    _, check = ready()
    assert (check["state"], check["completed_at"], check["trouble"]) == ("failed", None, "workflow_failed")


@pytest.mark.parametrize("is_scheduled", [False, True])
@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (NOT_REGISTERED, "n8n_webhook_not_found"),
        (Answer(error=ErrorCode.UNREACHABLE), "n8n_unreachable"),
        (Answer(status=422), "n8n_rejected"),
    ],
)
def test_one_that_n8n_does_not_take_degrades_the_service_where_a_schedule_asks(
    settings: LazySettings, answer: Answer, trouble: str, is_scheduled: bool
) -> None:
    settings.CANARY_INTERVAL_SECONDS = INTERVAL if is_scheduled else 0
    returned()
    assert ready()[0] == "ok"
    answered(sent(), answer)
    status, check = ready()
    assert (status, check["alarming"]) == (("degraded", True) if is_scheduled else ("ok", False))
    assert (check["state"], check["trouble"]) == ("failed", trouble)


@pytest.mark.usefixtures("schedule")
def test_what_was_wrong_stays_so_until_one_is_back_and_no_longer() -> None:
    answered(sent(), NOT_REGISTERED)
    later = answered(sent())
    assert ready()[1]["trouble"] == "n8n_webhook_not_found"
    returned(later)
    status, check = ready()
    assert (status, check["trouble"]) == ("ok", None)


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize(("intervals", "state"), [(2.9, "ok"), (3.1, "late")])
def test_three_intervals_without_a_round_trip_degrade_the_service(intervals: float, state: str) -> None:
    aged(returned(), intervals * INTERVAL)
    sent()
    status, check = ready()
    assert (status, check["state"]) == ("ok" if state == "ok" else "degraded", state)


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize(("intervals", "state"), [(2.9, "unknown"), (3.1, "late")])
def test_before_the_first_round_trip_it_is_late_once_one_has_been_away_for_that_long(
    intervals: float, state: str
) -> None:
    aged(answered(sent()), intervals * INTERVAL)
    sent()
    assert ready()[1]["state"] == state


@pytest.mark.usefixtures("schedule")
def test_after_many_in_vain_the_wait_does_not_leap_to_the_first_ever_sent_and_looking_stays_cheap(
    django_assert_max_num_queries: Any,
) -> None:
    aged(returned(), 400 * 86_400)
    receipt = ReceiptFactory.create()
    for _ in range(LOOKED_AT):
        JobFactory.create(receipt=receipt, is_canary=True, failure=True, failure_code="n8n_rejected")
    with django_assert_max_num_queries(3):
        health = canary.check_health(database_now())
    assert health.waiting < timedelta(days=1)


@pytest.mark.usefixtures("schedule")
def test_looking_stays_cheap_where_all_have_failed_by_what_n8n_was_asked(django_assert_max_num_queries: Any) -> None:
    receipt = ReceiptFactory.create()
    for _ in range(20):
        JobFactory.create(receipt=receipt, is_canary=True, failure=True, failure_code="callback_lost")
    with django_assert_max_num_queries(3):
        assert canary.check_health(database_now()).round_trip is None


@pytest.mark.usefixtures("schedule")
def test_one_that_was_back_by_a_clock_that_was_ahead_says_nothing_now() -> None:
    aged(returned(), 10 * INTERVAL)
    aged(returned(), -10 * DAY_SECONDS)
    ended_ahead = aged(returned(), 5 * INTERVAL)
    JobLog.objects.filter(pk=ended_ahead.pk).update(completed_at=database_now() + timedelta(days=10))
    status, check = ready()
    assert (status, check["state"]) == ("degraded", "late")
    assert check["age_seconds"] >= 10 * INTERVAL


def test_without_a_schedule_an_old_round_trip_is_only_old() -> None:
    aged(returned(), 10**6)
    assert ready()[0] == "ok"


def test_the_figures_are_for_whoever_asks() -> None:
    assert canary.check_health(database_now()).round_trip is None
    job = returned()
    trip = canary.check_health(database_now()).round_trip
    assert trip is not None
    assert (trip.job_id, trip.seconds) == (job.pk, job.took)


# -- the operations page


def test_the_sign_of_n8n_says_when_one_was_back() -> None:
    job = returned()
    job.completed_at = job.created_at + timedelta(seconds=2)
    aged(job, 242)
    sign = n8n()
    assert sign.tone == "good"
    assert sign.facts[-1] == "last canary back 4 min ago, after 2 s"


def test_the_sign_of_n8n_says_what_is_wrong_and_the_cure(settings: LazySettings) -> None:
    settings.CANARY_INTERVAL_SECONDS = INTERVAL
    answered(sent(), NOT_REGISTERED)
    sign = n8n()
    assert (sign.tone, sign.word) == ("bad", "in trouble")
    assert sign.facts[-1].startswith(
        "a canary did not come back: N8N knows no active webhook at this address. Activate"
    )


@pytest.mark.usefixtures("schedule")
def test_the_sign_of_n8n_says_that_one_is_late() -> None:
    aged(returned(), 3600)
    sign = n8n()
    assert sign.tone == "bad"
    assert sign.facts[-1] == "no canary has come back since, though one is sent every 5 min"


def test_the_sign_of_n8n_says_what_it_reported() -> None:
    returned(answered(sent()), Status.FAILURE, "No such database.")
    assert n8n().facts[-1].endswith("; N8N reported a failure: No such database.")
