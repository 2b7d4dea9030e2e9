"""What a worker does with a ring."""

import os
import socket
from uuid import UUID

import structlog

from . import n8n, services
from .payload import FileMissing

logger = structlog.get_logger(__name__)


def trigger_n8n_workflow(job_id: str) -> str:
    """Claim the job, send its receipt to N8N, and write down what came of it.

    A ring too many finds nothing to claim and does nothing. What fails unexpectedly in between leaves the job claimed:
    its lease ends, and the sweep takes it back.

    Args:
        job_id: the job's id; RQ carries nothing else, so a lost or doubled message loses and doubles nothing.

    Returns:
        One word for RQ's own page: what became of the ring.
    """
    with structlog.contextvars.bound_contextvars(job_id=job_id):
        job = services.claim_job(UUID(job_id), worker=worker_name())
        if job is None:
            return "nothing_to_do"
        logger.info("delivery_begun", attempt=job.attempts, tries=job.tries)
        try:
            answer = n8n.send_receipt(job)
        except FileMissing:
            logger.error("file_missing", attempt=job.attempts)
            services.fail_missing_file(job.pk, attempt=job.attempts, worker=worker_name())
            return "file_missing"
        decision = services.mark_delivered(job.pk, attempt=job.attempts, answer=answer, worker=worker_name())
        if decision is None:
            return "overtaken"
        log = logger.error if decision.needs_attention else logger.info
        log("delivery_ended", status=decision.status, code=decision.code, http_status=answer.status,
            ms=answer.milliseconds)  # fmt: skip
        return decision.status


def worker_name() -> str:
    """Return the name under which this process' events and heartbeat are written."""
    return f"{socket.gethostname()}:{os.getpid()}"
