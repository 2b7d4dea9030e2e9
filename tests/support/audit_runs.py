"""Runs of `manage.py verify_audit`, and what it is to look at."""

import hashlib
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from jobs.models import JobLog
from receipts.models import Receipt, Rendition

WELL = "All is as it was written."
PICTURE = b"a picture"


def verify(**options: Any) -> list[str]:
    """Return the lines that the command prints, the error among them."""
    out = StringIO()
    try:
        call_command("verify_audit", stdout=out, **options)
    except CommandError as error:
        out.write(f"{error}\n")
    return out.getvalue().splitlines()


def rendition_of(job: JobLog) -> Rendition:
    """Return a rendition whose file is there."""
    name = default_storage.save("renditions/one.jpg", ContentFile(PICTURE))
    return Rendition.objects.create(
        receipt=job.receipt, file=name, sha256=hashlib.sha256(PICTURE).hexdigest(), size=len(PICTURE),
        content_type="image/jpeg", width=1, height=1, most_bytes=100,
    )  # fmt: skip


def path_of(row: Receipt | Rendition) -> Path:
    """Return where its file is."""
    return Path(row.file.path)
