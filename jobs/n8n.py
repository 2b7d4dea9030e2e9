"""The only outgoing HTTP: a receipt to N8N's webhook, within one total deadline."""

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import certifi
import structlog
from django.conf import settings
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import make_headers, parse_url

from accounting import __version__

from .answers import Answer, Trouble
from .models import JobLog
from .payload import Payload
from .signatures import sign_webhook
from .watchdog import POOL_CLASSES, Watchdog

CONNECT_TIMEOUT_SECONDS = 5.0
IDLE_SECONDS = 3.0  # Node closes an idle connection after 5: one nearly that old may be gone when it is used
MAX_ANSWER_BYTES = 64 * 1024
READ_BYTES = 16 * 1024

# it warns of a malformed header with the webhook's whole address, path and query: a secret
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


def send_receipt(job: JobLog) -> Answer:
    """Post a claimed job's receipt to N8N's webhook.

    Args:
        job: claimed, so that its attempt has a number.

    Returns:
        What came back, whatever it was: this raises for no fault of N8N's or of the network's.

    Raises:
        FileMissing: there is nothing to send.
    """
    payload = Payload(job)
    return _client().post(payload, _headers(job, payload))


def _headers(job: JobLog, payload: Payload) -> dict[str, str]:
    message_id = str(job.job_id)
    headers = {
        "Authorization": f"Bearer {settings.N8N_API_KEY}",
        "Content-Type": "application/json",
        "Content-Length": str(len(payload)),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Idempotency-Key": message_id,
        "User-Agent": f"receipts/{__version__}",
        "X-Request-ID": structlog.contextvars.get_contextvars().get("request_id") or message_id,
    }
    if settings.N8N_WEBHOOK_SECRET:
        headers |= sign_webhook(settings.N8N_WEBHOOK_SECRET, message_id=message_id, body=payload)
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
        self._pools = _pools(url, verify)

    def post(self, body: Iterable[bytes], headers: Mapping[str, str]) -> Answer:
        """Post the body, whose length is among the headers, and return what came of it."""
        started = time.monotonic()
        if started - self._idle_since > IDLE_SECONDS:
            self.close()
        with Watchdog(self._deadline) as watchdog:
            answer = self._attempt(body, headers, watchdog)
        self._idle_since = time.monotonic()
        return replace(answer, milliseconds=round((self._idle_since - started) * 1000))

    def close(self) -> None:
        """Close the kept connection."""
        self._pools.connection_from_url(self._url).close()  # clear() alone leaves that to the garbage collector
        self._pools.clear()

    def _attempt(self, body: Iterable[bytes], headers: Mapping[str, str], watchdog: Watchdog) -> Answer:
        try:
            answer = self._exchange(body, headers)
        except (HTTPError, OSError) as error:
            return Answer(trouble=_trouble(error, watchdog))
        # an answer that ends with its connection looks whole when it is cut
        return Answer(trouble=Trouble.TIMED_OUT) if watchdog.has_barked else answer

    def _exchange(self, body: Iterable[bytes], headers: Mapping[str, str]) -> Answer:
        response = self._pools.urlopen(
            "POST",
            self._url,
            body=body,
            headers=headers,
            timeout=Timeout(connect=min(CONNECT_TIMEOUT_SECONDS, self._deadline), read=None),
            redirect=False,  # a redirected POST becomes an empty GET that may answer 200: a silent loss
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        with response:  # closes the connection, unless the answer was read to its end
            return Answer(
                status=response.status,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                retry_after=response.headers.get("Retry-After", ""),
                body=_read_bounded(response),
            )


def _read_bounded(response: BaseHTTPResponse) -> bytes:
    body = b""
    while len(body) <= MAX_ANSWER_BYTES:
        piece = response.read(READ_BYTES)
        if not piece:
            return body
        body += piece
    return body[:MAX_ANSWER_BYTES]


def _trouble(error: Exception, watchdog: Watchdog) -> Trouble:
    """Say what an exchange failed of; before the first byte was sent, nothing can have arrived."""
    if watchdog.has_seen_sending:
        return Trouble.TIMED_OUT if watchdog.has_barked else Trouble.CUT
    if isinstance(error, SSLError) and not isinstance(error.args[0], ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Trouble.UNTRUSTED
    return Trouble.UNREACHABLE


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


def _pools(url: str, verify: bool | str) -> PoolManager:
    """Return what makes and keeps the connection: to the webhook, or to the proxy that the environment names for it."""
    context = _tls_context(verify)
    proxy = select_proxy(url, get_environ_proxies(url))
    pools = _proxied(proxy, context) if proxy else PoolManager(ssl_context=context)
    pools.pool_classes_by_scheme = POOL_CLASSES
    return pools


def _proxied(proxy: str, context: ssl.SSLContext) -> ProxyManager:
    address = proxy if "://" in proxy else f"http://{proxy}"
    credentials = parse_url(address).auth
    proxy_headers = make_headers(proxy_basic_auth=unquote(credentials)) if credentials else None
    return ProxyManager(address, proxy_headers=proxy_headers, ssl_context=context)


def _tls_context(verify: bool | str) -> ssl.SSLContext:
    bundle = Path(verify if isinstance(verify, str) else certifi.where())
    folder, file = (bundle, None) if bundle.is_dir() else (None, bundle)
    context = ssl.create_default_context(capath=folder, cafile=file)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
