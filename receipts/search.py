"""Finds receipts by an id or a SHA-256, or the beginning of one, each by a range of its index."""

import re
from uuid import UUID

from django.db.models import QuerySet

from .models import Receipt
from .notion import DASHED, HEX, is_address

ID_DIGITS = re.compile(r"[0-9a-f]{8,64}")
IN_FULL = re.compile(rf"(?<!{HEX})(?:{DASHED.pattern}|{HEX}{{64}})(?!{HEX})")
UUID_DIGITS = 32


def id_digits(text: str) -> str:
    """Return the digits of what may be the beginning of an id or a SHA-256, at least 8, or of one within; else ""."""
    digits = _digits(text.strip())
    if ID_DIGITS.fullmatch(digits):
        return digits
    within = None if is_address(text) else IN_FULL.search(text)  # Notion's addresses have ids of Notion's
    return _digits(within[0]) if within else ""


def _digits(text: str) -> str:
    return text.replace("-", "").lower()


def uuids_from(digits: str) -> tuple[UUID, UUID]:
    """Return the first and the last id that begins so.

    Raises:
        ValueError: it is longer than an id.
    """
    return UUID(digits.ljust(UUID_DIGITS, "0")), UUID(digits.ljust(UUID_DIGITS, "f"))


def find_receipts(receipts: QuerySet[Receipt], text: str) -> QuerySet[Receipt]:
    """Return those of the receipts whose id, or else whose SHA-256, begins so."""
    digits = id_digits(text)
    if not digits:
        return receipts.none()
    if len(digits) <= UUID_DIGITS:
        by_id = receipts.filter(pk__range=uuids_from(digits))
        if by_id.exists():
            return by_id
    # the letter after f ends the range, in every collation
    return receipts.filter(sha256__gte=digits, sha256__lt=digits + "g")
