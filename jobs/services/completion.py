"""N8N reports what became of a receipt."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from jobs.callbacks import Report, Verdict, judge
from jobs.diagnosis import diagnose
from jobs.masking import without_keys
from jobs.models import JobEvent, JobLog
from jobs.transitions import Detail, change_status, lock_job, note_unless_many

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

MAX_LETTERS = 2000  # of a message; docs/api.md
KEPT_MESSAGE = 500  # of these, in the event


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a callback came to."""

    job: JobLog
    verdict: Verdict


@transaction.atomic
def complete_job(job_id: UUID, report: Report, *, actor: str) -> Completion:
    """Do what N8N's report means: end the job, or leave it as it is and write down why.

    Args:
        report: what N8N sent.
        actor: which token the report came with.

    Returns:
        The job as it is now, and the verdict. A contradiction is written down too; telling the caller is the view's.

    Raises:
        JobLog.DoesNotExist: there is no such job.
    """
    job = lock_job(job_id)
    report = replace(
        report, message=without_keys(report.message, job)[:MAX_LETTERS], data=without_keys(report.data, job)
    )
    verdict = judge(report, job, former_executions=_former_executions(job, report), was_concluded=_was_concluded(job))
    match verdict:
        case Verdict.ACCEPT | Verdict.ACCEPT_LATE:
            _end(job, report, actor, late=verdict is Verdict.ACCEPT_LATE)
        case Verdict.REPEAT:
            _note(job, Kind.CALLBACK_REPEATED, actor, _report_detail(report))
        case Verdict.CONTRADICTION:
            _note(job, Kind.CALLBACK_REFUSED, actor, _report_detail(report) | {"code": "outcome_contradicts"})
    return Completion(job=job, verdict=verdict)


@transaction.atomic
def note_refused_callback(job_id: UUID, *, code: str, actor: str, fields: Collection[str] = ()) -> None:
    """Write down that a report on the job came under a right token and was refused; its body is not kept.

    Args:
        code: of the problem that it was answered with.
        actor: which token it came with.
        fields: the names of those that are wrong.
    """
    wrong = {"fields": ", ".join(fields)} if fields else {}
    with suppress(JobLog.DoesNotExist):
        _note(lock_job(job_id), Kind.CALLBACK_REFUSED, actor, {"code": code} | wrong)


def _note(job: JobLog, kind: JobEvent.Kind, actor: str, detail: Detail) -> None:
    """Write down a report that changed nothing."""
    note_unless_many(job, kind=kind, source=Source.CALLBACK, actor=actor, detail=detail)


def find_open_job(execution_id: str) -> UUID | None:
    """Return the one open job whose current execution this is, for error workflows that know no job."""
    open_jobs = JobLog.objects.filter(n8n_execution_id=execution_id, due_at__isnull=False)
    found = list(open_jobs.values_list("job_id", flat=True)[:2])
    return found[0] if len(found) == 1 else None


def _former_executions(job: JobLog, report: Report) -> frozenset[str]:
    """Return the executions that were told of before the present round of tries began, where that matters."""
    if not job.is_open or report.status != Status.FAILURE:
        return frozenset()
    before = job.events.filter(attempt__lte=job.attempts - job.tries)
    return frozenset(detail.get("execution_id", "") for detail in before.values_list("detail", flat=True)) - {""}


def _was_concluded(job: JobLog) -> bool:
    """Tell whether the sweep ended it: an execution that N8N holds for failed may still run on, and report."""
    end = job.events.filter(kind=Kind.FAILED).last() if job.status == Status.FAILURE else None
    return end is not None and end.source == Source.SWEEP


def _end(job: JobLog, report: Report, actor: str, *, late: bool) -> None:
    failed = report.status == Status.FAILURE
    code = diagnose(report.message) if failed else ""
    change_status(
        job,
        report.status,
        kind=Kind.FAILED if failed else Kind.SUCCEEDED,
        source=Source.CALLBACK,
        actor=actor,
        detail=_report_detail(report) | ({"code": code} if code else {}) | ({"late": True} if late else {}),
        failure_code=code,
        result_message=report.message,
        notion_page_url=report.notion_page_url,
        result=report.data,
        n8n_execution_id=report.execution_id or job.n8n_execution_id,
        last_error="",
    )


def _report_detail(report: Report) -> Detail:
    """Return what the event keeps: of a failure the reason too, since a retry clears it from the job."""
    failed = report.status == Status.FAILURE
    detail = {
        "reported": report.status,
        "execution_id": report.execution_id,
        "notion_page_url": report.notion_page_url,
        "message": report.message[:KEPT_MESSAGE] if failed else "",
    }
    return {key: value for key, value in detail.items() if value}
