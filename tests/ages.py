"""Receipts whose files were stored long ago, and purges of them."""

import os
import time
from datetime import timedelta
from pathlib import Path

from django.core.files.storage import default_storage
from django.utils import timezone

from jobs import services
from receipts.models import Receipt, Rendition, day_folder

DAY_SECONDS = 86_400


def purge(receipt: Receipt) -> int:
    """Purge a receipt now, however young; return how many bytes that freed."""
    freed = services.purge_receipt(receipt.pk)
    assert freed is not None
    return freed


def stored_ago(row: Receipt | Rendition, days: int) -> Path:
    """Let a receipt's file have been stored so many days ago; return where it is."""
    former = Path(row.file.path)
    row.file.name = f"{day_folder(type(row), timezone.now() - timedelta(days=days))}/{former.name}"
    row.save(update_fields=["file"])
    path = Path(default_storage.path(row.file.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    former.rename(path)
    let_age(path, days)
    return path


def let_age(path: Path, days: float) -> None:
    """Let a file have been written so many days ago."""
    os.utime(path, (time.time(), time.time() - days * DAY_SECONDS))
