"""The chain of a job's events: each is signed together with all that was before it (docs/decisions/0030).

Nothing here asks the database, so that writing, verifying and the migration that began the chain agree.
"""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _text
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    from jobs.models import JobEvent, JobLog

Facts = dict[str, Any]

SALT = b"jobs.chain\n"
SIGNED = ("job_id", "number", "at", "kind", "source", "actor", "from_status", "to_status", "attempt", "detail", "facts")
OWN_COLUMNS = frozenset({"job_id", "chain_length", "chain_head"})  # covered by every event's place in the chain
RECEIPT_COLUMNS = ("client_id", "sha256", "size", "content_type", "width", "height", "created_at")
FINGERPRINT_BYTES = 16


def extend(event: "JobEvent", job: "JobLog", covered: Mapping[str, Any]) -> Facts:
    """Number and sign a new event of a locked job.

    Args:
        event: complete but for its number, facts and digest.
        job: with the chain as it is so far.
        covered: the values that the event answers for, by the names of their columns: what it changed.

    Returns:
        What the job's row has to keep: how long the chain is now, and its head.
    """
    key = keys()[0]
    event.number = job.chain_length + 1
    event.facts = fingerprints(key, job.pk, covered)
    event.digest = sign(key, event_content(event, job.chain_head))
    return {"chain_length": event.number, "chain_head": head(key, event)}


def event_content(event: "JobEvent", previous: str) -> list[Any]:
    """Return what an event's digest is made over: all its columns, and the head that the chain had before."""
    return ["event", *(getattr(event, name) for name in SIGNED), previous]


def head(key: bytes, event: "JobEvent") -> str:
    """Return the head of a chain that ends with this event.

    Only the job's row keeps it, and only its latest: who deletes the last event has to have read the row before.
    """
    return sign(key, ["head", event.job_id, event.number, event.digest])


def facts_of(job: "JobLog") -> Facts:
    """Return everything in a job's row and in its receipt's that an event can answer for."""
    row = {field.attname: getattr(job, field.attname) for field in job._meta.concrete_fields}
    receipt = {f"receipt.{name}": getattr(job.receipt, name) for name in RECEIPT_COLUMNS}
    return {name: value for name, value in row.items() if name not in OWN_COLUMNS} | receipt


def fingerprints(key: bytes, job_id: UUID, columns: Mapping[str, Any]) -> dict[str, str]:
    """Return what shows of each column that it holds the same value still, and to nobody without the key which."""
    of_job = canonical(["fact", job_id])[:-1]  # written once for all of them
    contents = ((name, b"%b,%b,%b]" % (of_job, canonical(name), canonical(value))) for name, value in columns.items())
    return {name: _mac(key, content)[:FINGERPRINT_BYTES].hex() for name, content in contents}


def sign(key: bytes, content: Sequence[Any]) -> str:
    """Return the HMAC-SHA256 of the content, in hexadecimal digits."""
    return _mac(key, canonical(content)).hex()


def signer(digest: str, content: Sequence[Any]) -> bytes | None:
    """Return the key that signed the content, or None where none of ours did."""
    matching = (key for key in keys() if hmac.compare_digest(sign(key, content).encode(), digest.encode()))
    return next(matching, None)


def keys() -> tuple[bytes, ...]:
    """Return the keys, the newest first: that one signs, all verify."""
    return _derived(tuple(settings.AUDIT_KEY or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]))


@lru_cache
def _derived(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(sha256(SALT + secret.encode()).digest() for secret in secrets)


def _mac(key: bytes, content: bytes) -> bytes:
    mac = _keyed(key).copy()
    mac.update(content)
    return mac.digest()


@lru_cache
def _keyed(key: bytes) -> hmac.HMAC:
    """Return a MAC of nothing yet, to be copied: `hmac.digest` lets other threads go first, for every column."""
    return hmac.new(key, digestmod="sha256")


def canonical(value: Any) -> bytes:
    """Return the one way to write a value as JSON, whichever database it comes back from.

    The idea is RFC 8785's: sorted names, no spaces, one form for each number. Two things differ: whole numbers keep all
    their digits (PostgreSQL gives 1e22 back as one), and all beyond ASCII is escaped, halves of a pair as well.
    """
    return _written(value).encode()


def _written(value: Any) -> str:
    write = WRITERS.get(type(value)) or next(write for base, write in WRITERS.items() if isinstance(value, base))
    return write(value)


def _object(members: Mapping[str, Any]) -> str:
    return "{" + ",".join([f"{_text(name)}:{_written(value)}" for name, value in sorted(members.items())]) + "}"


def _array(items: Sequence[Any]) -> str:
    return "[" + ",".join(map(_written, items)) + "]"


def _number(value: float) -> str:
    """Return a float that is a whole number as that number: 1.0 is 1, and -0.0 is 0."""
    return str(int(Decimal(repr(value)))) if value.is_integer() else json.dumps(value)


def _time(moment: datetime) -> str:
    return f'"{moment.astimezone(UTC).isoformat(timespec="microseconds")}"'


def _unknown(value: object) -> str:
    raise TypeError(f"{type(value).__name__} has no canonical form")


# By the very type, which is quick; for any other, such as an enum's, the first that it is an instance of.
WRITERS: dict[type, Callable[[Any], str]] = {
    str: _text,
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _number,
    dict: _object,
    list: _array,
    tuple: _array,
    datetime: _time,
    UUID: lambda value: f'"{value}"',
    object: _unknown,
}
