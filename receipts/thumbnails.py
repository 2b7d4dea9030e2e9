"""Small pictures of receipts for lists: made when first asked for, kept beside the files, and cheap to do without.

A thumbnail lies under its receipt's id, so no table names it; it may be deleted at any time, and is made again. Rows of
receipts are never deleted, so none is left over but a purged one's, which is deleted with the file. An
empty file says that none can be made. A list of fifty asks for fifty at once: two are made at a time, and whoever has a
thread and would wait for longer than a moment gets none this time.
"""

import io
import threading
from contextlib import suppress
from uuid import UUID

from django.core.files.base import ContentFile, File
from PIL import Image

from .budget import LOOK_BYTES, Crowded, looks_budget
from .cell import OWN_BYTES, Bounds, Crashed, TooSlow, in_cell
from .cell.pictures import orientation_of, turned
from .formats import FORMS
from .models import Receipt
from .storage import receipt_storage
from .structure import read_structure

FOLDER = "thumbnails"
WIDTH, HEIGHT = 96, 128
QUALITY = 75
AT_ONCE = 2
PATIENCE_SECONDS = 3.0
CPU_SECONDS, SECONDS = 1.5, 6.0
CELL_BYTES = LOOK_BYTES - OWN_BYTES

_turns = threading.BoundedSemaphore(AT_ONCE)


def find_thumbnail(receipt: Receipt) -> bytes:
    """Return the receipt's thumbnail, a JPEG; made now, unless it is there. b"" where there is none, or not now."""
    if receipt.purged_at is not None:
        return b""
    kept = _kept(receipt.pk)
    if kept is not None:
        return kept
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        return b""
    try:
        kept = _kept(receipt.pk)  # somebody else may have had the same wish
        return _make(receipt) if kept is None else kept
    finally:
        _turns.release()


def thumbnail_name(receipt_id: UUID) -> str:
    """Return where a receipt's thumbnail lies in the storage."""
    return f"{FOLDER}/{receipt_id.hex[:2]}/{receipt_id.hex}.jpg"


def forget_thumbnail(receipt_id: UUID) -> None:
    """Delete a receipt's thumbnail, as when its file is deleted."""
    receipt_storage().delete(thumbnail_name(receipt_id))


def _kept(receipt_id: UUID) -> bytes | None:
    try:
        with receipt_storage().open(thumbnail_name(receipt_id)) as file:
            data: bytes = file.read()
            return data
    except OSError:
        return None


def _make(receipt: Receipt) -> bytes:
    try:
        with receipt.file.storage.open(receipt.file.name or "") as file:
            made = _here(file) if receipt.content_type == "image/jpeg" else _in_cell(file, FORMS[receipt.content_type])
    except (Crowded, TooSlow, OSError):  # it may go better another time, or the file is away for now
        return b""
    except Exception:  # decoders raise whatever they like; they will raise it again
        made = b""
    _keep(receipt.pk, made)
    if Receipt.objects.filter(pk=receipt.pk).exclude(purged_at=None).exists():  # it was deleted meanwhile
        forget_thumbnail(receipt.pk)
    return made


def _here(file: "File[bytes]") -> bytes:
    """Decode a JPEG at a fraction of its size, which costs a fraction."""
    with looks_budget.draw(file.size):
        data = io.BytesIO(file.read())
        shape = read_structure(data, "jpeg")
    try:
        with (
            looks_budget.draw(shape.pixels * shape.bytes_per_pixel),
            Image.open(data, formats=["JPEG"]) as it,
        ):
            it.draft("RGB", (2 * WIDTH, 2 * HEIGHT))
            it.load()
            return _small(turned(it.convert("RGB"), orientation_of(it)))
    except OSError as fault:  # Pillow's word for a broken file; that of a disk is the same
        raise Crashed from fault


def _small(picture: Image.Image) -> bytes:
    picture.thumbnail((WIDTH, HEIGHT))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _in_cell(file: "File[bytes]", form: str) -> bytes:
    bounds = Bounds(memory=CELL_BYTES, cpu_seconds=CPU_SECONDS, seconds=SECONDS)
    with (
        looks_budget.draw(LOOK_BYTES),
        in_cell("thumbnail", file, bounds, form=form, size=(WIDTH, HEIGHT)) as (_, made),
    ):
        return made.read()


def _keep(receipt_id: UUID, data: bytes) -> None:
    """Put it away; a full disk, or another process that was quicker, is no matter."""
    name = thumbnail_name(receipt_id)
    with suppress(OSError):
        stored_as = receipt_storage().save(name, ContentFile(data))
        if stored_as != name:
            receipt_storage().delete(stored_as)
