"""Makes of a receipt what N8N can read: an upright JPEG of no more than so many bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from django.core.files.base import File
from PIL import Image
from PIL.ExifTags import Base

from .cell import Bounds, Crashed, Refused, TooMuch, TooSlow, in_cell
from .cell.pictures import TURNS
from .formats import FORMS
from .models import Receipt
from .storage import StorageAway

logger = structlog.get_logger(__name__)

READ_BY_N8N = frozenset({"image/jpeg", "image/png"})
RENDER_BYTES = 640_000_000  # the largest picture there is, decoded, and turned
RENDER_CPU_SECONDS = 10.0  # the largest takes a fifth of that; what takes more will always do


class Unreadable(Exception):
    """No picture can be made of the receipt, however often one tries."""


class NotMade(Exception):
    """No picture was made this time: the machine was too busy, or its disk takes nothing."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was made of a receipt."""

    file: "File[bytes]"
    content_type: str
    width: int
    height: int


def can_be_sent(receipt: Receipt, file: "File[bytes]", *, most_bytes: int) -> bool:
    """Tell whether N8N can read the receipt as it came: JPEG or PNG, upright, and small enough."""
    return receipt.content_type in READ_BY_N8N and receipt.size <= most_bytes and _is_upright(file)


def _is_upright(file: "File[bytes]") -> bool:
    """Read the header only; a picture that does not say how it lies is upright."""
    file.seek(0)
    try:
        with Image.open(file, formats=["JPEG", "PNG"]) as picture:
            exif = Image.Image.getexif(picture)  # a PNG's own method would decode the picture first
            return exif.get(Base.Orientation) not in TURNS
    except Exception:  # as when it was uploaded, whatever a decoder says of bytes; they go out as they are
        return True


@contextmanager
def rendered(receipt: Receipt, file: "File[bytes]", *, most_bytes: int, seconds: float) -> Iterator[Picture]:
    """Make the picture, in a cell.

    Yields:
        The picture, for as long as the block runs.

    Args:
        seconds: on the clock.

    Raises:
        Unreadable, NotMade: there is none.
    """
    bounds = Bounds(memory=RENDER_BYTES + 2 * receipt.size, cpu_seconds=RENDER_CPU_SECONDS, seconds=seconds)
    form = FORMS[receipt.content_type]
    try:
        with in_cell("render", file, bounds, form=form, most_bytes=most_bytes) as (found, made):
            yield Picture(file=File(made), **found)
    except (Crashed, Refused, TooMuch) as fault:
        logger.warning("not_rendered", receipt=str(receipt.pk), fault=type(fault).__name__, why=str(fault))
        raise Unreadable(str(receipt.pk)) from None
    except StorageAway:  # where the block puts it
        raise
    except (TooSlow, OSError) as fault:
        errno = getattr(fault, "errno", None)
        logger.warning("not_rendered", receipt=str(receipt.pk), fault=type(fault).__name__, errno=errno)
        raise NotMade(str(receipt.pk)) from None
