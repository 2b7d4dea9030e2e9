"""The verbs of receipts: put a file away, keep its row, make a key, remove what nobody refers to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.core.files.storage import default_storage

from accounting.clock import DatabaseNow

from .models import ApiKey, Client, Receipt, day_folder, stored_name
from .validators import SUFFIXES, CheckedUpload

ORPHAN_AGE = timedelta(days=1)
ORPHAN_SEARCH_DAYS = 8
BATCH = 500


class Refusal(Exception):
    """A service says no, and has changed nothing."""


@contextmanager
def stored_file(*, client: Client, upload: CheckedUpload) -> Iterator[str]:
    """Put the upload's bytes in the storage, unless the client's receipt has them already.

    Inside, no transaction is open yet: a slow disk holds no lock. Where the block refuses the upload (any exception
    of ours), or a receipt with these bytes turned up meanwhile, the file is removed again. A database error leaves it:
    the commit may have happened; `remove_orphans` finds out.

    Yields:
        The stored file's name, or "" where the client's receipt has its file.
    """
    known = Receipt.objects.filter(client=client, sha256=upload.sha256).first()
    if known is not None and has_file(known):
        yield ""
        return
    name = default_storage.save(stored_name(Receipt(), "receipt" + SUFFIXES[upload.content_type]), upload.file)
    try:
        yield name
    except Refusal:
        default_storage.delete(name)
        raise
    if not Receipt.objects.filter(client=client, sha256=upload.sha256, file=name).exists():
        default_storage.delete(name)


def has_file(receipt: Receipt) -> bool:
    """Tell whether the receipt's bytes are where its row says, and all of them."""
    if receipt.purged_at is not None:
        return False
    try:
        return default_storage.size(receipt.file.name or "") == receipt.size
    except OSError:
        return False


def keep_receipt(*, client: Client, upload: CheckedUpload, stored_as: str) -> Receipt:
    """Return the client's receipt of these bytes, its row locked until the transaction ends.

    Args:
        stored_as: the name of the file just stored; it heals a receipt whose file was purged or is gone.
    """
    receipt, created = Receipt.objects.get_or_create(
        client=client,
        sha256=upload.sha256,
        defaults={
            "file": stored_as,
            "size": upload.size,
            "content_type": upload.content_type,
            "width": upload.width,
            "height": upload.height,
            "created_at": DatabaseNow(),
        },
    )
    receipt = Receipt.objects.select_for_update().get(pk=receipt.pk)
    if stored_as and not created and not has_file(receipt):
        receipt.file.name = stored_as
        receipt.purged_at = None
        receipt.save(update_fields=["file", "purged_at"])
    return receipt


def create_api_key(*, client_name: str, key_name: str, expires_at: datetime | None = None) -> str:
    """Make a key for the client of that name, and the client where there is none yet.

    Returns:
        The key itself, which cannot be had again.
    """
    client, _ = Client.objects.get_or_create(name=client_name)
    _, key = ApiKey.objects.create_key(client=client, name=key_name, expiry_date=expires_at)
    return str(key)


def remove_orphans(*, now: datetime) -> int:
    """Delete stored files of the last week that no receipt names and that are older than a day.

    An upload whose process died between its file and its row leaves one; its client was never answered 2xx.

    Returns:
        How many were deleted.
    """
    return sum(
        _remove_orphans_in(day_folder(now - timedelta(days=days)), now=now) for days in range(ORPHAN_SEARCH_DAYS)
    )


def _remove_orphans_in(folder: str, *, now: datetime) -> int:
    try:
        _, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    old = [name for name in (f"{folder}/{file}" for file in files) if _age(name, now=now) > ORPHAN_AGE]
    batches = [old[at : at + BATCH] for at in range(0, len(old), BATCH)]
    orphans = [name for batch in batches for name in _without_receipt(batch)]
    for name in orphans:
        default_storage.delete(name)
    return len(orphans)


def _without_receipt(names: Sequence[str]) -> list[str]:
    known = set(Receipt.objects.filter(file__in=names).values_list("file", flat=True))
    return [name for name in names if name not in known]


def _age(name: str, *, now: datetime) -> timedelta:
    """Return how old a file is; one that an upload has moved to its place since it was listed is not old."""
    try:
        return now - default_storage.get_modified_time(name).astimezone(UTC)
    except FileNotFoundError:
        return timedelta(0)
