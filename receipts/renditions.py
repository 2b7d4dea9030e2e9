"""Pictures that are sent instead of a receipt's own bytes: made once, kept, and found again."""

from functools import partial

from django.core.files.base import File
from django.db import transaction

from accounting.clock import DatabaseNow

from .files import digest
from .formats import SUFFIXES
from .models import Receipt, Rendition, rendition_name
from .rendering import NotMade, Picture, rendered
from .storage import StorageAway, discard, is_stored, receipt_storage


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
        stored_as = receipt_storage().save(
            rendition_name(Rendition(), "rendition" + SUFFIXES[picture.content_type]), picture.file
        )
        return _keep_rendition(receipt, picture, sha256=sha256, most_bytes=most_bytes, stored_as=stored_as)


def find_rendition(receipt: Receipt) -> Rendition | None:
    """Return what was made of a receipt to be sent, where its file is there.

    Raises:
        StorageAway: that is not known now.
    """
    known = Rendition.objects.filter(receipt=receipt).first()
    return known if known is not None and is_stored(known.file.name or "", known.size) else None


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
        discard(stored_as)
        raise NotMade(str(receipt.pk))  # whoever asks lost the job meanwhile: no open one's receipt is purged
    quicker = _usable_rendition(receipt, most_bytes)
    if quicker is not None:
        discard(stored_as)
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
        transaction.on_commit(partial(discard, former.file.name or ""))
    return kept
