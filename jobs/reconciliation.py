"""N8N is asked what became of the jobs whose callback is overdue, where the settings say how.

It is asked without any lock, for a bounded time, and left alone for a while once it gave no answer: a sweep depends on
no N8N. Whatever it did not say is as if it had not been asked.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog

from .executions import FAILED, Execution
from .models import JobLog
from .n8n_api import ApiError, PublicApi, public_api

logger = structlog.get_logger(__name__)

DEADLINE_SECONDS = 4.0  # of one call
PASS_SECONDS = 5.0  # no job is asked about later in a pass; it is in the next one
PAUSE_SECONDS = 60.0  # after N8N gave no answer
NOT_FOUND = 404


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
        end = time.monotonic() + PASS_SECONDS
        api = public_api(deadline=DEADLINE_SECONDS)
        findings = {}
        for job in jobs:
            if api is None or not can_be_asked_about(job) or time.monotonic() < self._quiet_until:
                findings[job.pk] = NOT_ASKED
            elif time.monotonic() < end:
                findings[job.pk] = self._ask(api, job.n8n_execution_id)
        return findings

    def _ask(self, api: PublicApi, execution_id: str) -> Finding:
        try:
            execution = _with_error(api, api.execution(execution_id))
        except ApiError as error:
            if error.status == NOT_FOUND:
                return Finding(remark="N8N no longer knows the execution.")
            self._quiet_until = time.monotonic() + PAUSE_SECONDS
            logger.warning("n8n_not_asked", error=error.sentence, cure=error.cure, pause_seconds=PAUSE_SECONDS)
            return Finding(remark=f"It could not be asked about it: {error.sentence}")
        except Exception:  # whatever one answer holds, the other jobs have their turn
            logger.exception("n8n_answer_not_read", execution_id=execution_id)
            return NOT_ASKED
        return Finding(execution=execution)


def can_be_asked_about(job: JobLog) -> bool:
    """Tell whether N8N took the job and said in which execution."""
    return job.delivered_at is not None and job.n8n_execution_id != ""


def _with_error(api: PublicApi, execution: Execution) -> Execution:
    """Return the execution with what it failed of, unless that is too much to read, or takes too long."""
    if execution.status not in FAILED:
        return execution
    try:
        return api.execution(execution.id, with_error=True)
    except ApiError as error:
        logger.info("n8n_error_not_read", error=error.sentence)
        return execution
