"""A receipt's file is deleted by the retention rule; what became of the receipt stays written down."""

from datetime import datetime
from functools import partial

from django.db import transaction

from jobs.models import JobEvent
from jobs.transitions import lock_job, note
from receipts.models import Receipt
from receipts.thumbnails import forget_thumbnail


@transaction.atomic
def note_purge(receipt: Receipt, *, purged_at: datetime) -> None:
    """Mark a receipt as purged, with an event of each of its jobs, and forget what lists show of it.

    Args:
        purged_at: by the database's clock. Who calls deletes the file, once this is committed.
    """
    Receipt.objects.select_for_update().get(pk=receipt.pk)
    Receipt.objects.filter(pk=receipt.pk).update(purged_at=purged_at)
    for job_id in receipt.jobs.order_by("pk").values_list("pk", flat=True):
        job = lock_job(job_id)
        note(job, kind=JobEvent.Kind.PURGED, source=JobEvent.Source.SWEEP, receipt={"purged_at": purged_at})
    receipt.purged_at = purged_at
    transaction.on_commit(partial(forget_thumbnail, receipt.pk), robust=True)
