"""A database's clock that was ahead for a while: nothing waits until it would be right, and nobody lives until then."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db.models import Q
from django.test import Client as Browser
from django.utils import timezone

from accounting.clock import CLOCK_SLACK
from jobs import sweep as sweeping
from jobs.heartbeats import forget_dead_processes
from jobs.models import Heartbeat
from jobs.services import claim_job, submission
from jobs.sweep import bring_forward
from tests.factories import JobFactory
from tests.support.audit_runs import WELL, verify
from tests.support.job_lifecycle import uploaded
from tests.support.operations_page import page, sign

pytestmark = pytest.mark.django_db

YEARS = timedelta(days=3650)
HOUR = 3600
WAITS: list[tuple[dict[str, Any], int]] = [
    ({"tries": 0}, 0),
    ({"tries": 1, "attempts": 1}, HOUR),  # N8N may ask for an hour
    ({"tries": 2, "attempts": 2}, 5 * HOUR),  # and a delay grows by up to a quarter
    ({"tries": 3, "attempts": 3}, HOUR),  # by a schedule that was longer
    ({"sending": True}, 9000),  # by settings of another machine, or of before a change
    ({"processing": True}, 600),
    ({"unconfirmed": True}, 600),
]


@pytest.fixture(autouse=True)
def _waits(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [5, 4 * HOUR]
    settings.CALLBACK_TIMEOUT_SECONDS = 600


@pytest.mark.parametrize(("state", "longest"), WAITS)
def test_what_is_due_in_years_waits_no_longer_than_it_would_from_now_on(state: dict[str, Any], longest: int) -> None:
    far_off = timezone.now() + YEARS
    job = JobFactory.create(**state, due_at=far_off)
    assert (bring_forward(), bring_forward()) == (1, 0)
    job.refresh_from_db()
    assert job.due_at is not None
    assert abs(job.due_at - timezone.now() - timedelta(seconds=longest)) < timedelta(seconds=30)
    event = job.events.get()
    assert (event.kind, event.source, event.detail) == ("brought_forward", "sweep", {"was_due_at": far_off.isoformat()})


@pytest.mark.parametrize(("state", "longest"), WAITS)
@pytest.mark.parametrize("ahead", [timedelta(), CLOCK_SLACK / 2], ids=["by a right clock", "by one hardly ahead"])
def test_what_waits_as_it_has_to_is_left_alone(state: dict[str, Any], longest: int, ahead: timedelta) -> None:
    JobFactory.create(**state, due_at=timezone.now() + ahead + timedelta(seconds=longest))
    assert bring_forward() == 0


def test_a_callback_may_take_longer_than_any_next_try(settings: LazySettings) -> None:
    settings.CALLBACK_TIMEOUT_SECONDS = 24 * HOUR
    for tries in (1, 2, 3):
        JobFactory.create(processing=True, tries=tries, due_at=timezone.now() + timedelta(hours=24))
    assert bring_forward() == 0


def test_one_pass_brings_a_bounded_number_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "ENDS_AT_ONCE", 2)
    JobFactory.create_batch(3, due_at=timezone.now() + YEARS)
    assert [bring_forward() for _ in range(3)] == [2, 1, 0]


def test_what_somebody_else_has_brought_forward_meanwhile_is_left_alone() -> None:
    job, _ = JobFactory.create(), JobFactory.create(due_at=timezone.now() + YEARS)
    assert not sweeping._bring_forward_once(job.pk, waiting=Q(status=job.status), wait=timedelta())
    assert not job.events.exists()


def test_the_sweep_brings_it_forward_and_rings_and_the_audit_holds(
    monkeypatch: pytest.MonkeyPatch, rung: Callable[[], list[str]]
) -> None:
    with monkeypatch.context() as clock:
        clock.setattr(submission, "database_now", lambda: timezone.now() + YEARS)
        job = uploaded()
    call_command("sweep_jobs", once=True)
    assert [event.kind for event in job.events.all()] == ["received", "brought_forward"]
    assert str(job.pk) in rung()
    assert claim_job(job.pk, worker="worker-1")
    assert verify()[-1] == WELL


def test_a_beat_from_the_future_is_no_sign_of_life(viewer: Browser) -> None:
    for kind in Heartbeat.Kind:
        Heartbeat.objects.create(name=kind.value, kind=kind, at=timezone.now() + YEARS)
    text = page(viewer)
    assert sign(text, "Workers").startswith("silent None has been seen")
    assert sign(text, "Sweep").startswith("silent None has been seen")
    forget_dead_processes()
    assert not Heartbeat.objects.exists()
