"""Tells whether stored files are still what their rows say."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from django.core.exceptions import SuspiciousFileOperation
from django.db.models import QuerySet

from accounting.batches import Keys, look_at_rows

from .files import digest
from .models import Receipt, Rendition
from .storage import StorageAway, is_away, receipt_storage

BATCH = 100
PAGE_MB = 32  # of one file, for a page that somebody waits for
PAGE_SECONDS = 2.0

Row = TypeVar("Row", Receipt, Rendition)
Read = Callable[[Receipt | Rendition], str]  # returns the SHA-256 of a row's file


class Unread(StrEnum):
    """Why a page knows nothing of a file."""

    AWAY = "the storage is away"
    LARGE = f"it is larger than {PAGE_MB} MB"
    SLOW = "the storage is slow"


class NotRead(Exception):
    """A page does not wait for all of a file."""

    def __init__(self, reason: Unread) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class FilesSeen:
    """What a page has seen of a receipt's file, and of the picture that was made of it for N8N.

    Attributes:
        faults: what is broken, each without a full stop.
        is_receipt_broken: whether the receipt's own file is.
        unread: why not all of them was read; None where all was, or the rule has deleted them.
        are_whole: whether they are there, and as they came.
    """

    faults: tuple[str, ...] = ()
    is_receipt_broken: bool = False
    unread: Unread | None = None
    are_whole: bool = False

    @property
    def are_away(self) -> bool:
        """Whether none can be had now."""
        return self.unread is Unread.AWAY


NOT_SEEN = FilesSeen()


def verify_files(rows: QuerySet[Row]) -> Iterator[tuple[int, list[str]]]:
    """Read the files of many rows in batches, while the service goes on.

    Yields:
        For each batch how many rows it had, and a sentence for each file that is broken.

    Raises:
        StorageAway: it is not one file that cannot be read, but the storage.
    """

    def look(keys: Keys) -> Iterator[str]:
        for row in list(rows.filter(pk__in=keys).order_by("pk")):
            if fault := _find_fault(row, rows, _read):
                yield f"{type(row).__name__} {row.pk}: its file {fault}."

    return look_at_rows(rows, BATCH, look)


def look_at_files(receipt: Receipt) -> FilesSeen:
    """Read the same of one receipt, as far as a page can wait for it."""
    if receipt.purged_at:
        return NOT_SEEN
    found: list[tuple[Receipt | Rendition, str]] = []
    unread = None
    try:
        for fault in _faults_in_time(receipt):
            found += [fault]  # what was found stays so, should the next one not be read
    except StorageAway:
        unread = Unread.AWAY
    except NotRead as stopped:
        unread = stopped.reason
    return FilesSeen(
        faults=tuple(sentence for _, sentence in found),
        is_receipt_broken=any(row is receipt for row, _ in found),
        unread=unread,
        are_whole=not (found or unread),
    )


def _faults_in_time(receipt: Receipt) -> Iterator[tuple[Receipt | Rendition, str]]:
    read = partial(_read_in_time, end=time.monotonic() + PAGE_SECONDS)
    if fault := _find_fault(receipt, Receipt.objects.all(), read):
        yield receipt, f"its file {fault}"
    made = Rendition.objects.select_related("receipt").filter(receipt=receipt)
    for rendition in made:
        if fault := _find_fault(rendition, made, read):
            yield rendition, f"the picture made of it for N8N {fault}"


def _find_fault(row: Row, rows: QuerySet[Row], read: Read) -> str:
    """Return what is broken; "" where nothing is, or it was purged, healed or made anew since its row was read."""
    fault = _fault(row, read)
    if not fault:
        return ""
    # not by the filter that chose it: a purge takes the file's name away
    again = Receipt.objects.filter(pk=row.pk).first() if isinstance(row, Receipt) else rows.filter(pk=row.pk).first()
    if again is None:
        return fault if isinstance(row, Receipt) else ""  # no receipt's row is ever deleted
    return _fault(again, read)


def _fault(row: Receipt | Rendition, read: Read) -> str:
    if (row.receipt if isinstance(row, Rendition) else row).purged_at:
        return ""
    try:
        return "" if read(row) == row.sha256 else "holds other bytes than those that came"
    except FileNotFoundError:
        return "is gone"
    except StorageAway as error:
        if is_away():
            raise
        return f"cannot be read ({error})"
    except (OSError, ValueError, SuspiciousFileOperation) as error:
        return f"cannot be read ({type(error).__name__})"


def _read(row: Receipt | Rendition) -> str:
    with row.file.storage.open(row.file.name or "") as file:
        return digest(file)


def _read_in_time(row: Receipt | Rendition, *, end: float) -> str:
    """Return the SHA-256, or "" where the size tells already that the bytes are others.

    Raises:
        NotRead: it is too much for a page, or takes too long.
    """
    storage, name, found = receipt_storage(), row.file.name or "", hashlib.sha256()
    if storage.size(name) != row.size:
        return ""
    if row.size > PAGE_MB * 1024 * 1024:
        raise NotRead(Unread.LARGE)
    with closing(storage.stream(name)) as pieces:
        for piece in pieces:
            if time.monotonic() > end:
                raise NotRead(Unread.SLOW)
            found.update(piece)
    return found.hexdigest()
