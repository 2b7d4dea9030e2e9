"""What a callback means for a job, as a table."""

from dataclasses import dataclass

import pytest

from jobs.callbacks import Report, Verdict, judge
from jobs.failures import FailureCode
from jobs.models import JobLog

Status = JobLog.Status
SUCCESS, FAILURE = Status.SUCCESS, Status.FAILURE
OURS, THEIRS = FailureCode.CALLBACK_TIMEOUT, FailureCode.WORKFLOW_FAILED
ENDED_BY_US = {
    "callback_lost", "callback_timeout", "delivery_unconfirmed", "n8n_unavailable", "n8n_rejected", "n8n_redirected",
    "payload_too_large", "not_sent", "file_missing", "file_unreadable", "cancelled", "workflow_stopped",
    "workflow_crashed",
}  # fmt: skip
ACCEPT, LATE, REPEAT, NO = Verdict.ACCEPT, Verdict.ACCEPT_LATE, Verdict.REPEAT, Verdict.CONTRADICTION


@dataclass(frozen=True, kw_only=True)
class Case:
    status: JobLog.Status
    report: JobLog.Status
    verdict: Verdict
    tries: int = 1
    attempts: int = 1
    code: str = ""
    known_execution: str = "17"
    reported_execution: str = "17"
    was_concluded: bool = False


CASES = [
    *(Case(status=open_, report=report, verdict=ACCEPT) for open_ in JobLog.OPEN for report in (SUCCESS, FAILURE)),
    # never sent, and yet N8N knows how it ended: somebody sent it by hand
    Case(status=Status.QUEUED, report=FAILURE, attempts=0, tries=0, verdict=ACCEPT),
    # a new round has begun: the former execution's failure is old news, its success is not
    Case(status=Status.QUEUED, report=FAILURE, attempts=2, tries=0, known_execution="", verdict=REPEAT),
    Case(status=Status.QUEUED, report=SUCCESS, attempts=2, tries=0, known_execution="", verdict=ACCEPT),
    Case(status=Status.PROCESSING, report=FAILURE, attempts=2, reported_execution="3", verdict=REPEAT),
    Case(status=Status.PROCESSING, report=SUCCESS, attempts=2, reported_execution="3", verdict=ACCEPT),
    # an end stands
    Case(status=SUCCESS, report=SUCCESS, verdict=REPEAT),
    Case(status=SUCCESS, report=FAILURE, verdict=NO),
    Case(status=FAILURE, code=OURS, report=FAILURE, verdict=REPEAT),
    Case(status=FAILURE, code=THEIRS, report=FAILURE, verdict=REPEAT),
    # but for a late success
    *(Case(status=FAILURE, code=code, report=SUCCESS, verdict=LATE) for code in sorted(ENDED_BY_US)),
    *(Case(status=FAILURE, code=code, report=SUCCESS, verdict=NO) for code in FailureCode if code not in ENDED_BY_US),
    Case(status=FAILURE, code=OURS, report=SUCCESS, reported_execution="", verdict=LATE),
    Case(status=FAILURE, code=THEIRS, report=SUCCESS, verdict=NO),
    Case(status=FAILURE, code=THEIRS, report=SUCCESS, reported_execution="", verdict=NO),
    Case(status=FAILURE, code=THEIRS, report=SUCCESS, reported_execution="18", verdict=LATE),
    # what the sweep concluded, N8N has not reported
    *(Case(status=FAILURE, code=code, report=SUCCESS, was_concluded=True, verdict=LATE) for code in FailureCode),
    Case(status=FAILURE, code=THEIRS, report=FAILURE, was_concluded=True, verdict=REPEAT),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_report_means(case: Case) -> None:
    job = JobLog(
        status=case.status,
        attempts=case.attempts,
        tries=case.tries,
        failure_code=case.code,
        n8n_execution_id=case.known_execution,
    )
    report = Report(status=case.report, execution_id=case.reported_execution)
    former = frozenset({"3"})
    assert judge(report, job, former_executions=former, was_concluded=case.was_concluded) is case.verdict
