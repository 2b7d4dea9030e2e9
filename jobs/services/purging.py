"""A receipt's file is deleted by the retention rule; what became of the receipt stays written down."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounting.clock import database_now
from jobs.models import JobEvent
from jobs.transitions import lock_job, note
from receipts.models import Receipt, Rendition
from receipts.storage import receipt_storage
from receipts.thumbnails import forget_thumbnail


def purge_receipt(receipt_id: UUID, *, before: str | None = None, actor: str = "") -> int | None:
    """Delete a receipt's file, and what was made of it, with an event of each of its jobs; the rows stay.

    The rows let go of the files first, and only then are these deleted: who is killed in between leaves files that no
    row names, which `receipts.orphans` finds. The other way round a row would name a file that is gone.

    Args:
        before: files with names from there on are kept (`jobs.retention`); None where its age is no matter.
        actor: which command deletes it; "" for the sweep itself.

    Returns:
        How many bytes that were; None where nothing was done: a job is open again, somebody else was quicker, or the
        same bytes were uploaded anew.

    Raises:
        OSError: a file could not be deleted, and is left as by a kill.
    """
    files = _let_go(receipt_id, before=before, actor=actor)
    if not files:
        return None
    for each in files:
        receipt_storage().delete(each.file.name or "")
    forget_thumbnail(receipt_id)
    return sum(each.size for each in files)


@transaction.atomic(durable=True)
def _let_go(receipt_id: UUID, *, before: str | None, actor: str) -> "Sequence[Receipt | Rendition]":
    """Let the rows name no file any more, and return what has the files that may be deleted after the commit."""
    receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
    jobs = [lock_job(job_id) for job_id in receipt.jobs.order_by("pk").values_list("pk", flat=True)]
    name = receipt.file.name or ""
    if not name or (before is not None and name >= before) or any(job.is_open for job in jobs):
        return []
    renditions = Rendition.objects.filter(receipt=receipt)
    files: list[Receipt | Rendition] = [receipt, *renditions]
    purged_at = database_now()
    rule = {} if before is None else {"kept_days": settings.RETENTION_DAYS}  # which may be another one by tomorrow
    for job in jobs:
        note(
            job,
            kind=JobEvent.Kind.PURGED,
            source=JobEvent.Source.SWEEP,
            actor=actor,
            detail=rule,
            receipt={"purged_at": purged_at},
        )
    renditions.delete()
    Receipt.objects.filter(pk=receipt.pk).update(purged_at=purged_at, file="")
    return files
