"""The only outgoing HTTP: a receipt to N8N's webhook, within one total deadline."""

import ssl
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, ProxyManager
from urllib3.exceptions import HTTPError

from accounting import __version__
from accounting.problems import DATABASE_AWAY
from receipts.rendering import NotMade, Unreadable
from receipts.storage import StorageAway

from .answers import Answer, Trouble
from .models import JobLog
from .payload import FileMissing, Payload
from .signatures import sign_webhook
from .watchdog import POOL_CLASSES, Watchdog

CONNECT_TIMEOUT_SECONDS = 5.0
IDLE_SECONDS = 3.0  # Node closes an idle connection after 5: one nearly that old may be gone when it is used
MAX_ANSWER_BYTES = 64 * 1024
READ_BYTES = 16 * 1024


def send_receipt(job: JobLog) -> Answer:
    """Post a claimed job's receipt to N8N's webhook.

    Args:
        job: claimed, so that its attempt has a number.

    Returns:
        What came of it, whatever it was: this raises for no fault of N8N's, of the network's or of the storage's.
    """
    try:
        payload = Payload(job)
        return replace(_client().post(payload, _headers(job, payload)), request=_facts(payload))
    except FileMissing:
        return Answer(trouble=Trouble.FILE_MISSING)
    except StorageAway:
        return Answer(trouble=Trouble.STORAGE_AWAY)
    except Unreadable:
        return Answer(trouble=Trouble.FILE_UNREADABLE)
    except (NotMade, *DATABASE_AWAY):  # nothing was posted yet
        return Answer(trouble=Trouble.NOT_PREPARED)


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
        "Accept-Encoding": "identity",
        "Idempotency-Key": message_id,
        "User-Agent": f"receipts/{__version__}",
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
        verify: True, False, or the path of a CA bundle.
        deadline: seconds that one exchange may take in all, from connecting to the last byte.
    """

    def __init__(self, url: str, *, verify: bool | str, deadline: float) -> None:
        self._url = url
        self._deadline = deadline
        self._idle_since = 0.0
        self._session = _Session()
        self._session.trust_env = False  # a ~/.netrc would replace our Authorization
        self._session.proxies.update(get_environ_proxies(url))
        self._session.verify = verify
        self._session.headers.clear()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _WatchedAdapter())

    def post(self, body: Iterable[bytes], headers: Mapping[str, str]) -> Answer:
        """Post the body, whose length `len` tells, and return what came of it."""
        started = time.monotonic()
        if started - self._idle_since > IDLE_SECONDS:
            self.close()
        with Watchdog(self._deadline) as watchdog:
            answer = self._attempt(body, headers, watchdog)
        self._idle_since = time.monotonic()
        return replace(answer, milliseconds=round((self._idle_since - started) * 1000))

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()

    def _attempt(self, body: Iterable[bytes], headers: Mapping[str, str], watchdog: Watchdog) -> Answer:
        try:
            answer = self._exchange(body, headers)
        except (requests.RequestException, HTTPError, OSError) as error:
            trouble = _trouble(error, watchdog)
            _let_go(error)
            return Answer(trouble=trouble)
        # an answer that ends with its connection looks whole when it is cut
        return Answer(trouble=Trouble.TIMED_OUT) if watchdog.has_barked else answer

    def _exchange(self, body: Iterable[bytes], headers: Mapping[str, str]) -> Answer:
        response = self._session.post(
            self._url,
            data=body,
            headers=headers,
            timeout=(min(CONNECT_TIMEOUT_SECONDS, self._deadline), None),
            allow_redirects=False,  # a redirected POST becomes an empty GET that may answer 200: a silent loss
            stream=True,
        )
        with response.raw:  # closes the connection, unless the answer was read to its end
            beginning, goes_on = _read_bounded(response.raw)
            return Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                retry_after=response.headers.get("Retry-After", ""),
                body=beginning,
                goes_on=goes_on,
            )


class _Session(requests.Session):
    """Looks no further at a redirect; told not to follow one, requests would still read its body, however long."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address, whatever the answer says."""


class _WatchedAdapter(HTTPAdapter):
    """Makes connections that the watchdog can cut, directly and through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        """Return the pools of connections through that proxy."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOL_CLASSES
        return manager


def _read_bounded(response: BaseHTTPResponse) -> tuple[bytes, bool]:
    """Return the beginning of the body, and whether it goes on."""
    body = b""
    while len(body) <= MAX_ANSWER_BYTES:
        piece = response.read(READ_BYTES, decode_content=False)
        if not piece:
            return body, False
        body += piece
    return body[:MAX_ANSWER_BYTES], True


def _trouble(error: Exception, watchdog: Watchdog) -> Trouble:
    """Say what an exchange failed of; before the first byte was sent, nothing can have arrived."""
    if watchdog.has_seen_sending:
        return Trouble.TIMED_OUT if watchdog.has_barked else Trouble.CUT
    if isinstance(error, requests.exceptions.SSLError) and not _was_cut_in_handshake(error):
        return Trouble.UNTRUSTED
    return Trouble.UNREACHABLE


def _let_go(error: BaseException | None) -> None:
    """Free what the frames of an error hold, a socket among it, now and not when garbage is next collected."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _was_cut_in_handshake(error: requests.exceptions.SSLError) -> bool:
    """Look through the wrappings: requests' error, urllib3's that it gave up, urllib3's of TLS, and Python's own."""
    wrapped = getattr(error.args[0], "reason", error.args[0])
    return isinstance(wrapped.args[0] if wrapped.args else wrapped, ssl.SSLEOFError | ssl.SSLZeroReturnError)


# -- settings ----------------------------------------------------------------------------------------------------------


@cache
def _client() -> N8NClient:
    """Return this worker's client; a worker delivers one receipt at a time."""
    return N8NClient(
        settings.N8N_WEBHOOK_URL,
        verify=tls_verification(settings.N8N_VERIFY_SSL),
        deadline=settings.N8N_DEADLINE_SECONDS,
    )


def tls_verification(value: str) -> bool | str:
    """Return what `N8N_VERIFY_SSL` means: whether to verify, or with which CA bundle."""
    match value.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    return str(Path(value))
