"""A receipt goes to N8N's webhook, within one total deadline."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from math import inf
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from accounting.clock import seconds_since_boot
from accounting.outages import DATABASE_AWAY
from receipts.rendering import NotMade, Unreadable
from receipts.storage import StorageAway

from .answers import Answer
from .delivery_errors import ErrorCode
from .models import JobLog
from .payload import FileMissing, Payload
from .signatures import sign_webhook
from .transport import WatchedSession

CONNECT_TIMEOUT_SECONDS = 5.0
IDLE_SECONDS = 3.0  # Node closes an idle connection after 5: one nearly that old may be gone when it is used
MAX_ANSWER_BYTES = 64 * 1024


def send_receipt(job: JobLog, *, begin_by: float = inf, is_claimed: Callable[[], bool] = lambda: True) -> Answer:
    """Post a claimed job's receipt to N8N's webhook.

    Args:
        job: claimed, so that its attempt has a number.
        begin_by: by `seconds_since_boot`; later nothing is posted, for the lease would end before the answer is in, and
            another worker would post it as well.
        is_claimed: asked once it is prepared, whether the job is still this claim's.

    Returns:
        What came of it, whatever it was: this raises for no fault of N8N's, of the network's or of the storage's.
    """
    try:
        payload = Payload(job)
        headers = _headers(job, payload)
        if seconds_since_boot() > begin_by or not is_claimed():
            return Answer(error=ErrorCode.PUT_OFF)
        return replace(_client().post(payload, headers, begin_by=begin_by), request=_facts(payload))
    except FileMissing:
        return Answer(error=ErrorCode.FILE_MISSING)
    except StorageAway:
        return Answer(error=ErrorCode.STORAGE_AWAY)
    except Unreadable:
        return Answer(error=ErrorCode.FILE_UNREADABLE)
    except (NotMade, OSError):  # nothing was posted yet: a post catches its own
        return Answer(error=ErrorCode.NOT_PREPARED)
    except DATABASE_AWAY:
        return Answer(error=ErrorCode.PUT_OFF)


def _facts(payload: Payload) -> dict[str, Any]:
    """Return what may be written down of a request: of the address no more than the host, its path is a secret."""
    address = urlsplit(settings.N8N_WEBHOOK_URL)
    host = address.hostname or ""
    return {
        "host": f"{host}:{address.port}" if address.port else host,
        "payload": settings.N8N_PAYLOAD,
        "bytes": len(payload),
        **payload.picture,
        "signed": bool(settings.N8N_WEBHOOK_SECRET),
    }


def _headers(job: JobLog, payload: Payload) -> dict[str, str]:
    message_id = str(job.job_id)
    headers = {
        "Authorization": f"Bearer {settings.N8N_API_KEY}",
        "Content-Type": payload.content_type,
        "Accept": "application/json",
        "Idempotency-Key": message_id,
        "X-Request-ID": structlog.contextvars.get_contextvars().get("request_id") or message_id,
    }
    if settings.N8N_WEBHOOK_SECRET:
        # by the clock of the claim, the database's: a workflow refuses what a worker's wrong clock makes look old
        sent_at = int(job.now.timestamp())
        headers |= sign_webhook(settings.N8N_WEBHOOK_SECRET, message_id=message_id, body=payload, timestamp=sent_at)
    return headers


class N8NClient:
    """Posts to one webhook on one kept connection; for one thread at a time.

    Args:
        url: the webhook's address.
        deadline: seconds that one exchange may take in all, from connecting to the last byte.
    """

    def __init__(self, url: str, *, deadline: float) -> None:
        self._url = url
        self._deadline = deadline
        self._idle_since = 0.0
        self._session = WatchedSession(url)

    def post(self, body: Iterable[bytes], headers: Mapping[str, str], *, begin_by: float = inf) -> Answer:
        """Post the body, whose length `len` tells, and return what came of it; nothing is sent after `begin_by`."""
        started = seconds_since_boot()
        if started - self._idle_since > IDLE_SECONDS:
            self.close()
        answer = self._session.exchange(
            "POST",
            self._url,
            data=body,
            headers=headers,
            seconds=self._deadline,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            max_bytes=MAX_ANSWER_BYTES,
            begin_by=begin_by,
        )
        self._idle_since = seconds_since_boot()
        return replace(answer, milliseconds=round((self._idle_since - started) * 1000))

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()


@cache
def _client() -> N8NClient:
    """Return this worker's client; a worker delivers one receipt at a time."""
    return N8NClient(settings.N8N_WEBHOOK_URL, deadline=settings.N8N_DEADLINE_SECONDS)
