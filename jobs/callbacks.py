"""What a callback means for a job: a pure function of the two."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from .failures import ENDED_BY_N8N
from .models import JobLog

Status = JobLog.Status


@dataclass(frozen=True, kw_only=True)
class Report:
    """What N8N says became of a receipt."""

    status: JobLog.Status
    message: str = ""
    notion_page_url: str = ""
    execution_id: str = ""
    data: Any = None


class Verdict(Enum):
    """What is to be done with a report."""

    ACCEPT = auto()  # the job ends as the report says
    ACCEPT_LATE = auto()  # the same, after an end that was ours or another execution's
    REPEAT = auto()  # known already: nothing changes, and that is fine
    CONTRADICTION = auto()  # the job ended otherwise, and stays so


def judge(report: Report, job: JobLog, *, former_executions: frozenset[str], was_concluded: bool) -> Verdict:
    """Say what a report means for a job.

    Args:
        report: what N8N sent.
        job: as it is now.
        former_executions: ids of the executions of earlier rounds, before staff asked for another.
        was_concluded: the sweep ended it, by what N8N said when it was asked, and no report did.

    Returns:
        The verdict; the rules are those of docs/architecture.md, "Callbacks".
    """
    if job.is_open:
        of_a_former_round = report.execution_id in former_executions or (job.attempts > 0 and job.tries == 0)
        return Verdict.REPEAT if report.status == Status.FAILURE and of_a_former_round else Verdict.ACCEPT
    if report.status == job.status:
        return Verdict.REPEAT
    if job.status == Status.SUCCESS:
        return Verdict.CONTRADICTION
    by_another_execution = report.execution_id not in ("", job.n8n_execution_id)
    was_ours = was_concluded or job.failure_code not in ENDED_BY_N8N
    if was_ours or by_another_execution:
        return Verdict.ACCEPT_LATE
    return Verdict.CONTRADICTION
