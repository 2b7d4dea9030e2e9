"""What becomes of a canary is told as steps, each with its time, and with the cure where one fails."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import canary
from jobs.answers import Answer
from jobs.canary import Stage
from jobs.causes import cause_of
from jobs.delivery_errors import ErrorCode
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.services import claim_job
from jobs.sweep import sweep
from tests.support.canary_lifecycle import NOT_REGISTERED, answered, returned, sent

pytestmark = pytest.mark.django_db

Status = JobLog.Status
ALL_THE_WAY = list(Stage)
EMPTY = Answer(status=200, milliseconds=8)


def stages(job: JobLog) -> list[Stage]:
    return [step.stage for step in canary.steps(job)]


def last(job: JobLog) -> canary.Step:
    return canary.steps(job)[-1]


def overdue(job: JobLog) -> JobLog:
    JobLog.objects.filter(pk=job.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    sweep()
    return JobLog.objects.get(pk=job.pk)


def test_all_steps_of_one_that_comes_back() -> None:
    job = returned()
    assert stages(job) == ALL_THE_WAY
    steps = canary.steps(job)
    assert all(step.ok for step in steps)
    assert [step.fact for step in steps] == ["", "w1", "HTTP 200 after 12 ms", "execution 17", "success"]
    assert steps[0].ms == 0
    assert [step.ms for step in steps] == sorted(step.ms for step in steps)
    assert canary.stalled(steps) is None


def test_later_steps_only_come_behind_those_told_before() -> None:
    job = sent()
    told = canary.steps(job)
    for act in (answered, returned):
        job = act(job)
        now = canary.steps(job)
        assert now[: len(told)] == told
        told = now
    assert [step.stage for step in told] == ALL_THE_WAY


def test_a_callback_that_overtakes_n8ns_answer_has_come_all_the_way() -> None:
    job = sent()
    claim_job(job.pk, worker="w1")
    assert stages(returned(job)) == ALL_THE_WAY


def test_a_callback_proves_what_n8ns_answer_left_open() -> None:
    job = answered(sent(), EMPTY)
    assert last(job).label == "Perhaps not accepted"
    told = canary.steps(returned(job))
    assert [step.label for step in told[3:]] == ["Perhaps not accepted", "Accepted", "Called back"]
    assert told[4].fact == "its callback says so"


def test_a_failure_that_n8n_reports_has_come_all_the_way_as_well() -> None:
    job = returned(answered(sent()), Status.FAILURE, "Notion knows no such database.")
    assert stages(job) == ALL_THE_WAY
    assert last(job).fact == "failure: Notion knows no such database."
    assert canary.stalled(canary.steps(job)) is None


@pytest.mark.parametrize(
    ("answer", "failed", "code"),
    [
        (Answer(error=ErrorCode.UNREACHABLE, milliseconds=3), Stage.REACHED, "n8n_unreachable"),
        (Answer(error=ErrorCode.TIMED_OUT, milliseconds=3), Stage.REACHED, "n8n_timed_out"),
        (NOT_REGISTERED, Stage.ACCEPTED, "n8n_webhook_not_found"),
        (Answer(status=401, milliseconds=3), Stage.ACCEPTED, "n8n_unauthorized"),
        (Answer(status=422, milliseconds=3), Stage.ACCEPTED, "n8n_rejected"),
        (Answer(status=500, body=b'{"message": "Error in workflow"}'), Stage.ACCEPTED, "workflow_failed"),
        (EMPTY, Stage.ACCEPTED, "n8n_answer_unclear"),
    ],
)
def test_where_n8n_does_not_take_it_the_step_says_why_and_what_cures_it(
    answer: Answer, failed: Stage, code: str
) -> None:
    job = answered(sent(), answer)
    step = last(job)
    assert (step.stage, step.ok, step.cause) == (failed, False, cause_of(code))
    assert canary.stalled(canary.steps(job)) == cause_of(code)


@pytest.mark.parametrize(
    ("answer", "is_settled"),
    [(Answer(status=503), False), (NOT_REGISTERED, True), (Answer(status=422), True), (EMPTY, False)],
)
def test_nothing_is_waited_for_where_it_has_ended_or_a_setting_is_wrong(answer: Answer, is_settled: bool) -> None:
    assert canary.is_settled(answered(sent(), answer)) is is_settled


def test_one_that_is_tried_again_takes_its_steps_again() -> None:
    job = answered(sent(), Answer(status=503))
    JobLog.objects.filter(pk=job.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    job = returned(answered(job))
    assert stages(job) == [*ALL_THE_WAY[:4], *ALL_THE_WAY[1:]]
    assert canary.stalled(canary.steps(job)) is None


def test_a_callback_that_never_comes_is_the_step_that_failed() -> None:
    job = overdue(answered(sent()))
    step = last(job)
    assert (step.stage, step.ok) == (Stage.CALLED_BACK, False)
    assert step.cause is not None
    assert step.cause.sentence == cause_of(FailureCode.CALLBACK_TIMEOUT).sentence
    assert step.cause.cure.startswith(
        "See in N8N whether its execution has ended"
    )  # and not in Notion: it is filed nowhere


def test_a_worker_that_falls_silent_is_the_step_that_failed() -> None:
    job = sent()
    assert canary.stalled(canary.steps(job)).sentence == "No worker has taken it."  # type: ignore[union-attr]
    claim_job(job.pk, worker="w1")
    job = overdue(job)
    assert (last(job).stage, last(job).ok, last(job).may_have) == (Stage.REACHED, False, True)


def test_what_is_on_its_way_is_waited_for_by_name() -> None:
    job = answered(sent())
    cause = canary.stalled(canary.steps(job))
    assert cause is not None
    assert "CALLBACK_BASE_URL" in cause.cure
