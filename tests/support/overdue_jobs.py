"""Jobs whose callback is overdue, a sweep, and an N8N that is asked about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from jobs import sweep as sweeping
from jobs.models import JobLog
from jobs.reconciliation import Inquiry
from tests.factories import JobFactory

from .stub_executions import API_KEY, StubExecutions, stub_executions

PAST = timezone.now() - timedelta(seconds=1)


@contextmanager
def n8n_to_be_asked(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubExecutions]:
    """Serve N8N's API, where the service looks for it."""
    monkeypatch.setattr(sweeping, "inquiry", Inquiry())
    with stub_executions() as (stub, server):
        settings.N8N_BASE_URL, settings.N8N_PUBLIC_API_KEY = server.url, API_KEY
        yield stub


def overdue(execution_id: str = "17", **fields: Any) -> JobLog:
    """Return a job that N8N took under that execution, and did not call back about."""
    job: JobLog = JobFactory.create(processing=True, due_at=PAST, n8n_execution_id=execution_id, **fields)
    return job


def after_a_sweep(job: JobLog) -> JobLog:
    """Return the job as a sweep has left it."""
    sweeping.sweep()
    job.refresh_from_db()
    return job
