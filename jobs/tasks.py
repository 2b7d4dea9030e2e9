"""What a worker does with a ring."""

import time
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections

from accounting.clock import seconds_since_boot
from accounting.outages import DATABASE_AWAY, error_fields

from . import n8n, services
from .answers import Answer, Decision
from .identity import PROCESS_NAME
from .models import JobLog

logger = structlog.get_logger(__name__)

AWAY_SECONDS = 2.0
LEAST_SECONDS = 10.0  # the machine may have slept through the lease, and nobody have taken the job meanwhile


def trigger_n8n_workflow(job_id: str) -> str:
    """Claim the job, send its receipt to N8N, and write down what came of it.

    A ring too many finds nothing to claim and does nothing. What fails unexpectedly in between, or a database that is
    away for longer than its answer can be held, leaves the job claimed: its lease ends, and the sweep takes it back.

    Args:
        job_id: the job's id; RQ carries nothing else, so a lost or doubled message loses and doubles nothing.

    Returns:
        One word: what became of the ring.
    """
    with structlog.contextvars.bound_contextvars(job_id=job_id):
        lease_ends = seconds_since_boot() + settings.N8N_LEASE_SECONDS
        try:
            with structlog.contextvars.bound_contextvars(request_id=_request_id(UUID(job_id))):
                job = services.claim_job(UUID(job_id), worker=PROCESS_NAME)
                return _deliver(job, lease_ends) if job else "nothing_to_do"
        except DATABASE_AWAY as error:
            logger.warning("database_unavailable", **error_fields(error))
            time.sleep(AWAY_SECONDS)  # the other rings wait meanwhile; for this job the sweep rings again
            return "database_away"


def _request_id(job_id: UUID) -> str:
    """Return the upload's, which the first ring brings and no later one does: it is the same in every attempt."""
    brought: str = structlog.contextvars.get_contextvars().get("request_id", "")
    return brought or services.request_id_of(job_id)


def _deliver(job: JobLog, lease_ends: float) -> str:
    logger.info("delivery_begun", attempt=job.attempts, tries=job.tries)
    begin_by = lease_ends - settings.N8N_DEADLINE_SECONDS
    answer = n8n.send_receipt(job, begin_by=begin_by, is_claimed=partial(services.is_claimed, job))
    decision = _write_down(job, answer, lease_ends)
    if decision is None:
        return "overtaken"
    log = logger.error if decision.needs_attention else logger.info
    log("delivery_ended", status=decision.status, code=decision.code, http_status=answer.status, ms=answer.milliseconds)
    return decision.status


def _write_down(job: JobLog, answer: Answer, lease_ends: float) -> Decision | None:
    """Keep what N8N said although the database is away, for as long as nobody else may send it again."""
    until = max(lease_ends, seconds_since_boot() + LEAST_SECONDS)
    while True:
        try:
            return services.mark_delivered(job.pk, attempt=job.attempts, answer=answer, worker=PROCESS_NAME)
        except DATABASE_AWAY as error:  # the fence makes another try safe, whatever became of this one
            if seconds_since_boot() + AWAY_SECONDS > until:
                raise
            logger.warning("database_unavailable", **error_fields(error))
            close_old_connections()
            time.sleep(AWAY_SECONDS)
