"""Secrets in use: the callback's tokens, and the signature on what N8N gets."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "jobs.callback_token"
STANDARD_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


def callback_token(job_id: UUID) -> str:
    """Return the token that reports on this one job: an HMAC of its id, so nothing has to be stored."""
    return _token(job_id, settings.SECRET_KEY)


def is_job_token(job_id: UUID, token: str) -> bool:
    """Tell whether the token is the job's own, under the present or a former `SECRET_KEY`."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return _is_one_of(token, [_token(job_id, key) for key in keys])


def is_global_token(token: str) -> bool:
    """Tell whether the token is one of `CALLBACK_SECRET_TOKEN`."""
    return _is_one_of(token, settings.CALLBACK_SECRET_TOKEN)


def _token(job_id: UUID, key: str) -> str:
    return salted_hmac(SALT, str(job_id), secret=key, algorithm="sha256").hexdigest()


def _is_one_of(token: str, known: Sequence[str]) -> bool:
    """Compare with every candidate, in constant time: digests are of one length, and bytes of any kind."""
    digest = _digest(token)
    matches = [hmac.compare_digest(digest, _digest(candidate)) for candidate in known]
    return any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


# -- Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) ----


def sign_webhook(
    secret: str, *, message_id: str, body: Iterable[bytes], timestamp: int | None = None
) -> dict[str, str]:
    """Return the three headers that let a workflow check who sent the body, and when.

    Args:
        secret: `whsec_` and base64, as the specification writes it, or any other text, whose bytes are the key.
        message_id: the same for every attempt at the same message.
        body: the body's bytes in pieces; it is read once.
        timestamp: seconds since 1970; now, unless given.
    """
    sent_at = int(time.time()) if timestamp is None else timestamp
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": _signature(secret, message_id, sent_at, body),
    }


def webhook_is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Check the three headers as a careful receiver would: known key, and not older than five minutes."""
    try:
        sent_at = int(headers["webhook-timestamp"])
        expected = _signature(secret, headers["webhook-id"], sent_at, [body])
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    return abs(int(time.time()) - sent_at) <= TOLERANCE_SECONDS and _is_one_of(expected, given)


def _signature(secret: str, message_id: str, timestamp: int, body: Iterable[bytes]) -> str:
    mac = hmac.new(_signing_key(secret), f"{message_id}.{timestamp}.".encode(), hashlib.sha256)
    for piece in body:
        mac.update(piece)
    return "v1," + base64.b64encode(mac.digest()).decode()


def _signing_key(secret: str) -> bytes:
    if not secret.startswith(STANDARD_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
