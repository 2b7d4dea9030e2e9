"""Tells whether stored files are still what their rows say."""

from collections.abc import Iterator
from typing import TypeVar

from django.core.exceptions import SuspiciousFileOperation
from django.db.models import QuerySet

from accounting.batches import in_batches

from .files import digest
from .models import Receipt, Rendition
from .storage import StorageAway, is_away

BATCH = 100

Row = TypeVar("Row", Receipt, Rendition)


def verify_files(rows: QuerySet[Row]) -> Iterator[tuple[int, list[str]]]:
    """Read the files of many rows in batches, while the service goes on.

    Yields:
        For each batch how many rows it had, and a sentence for each file that is broken.

    Raises:
        StorageAway: it is not one file that cannot be read, but the storage.
    """
    for batch in in_batches(rows, BATCH):
        yield len(batch), [sentence for row in batch for sentence in _look(row, rows)]


def _look(row: Row, rows: QuerySet[Row]) -> Iterator[str]:
    """Name what is broken, unless the file was purged, healed or made anew since its row was read."""
    if not _fault(row):
        return
    again = rows.filter(pk=row.pk).first()
    if again is not None and (fault := _fault(again)):
        yield f"{type(again).__name__} {again.pk}: its file {fault}."


def _fault(row: Receipt | Rendition) -> str:
    if (row.receipt if isinstance(row, Rendition) else row).purged_at:
        return ""
    try:
        with row.file.storage.open(row.file.name or "") as file:
            return "" if digest(file) == row.sha256 else "holds other bytes than those that came"
    except FileNotFoundError:
        if is_away():  # of a bucket that there is none of, no more is said than that the file is not there
            raise StorageAway("not there") from None
        return "is gone"
    except StorageAway as error:
        if is_away():
            raise
        return f"cannot be read ({error})"
    except (OSError, ValueError, SuspiciousFileOperation) as error:
        return f"cannot be read ({type(error).__name__})"
