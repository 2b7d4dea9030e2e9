"""What a page can show of a receipt: where a browser finds its picture, and whether its file is there."""

from django.urls import reverse

from .formats import SHOWN_BY_BROWSERS
from .models import Receipt
from .renditions import rendition_to_show
from .services import has_file
from .storage import StorageAway


def picture_url(receipt: Receipt) -> str:
    """Return where a browser finds a picture: as N8N gets it, or as it came; "" where it could show neither."""
    if receipt.purged_at is not None:
        return ""
    if rendition_to_show(receipt) is not None:
        return reverse("receipt-rendition", args=[receipt.pk])
    return original_url(receipt)


def original_url(receipt: Receipt) -> str:
    """Return where a browser finds it as it came; "" where it could not show that."""
    is_shown = receipt.content_type in SHOWN_BY_BROWSERS and _is_at_hand(receipt)
    return reverse("receipt-file", args=[receipt.pk]) if is_shown else ""


def is_lost(receipt: Receipt) -> bool:
    """Tell whether no file of the right size is there that should be; of a storage that is away nobody knows."""
    try:
        return receipt.purged_at is None and not has_file(receipt)
    except StorageAway:
        return False


def _is_at_hand(receipt: Receipt) -> bool:
    try:
        return has_file(receipt)
    except StorageAway:
        return False
