"""Secrets in use: the callback's tokens, and the signature on what N8N gets."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounting.environment.strength import STANDARD_PREFIX, standard_key
from accounting.tokens import is_one_of

TOKEN_HEADER = "X-Callback-Token"  # noqa: S105 - a header's name
SALT = "jobs.callback_token"
TOLERANCE_SECONDS = 300


def callback_token(job_id: UUID) -> str:
    """Return the token that reports on this one job: an HMAC of its id, so nothing has to be stored."""
    return _token(job_id, settings.SECRET_KEY)


def is_job_token(job_id: UUID, token: str) -> bool:
    """Tell whether the token is the job's own, under the present or a former `SECRET_KEY`."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return is_one_of(token, [_token(job_id, key) for key in keys])


def is_global_token(token: str) -> bool:
    """Tell whether the token is one of `CALLBACK_SECRET_TOKEN`."""
    return is_one_of(token, settings.CALLBACK_SECRET_TOKEN)


def _token(job_id: UUID, key: str) -> str:
    return salted_hmac(SALT, str(job_id), secret=key, algorithm="sha256").hexdigest()


# -- Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) ----


def sign_webhook(secrets: Sequence[str], *, message_id: str, body: Iterable[bytes], timestamp: int) -> dict[str, str]:
    """Return the three headers that let a workflow check who sent the body, and when.

    Args:
        secrets: each `whsec_` and base64, as the specification writes it, or any other text, whose bytes are the key.
            Each signs, so that one can replace another while workflows still check the old one.
        message_id: the same for every attempt at the same message.
        body: the body's bytes in pieces; it is read once.
        timestamp: when it is sent, in seconds since 1970.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signatures(secrets, message_id, timestamp, body)),
    }


def webhook_is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Check the three headers as a careful receiver would: a known key, and not older than five minutes."""
    try:
        sent_at = int(headers["webhook-timestamp"])
        expected = _signatures(secrets, headers["webhook-id"], sent_at, [body])
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    matches = [is_one_of(signature, given) for signature in expected]
    return abs(int(time.time()) - sent_at) <= TOLERANCE_SECONDS and any(matches)


def _signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: Iterable[bytes]) -> list[str]:
    begin = f"{message_id}.{timestamp}.".encode()
    macs = [hmac.new(signing_key(secret), begin, hashlib.sha256) for secret in secrets]
    for piece in body:
        for mac in macs:
            mac.update(piece)
    return ["v1," + base64.b64encode(mac.digest()).decode() for mac in macs]


def signing_key(secret: str) -> bytes:
    """Return the bytes that a secret signs with."""
    return standard_key(secret) if secret.startswith(STANDARD_PREFIX) else secret.encode()
