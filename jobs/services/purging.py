"""A receipt's file is deleted by the retention rule; what became of the receipt stays written down."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction

from accounting.clock import database_now
from jobs.models import JobEvent, JobLog
from jobs.transitions import lock_job, note
from receipts.models import Receipt, Rendition
from receipts.thumbnails import forget_thumbnail


@transaction.atomic
def purge_receipt(receipt_id: UUID, *, before: str | None = None) -> int | None:
    """Delete a receipt's file, and what was made of it, with an event of each of its jobs; the rows stay.

    The rows let go of the files first, and only then are these deleted: who is killed in between leaves files that no
    row names, which `receipts.orphans` finds. The other way round a row would name a file that is gone.

    Args:
        before: files with names from there on are kept (`jobs.retention`); None where its age is no matter.

    Returns:
        How many bytes that were; None where nothing was done: a job is open again, somebody else was quicker, or the
        same bytes were uploaded anew.
    """
    receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
    jobs = [lock_job(job_id) for job_id in receipt.jobs.order_by("pk").values_list("pk", flat=True)]
    name = receipt.file.name or ""
    if not name or (before is not None and name >= before) or any(job.is_open for job in jobs):
        return None
    files: list[Receipt | Rendition] = [receipt, *Rendition.objects.filter(receipt=receipt)]
    _let_go(receipt, jobs)
    for each in files:
        transaction.on_commit(partial(default_storage.delete, each.file.name or ""), robust=True)
    transaction.on_commit(partial(forget_thumbnail, receipt.pk), robust=True)
    return sum(each.size for each in files)


def _let_go(receipt: Receipt, jobs: Sequence[JobLog]) -> None:
    purged_at = database_now()
    for job in jobs:
        note(job, kind=JobEvent.Kind.PURGED, source=JobEvent.Source.SWEEP, receipt={"purged_at": purged_at})
    Rendition.objects.filter(receipt=receipt).delete()
    Receipt.objects.filter(pk=receipt.pk).update(purged_at=purged_at, file="")
