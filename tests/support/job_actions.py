"""What the state machine does to jobs, and how it looks whether that changed them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.db.models import Count

from jobs import services
from jobs import sweep as sweeping
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.executions import Execution
from jobs.models import JobLog
from jobs.reconciliation import NOT_ASKED, Finding, Inquiry, can_be_asked_about
from receipts.files import CheckedUpload
from receipts.models import Client
from tests.factories import SMALL, small_receipt

from .job_model import Meaning, Standing

# an answer, what it means, and the execution that it names
Kind = tuple[Answer, Meaning, str]


def _taken(execution: str) -> Kind:
    body = b'{"execution_id": "%s"}' % execution.encode()
    return Answer(status=200, content_type="application/json", body=body), "taken", execution


ANSWERS: list[Kind] = [
    _taken("17"),
    _taken("18"),
    _taken(""),
    *(
        (answer, "refused", "")
        for answer in (
            Answer(error=ErrorCode.UNREACHABLE),
            Answer(error=ErrorCode.FILE_MISSING),
            Answer(status=429, retry_after="60"),
            Answer(status=404),
            Answer(status=200, content_type="text/html", body=b"<html>"),
        )
    ),
    *(
        (answer, "unclear", "")
        for answer in (
            Answer(error=ErrorCode.TIMED_OUT),
            Answer(error=ErrorCode.CUT),
            Answer(status=524),
            Answer(status=200),
        )
    ),
    (Answer(status=500, body=b'{"message": "Error in workflow"}'), "ran and failed", ""),
    (Answer(status=302), "rejected", ""),
    (Answer(status=422), "rejected", ""),
]


def upload_request(client: Client, database: str, key: str, *, allow_duplicate: bool) -> services.UploadRequest:
    """Return a client's request, always for the same picture."""
    picture = small_receipt()
    upload = CheckedUpload(
        file=ContentFile(picture),
        sha256=hashlib.sha256(picture).hexdigest(),
        size=len(picture),
        content_type="image/jpeg",
        width=SMALL[0],
        height=SMALL[1],
    )
    return services.UploadRequest(
        client=client,
        upload=upload,
        filename="receipt.jpg",
        notion_database_id=database,
        idempotency_key=key,
        allow_duplicate=allow_duplicate,
    )


@contextmanager
def unchanged(job_id: UUID, *, but_for_a_note: bool = False, unless: bool = False) -> Iterator[None]:
    """Fail what changes a job's row or, unless a note is due, writes an event; `unless` it may."""
    before = _state(job_id)
    yield
    noted = {"written": before["written"] + but_for_a_note, "chain_length": before["chain_length"] + but_for_a_note}
    assert unless or _state(job_id) == before | noted


def _state(job_id: UUID) -> dict[str, Any]:
    state = dict(JobLog.objects.annotate(written=Count("events")).values().get(pk=job_id))
    del state["chain_head"]  # tests/proof/test_audit.py
    return state


def replayed(job: JobLog) -> tuple[str, int]:
    """Return the status to which a job's events lead, one after the other, and how many of them are claims."""
    status, claims = "queued", 0
    for event in job.events.all():
        claims += event.kind == "claimed"
        if event.to_status:
            assert event.from_status == status
            status = event.to_status
    return status, claims


@contextmanager
def n8n_answering(standing: Standing) -> Iterator[None]:
    """Have N8N say of every execution that it stands so, where it is asked at all."""
    with pytest.MonkeyPatch.context() as patch:
        if standing != "not told":
            patch.setattr(sweeping, "inquiry", _KnownInquiry(standing))
        yield


class _KnownInquiry(Inquiry):
    """An inquiry that knows the answer; tests/jobs/test_reconciliation.py and test_inquiries.py ask a server."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self._standing = standing

    def ask(self, jobs: Iterable[JobLog]) -> dict[UUID, Finding]:
        """Say the same of each."""
        return {job.pk: self._finding(job) if can_be_asked_about(job) else NOT_ASKED for job in jobs}

    def _finding(self, job: JobLog) -> Finding:
        return Finding(execution=Execution(id=job.n8n_execution_id, status=self._standing, workflow_id="w"))


def refused(verb: Callable[..., object], job_id: UUID) -> None:
    """Fail what staff may do to the job although it must not."""
    with unchanged(job_id), pytest.raises(services.NotNow):
        verb(job_id, actor="anna", reason="")
