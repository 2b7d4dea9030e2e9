"""N8N is asked what became of the jobs whose callback is overdue, where the settings say how.

It is asked without any lock, for a bounded time, and left alone for a while once it gave no answer: a sweep depends on
no N8N. Whatever it did not say is as if it had not been asked.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog

from .executions import FAILED, STATUSES, Execution
from .masking import masked
from .models import JobLog
from .n8n_api import ApiError, OutOfTime, PublicApi, public_api

logger = structlog.get_logger(__name__)

DEADLINE_SECONDS = 4.0  # of one call
PASS_SECONDS = 5.0  # of all calls of a pass but one for an error; whoever is not asked about by then is in the next one
PAUSE_SECONDS = 60.0  # after N8N gave no answer
FORGOTTEN = "N8N did not keep the execution, keeps it no longer, or does not show it to whoever made the API key."
UNKNOWN = (404, "Not Found")  # N8N 2.41, executions.public.controller; any other 404 is none of its executions'


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What N8N said of one job.

    Attributes:
        execution: how it stands; None where N8N was not asked, does not know it, or gave no answer.
        remark: why it is None, as a sentence; "" where N8N was not asked.
    """

    execution: Execution | None = None
    remark: str = ""


NOT_ASKED = Finding()


class Inquiry:
    """Asks about overdue jobs, in one process."""

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def ask(self, jobs: Iterable[JobLog]) -> dict[UUID, Finding]:
        """Return what N8N says of each, without those for which this pass has no time left."""
        api = public_api(deadline=DEADLINE_SECONDS)
        of_this_pass = api and api.over_in(PASS_SECONDS)
        findings = {}
        for job in jobs:
            may_ask = can_be_asked_about(job) and time.monotonic() >= self._quiet_until
            finding = self._ask(of_this_pass, job) if of_this_pass and may_ask else NOT_ASKED
            if finding:
                findings[job.pk] = finding
        return findings

    def _ask(self, api: PublicApi, job: JobLog) -> Finding | None:
        """Return what N8N says of a job; None where the pass ended before it did."""
        try:
            return _look(api, job)
        except OutOfTime:
            return None
        except ApiError as error:
            return self._without(error, job)
        except Exception:  # whatever one answer holds, the other jobs have their turn
            logger.exception("n8n_answer_not_read", execution_id=job.n8n_execution_id)
            return NOT_ASKED

    def _without(self, error: ApiError, job: JobLog) -> Finding:
        """Say why there is no answer, and leave N8N alone for a while unless it gave one."""
        if (error.status, error.said) == UNKNOWN:
            return Finding(remark=FORGOTTEN)
        self._quiet_until = time.monotonic() + PAUSE_SECONDS
        said = masked(error.sentence, job)
        logger.warning("n8n_not_asked", error=said, cure=error.cure, pause_seconds=PAUSE_SECONDS)
        return Finding(remark=f"It could not be asked about it: {error.in_our_words}")


def can_be_asked_about(job: JobLog) -> bool:
    """Tell whether N8N took the job and said in which execution."""
    return job.delivered_at is not None and job.n8n_execution_id != ""


def _look(api: PublicApi, job: JobLog) -> Finding:
    execution = api.execution(job.n8n_execution_id)
    if execution.status not in STATUSES:
        return Finding(remark="N8N did not say how the execution stands.")
    return Finding(execution=_with_error(api, execution, job) if execution.status in FAILED else execution)


def _with_error(api: PublicApi, execution: Execution, job: JobLog) -> Execution:
    """Return the execution with what it failed of, unless that is too much to read, or takes too long.

    It has its own time, whatever the pass has left: without its answer the job would end as something else for good.
    """
    try:
        return api.over_in(DEADLINE_SECONDS).execution(execution.id, with_error=True)
    except ApiError as error:
        logger.info("n8n_error_not_read", error=masked(error.sentence, job))
        return execution
