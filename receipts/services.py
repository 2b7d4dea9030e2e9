"""The verbs of receipts: put a file away, keep its row, prepare what is sent, make a key."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from accounting.clock import DatabaseNow

from .files import CheckedUpload, digest
from .formats import SUFFIXES
from .models import ApiKey, Client, Receipt, Rendition, rendition_name, stored_name
from .rendering import NotMade, Picture, rendered
from .storage import StorageAway
from .thumbnails import forget_thumbnail


class JustPurged(Exception):
    """The receipt's file was deleted between the look at it and its lock: the bytes at hand are to be stored."""


@dataclass
class StoredFile:
    """What was put in the storage for an upload.

    Attributes:
        name: "" where nothing was, for the client's receipt has its file.
        may_be_known: whether the client may have a receipt of these bytes.
        is_kept: whether the receipt's row names it.
        may_be_named: whether that row may be committed, whatever is heard of the commit.
    """

    name: str
    may_be_known: bool = True
    is_kept: bool = False
    may_be_named: bool = False


@contextmanager
def stored_file(*, client: Client, upload: CheckedUpload, now: datetime) -> Iterator[StoredFile]:
    """Put the upload's bytes in the storage, unless the client's receipt has them already.

    Inside, no transaction is open yet: a slow disk holds no lock. Where the block comes to no commit, or a receipt with
    these bytes turned up meanwhile, the file is removed again. An error of the commit itself leaves it, for it may have
    happened; `remove_orphans` finds out.

    Args:
        now: by the database's clock; for how long they are kept goes by it (`jobs.retention`).
    """
    known = Receipt.objects.filter(client=client, sha256=upload.sha256).first()
    if known is not None and has_file(known):
        yield StoredFile("")
        return
    name = stored_name(Receipt(created_at=now), "receipt" + SUFFIXES[upload.content_type])
    name = default_storage.save(name, upload.file)
    stored = StoredFile(name, may_be_known=known is not None)
    try:
        yield stored
    except Exception:
        if not stored.may_be_named:
            _discard(stored.name)
        raise
    if not stored.is_kept:
        _discard(stored.name)


def _discard(name: str) -> None:
    """Delete a file that no row names; where that fails, `remove_orphans` does it tomorrow."""
    with suppress(OSError):
        default_storage.delete(name)


def has_file(receipt: Receipt) -> bool:
    """Tell whether the receipt's bytes are where its row says, and all of them.

    Raises:
        StorageAway: that is not known now.
    """
    return receipt.purged_at is None and _is_stored(receipt)


def _is_stored(row: Receipt | Rendition) -> bool:
    try:
        return default_storage.size(row.file.name or "") == row.size
    except StorageAway:
        raise
    except (OSError, ValueError, SuspiciousFileOperation):  # the last two: of a row that was changed
        return False


def keep_receipt(*, client: Client, upload: CheckedUpload, stored: StoredFile, now: datetime) -> tuple[Receipt, bool]:
    """Return the client's receipt of these bytes, its row locked until the transaction ends, and whether it is new.

    Args:
        stored: the file just stored; it heals a receipt whose file was purged or is gone.
        now: by the database's clock.

    Raises:
        JustPurged: no file was stored, and there is none any more.
        IntegrityError: somebody else made it meanwhile.
    """
    receipt = _lock_receipt(client, upload) if stored.may_be_known else None
    stored.may_be_known = True  # should another have come first
    stored.is_kept = bool(stored.name) and (receipt is None or not has_file(receipt))
    if receipt is None:
        return _create_receipt(client, upload, stored.name, now), True
    if not stored.name and receipt.purged_at is not None:
        raise JustPurged
    if stored.is_kept:
        receipt.file.name = stored.name
        receipt.purged_at = None
        receipt.save(update_fields=["file", "purged_at"])
        transaction.on_commit(partial(_forget_thumbnail, receipt))
    return receipt, False


def _forget_thumbnail(receipt: Receipt) -> None:
    """Delete what was made of the former file, or the word that of a damaged one none can be made."""
    with suppress(OSError):  # a list shows the former one then
        forget_thumbnail(receipt.pk)


def _lock_receipt(client: Client, upload: CheckedUpload) -> Receipt | None:
    return Receipt.objects.select_for_update().filter(client=client, sha256=upload.sha256).first()


def _create_receipt(client: Client, upload: CheckedUpload, stored_as: str, now: datetime) -> Receipt:
    return Receipt.objects.create(
        client=client,
        file=stored_as,
        sha256=upload.sha256,
        size=upload.size,
        content_type=upload.content_type,
        width=upload.width,
        height=upload.height,
        created_at=now,
    )


def prepare_rendition(receipt: Receipt, file: "File[bytes]", *, most_bytes: int, seconds: float) -> Rendition:
    """Return the picture that is sent instead of the receipt's own bytes, made now unless it is there already.

    Two that prepare it at once make it twice and keep one; a process that is killed meanwhile leaves at most a file
    that `remove_orphans` finds.

    Args:
        file: the receipt's own bytes.
        most_bytes: what it has to fit into; one that was made for another limit is made again.
        seconds: how long that may take.

    Raises:
        Unreadable, NotMade: there is none.
        StorageAway: whether there is one is not known now.
    """
    known = _usable_rendition(receipt, most_bytes)
    if known is not None:
        return known
    with rendered(receipt, file, most_bytes=most_bytes, seconds=seconds) as picture:
        sha256 = digest(picture.file)
        stored_as = default_storage.save(
            rendition_name(Rendition(), "rendition" + SUFFIXES[picture.content_type]), picture.file
        )
        return _keep_rendition(receipt, picture, sha256=sha256, most_bytes=most_bytes, stored_as=stored_as)


def find_rendition(receipt: Receipt) -> Rendition | None:
    """Return what was made of a receipt to be sent, where its file is there.

    Raises:
        StorageAway: that is not known now.
    """
    known = Rendition.objects.filter(receipt=receipt).first()
    return known if known is not None and _is_stored(known) else None


def rendition_to_show(receipt: Receipt) -> Rendition | None:
    """Return the same for a page, which is shown without a picture while the storage is away."""
    try:
        return find_rendition(receipt)
    except StorageAway:
        return None


def _usable_rendition(receipt: Receipt, most_bytes: int) -> Rendition | None:
    known = find_rendition(receipt)
    return known if known is not None and known.most_bytes == most_bytes else None


@transaction.atomic
def _keep_rendition(receipt: Receipt, picture: Picture, *, sha256: str, most_bytes: int, stored_as: str) -> Rendition:
    """Write the rendition's row, unless somebody else was quicker, and remove the file that no row names then."""
    if Receipt.objects.select_for_update().get(pk=receipt.pk).purged_at is not None:
        _discard(stored_as)
        raise NotMade(str(receipt.pk))  # whoever asks lost the job meanwhile: no open one's receipt is purged
    quicker = _usable_rendition(receipt, most_bytes)
    if quicker is not None:
        _discard(stored_as)
        return quicker
    former = Rendition.objects.filter(receipt=receipt).first()
    kept, _ = Rendition.objects.update_or_create(
        receipt=receipt,
        defaults={
            "file": stored_as,
            "sha256": sha256,
            "size": picture.file.size,
            "content_type": picture.content_type,
            "width": picture.width,
            "height": picture.height,
            "most_bytes": most_bytes,
            "made_at": DatabaseNow(),
        },
    )
    if former is not None:
        transaction.on_commit(partial(_discard, former.file.name or ""))
    return kept


def create_api_key(*, client_name: str, key_name: str, expires_at: datetime | None = None) -> str:
    """Make a key for the client of that name, and the client where there is none yet.

    Returns:
        The key itself, which cannot be had again.
    """
    client, _ = Client.objects.get_or_create(name=client_name)
    api_key = ApiKey(client=client, name=key_name, expiry_date=expires_at)
    key = ApiKey.objects.assign_key(api_key)
    api_key.save(force_insert=True)
    return key
