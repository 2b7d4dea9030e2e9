"""The verbs of receipts: put a file away, keep its row, make a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction

from .files import CheckedUpload
from .formats import SUFFIXES
from .models import ApiKey, Client, Receipt, stored_name
from .storage import discard, is_stored, receipt_storage
from .thumbnails import thumbnail_name


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
    name = receipt_storage().save(name, upload.file)
    stored = StoredFile(name, may_be_known=known is not None)
    try:
        yield stored
    except Exception:
        if not stored.may_be_named:
            discard(stored.name)
        raise
    if not stored.is_kept:
        discard(stored.name)


def has_file(receipt: Receipt) -> bool:
    """Tell whether the receipt's bytes are where its row says, and all of them.

    Raises:
        StorageAway: that is not known now.
    """
    return receipt.purged_at is None and is_stored(receipt.file.name or "", receipt.size)


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
        transaction.on_commit(partial(discard, thumbnail_name(receipt.pk)))  # made of the former file, or in vain
    return receipt, False


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
