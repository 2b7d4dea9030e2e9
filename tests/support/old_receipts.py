"""Receipts whose files were stored long ago, and purges of them."""

import os
import time
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db.models import Max
from django.utils import timezone

from jobs import services
from jobs.models import JobEvent, JobLog, Seal
from jobs.stats import hour_of
from receipts.models import Receipt, Rendition, day_folder
from tests.factories import RenditionFactory

DAY_SECONDS = 86_400
DAYS = 90  # for which the rule keeps them


def purge(receipt: Receipt) -> int:
    """Purge a receipt now, however young; return how many bytes that freed."""
    freed = services.purge_receipt(receipt.pk)
    assert freed is not None
    return freed


def run_purge(**options: Any) -> list[str]:
    """Run `manage.py purge_receipts`, and return the lines that it wrote."""
    out = StringIO()
    call_command("purge_receipts", stdout=out, **options)
    return out.getvalue().splitlines()


def old(job: JobLog, days: int = DAYS + 1) -> JobLog:
    """Let the job's receipt have been stored so many days ago."""
    stored_ago(job.receipt, days)
    return job


def rendition_of(receipt: Receipt) -> Rendition:
    """Return a rendition whose file is there, and is as old as the receipt's."""
    made = RenditionFactory.create(receipt=receipt)
    stored_ago(made, DAYS + 1)
    return made


def stored_ago(row: Receipt | Rendition, days: int) -> Path:
    """Let a receipt's file have been stored so many days ago; return where it is."""
    former = Path(row.file.path)
    row.file.name = f"{day_folder(type(row), timezone.now() - timedelta(days=days))}/{former.name}"
    row.save(update_fields=["file"])
    path = Path(default_storage.path(row.file.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    former.rename(path)
    let_age(path, days)
    _seal_all(timezone.now() - timedelta(days=days))
    return path


def _seal_all(then: datetime) -> None:
    """Let all events that there are be under a seal of that hour."""
    last = JobEvent.objects.aggregate(last=Max("id", default=0))["last"]
    others = {"number": Seal.objects.count() + 1, "events": 0, "jobs": 0, "digest": ""}
    Seal.objects.update_or_create(
        hour=hour_of(then), defaults={"last_event": last}, create_defaults={"last_event": last, **others}
    )


def let_age(path: Path, days: float) -> None:
    """Let a file have been written so many days ago."""
    os.utime(path, (time.time(), time.time() - days * DAY_SECONDS))
