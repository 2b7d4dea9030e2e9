"""The only outgoing HTTP: a receipt to N8N's webhook, within one total deadline."""

import socket
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import requests
import structlog
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from accounting import __version__

from .answers import Answer, Trouble
from .models import JobLog
from .payload import Payload
from .signatures import sign_webhook

CONNECT_TIMEOUT_SECONDS = 5.0
IDLE_SECONDS = 3.0  # Node closes an idle connection after 5: one nearly that old may be gone when it is used
MAX_ANSWER_BYTES = 64 * 1024
READ_BYTES = 16 * 1024


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
        self._session = requests.Session()
        self._session.trust_env = False  # a ~/.netrc would replace our Authorization
        self._session.verify = verify
        self._session.proxies.update(get_environ_proxies(url))
        self._adapter = _WatchedAdapter()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)

    def post(self, payload: Payload, headers: dict[str, str]) -> Answer:
        """Post the payload and return what came of it."""
        if time.monotonic() - self._idle_since > IDLE_SECONDS:
            self._session.close()
        started = time.monotonic()
        watchdog = _Watchdog(self._deadline, self._adapter.cut)
        try:
            with watchdog:
                answer = self._exchange(payload, headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._session.close()
            answer = {"trouble": _trouble(error, watchdog)}
        self._idle_since = time.monotonic()
        return Answer(**answer, milliseconds=round((self._idle_since - started) * 1000))

    def _exchange(self, payload: Payload, headers: dict[str, str]) -> dict[str, Any]:
        response = self._session.post(
            self._url,
            data=payload,
            headers=headers,
            timeout=(CONNECT_TIMEOUT_SECONDS, self._deadline),
            allow_redirects=False,  # a redirected POST becomes an empty GET that may answer 200: a silent loss
            stream=True,
        )
        with response:
            return {
                "status": response.status_code,
                "content_type": response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                "retry_after": response.headers.get("Retry-After", ""),
                "body": _read_bounded(response),
            }


def _read_bounded(response: requests.Response) -> bytes:
    body = b""
    while len(body) <= MAX_ANSWER_BYTES:
        piece: bytes = response.raw.read(READ_BYTES, decode_content=False)
        if not piece:
            return body
        body += piece
    return body[:MAX_ANSWER_BYTES]


def _trouble(error: Exception, watchdog: "_Watchdog") -> Trouble:
    if isinstance(error, requests.exceptions.SSLError):
        return Trouble.UNTRUSTED
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return Trouble.UNREACHABLE
    if any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in _causes(error)):
        return Trouble.UNREACHABLE
    if watchdog.has_barked or isinstance(error, requests.exceptions.Timeout):
        return Trouble.TIMED_OUT
    return Trouble.CUT


def _causes(error: BaseException) -> list[object]:
    """Return the error, what it wraps (requests wraps urllib3's, which keeps a `reason`), and what that wraps."""
    found: list[object] = [error]
    for argument in error.args:
        found += [argument, getattr(argument, "reason", None)]
    return found


class _Watchdog:
    """Cuts the connection when the time is up: per-read time-outs would let a dripping server hold on for ever."""

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        self.has_barked = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _bark(self) -> None:
        self.has_barked = True
        self._cut()


class _WatchedAdapter(HTTPAdapter):
    """Knows the socket of its latest connection, so that another thread can cut it."""

    def __init__(self) -> None:
        self._latest: socket.socket | None = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that show their socket as soon as they have one, before TLS begins."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(HTTPConnectionPool, HTTPConnection, self._watch),
            "https": _pool_class(HTTPSConnectionPool, HTTPSConnection, self._watch),
        }

    def cut(self) -> None:
        """End whatever waits on the latest connection, in whichever thread."""
        if self._latest is not None:
            try:
                self._latest.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def close(self) -> None:
        """Close the kept connection."""
        self._forget()
        super().close()

    def _watch(self, connected: socket.socket) -> None:
        self._forget()
        # a second handle: TLS takes the first away from its Python object, and shuts down politely
        self._latest = connected.dup()

    def _forget(self) -> None:
        if self._latest is not None:
            self._latest.close()
            self._latest = None


def _pool_class(pool: type[Any], connection: type[Any], watch: Callable[[socket.socket], None]) -> type[Any]:
    class Watched(connection):  # type: ignore[misc] # the base is chosen as the program runs
        def _new_conn(self) -> socket.socket:
            connected: socket.socket = super()._new_conn()
            watch(connected)
            return connected

    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": Watched})


@cache
def _client() -> N8NClient:
    """Return this worker's client; a worker delivers one receipt at a time."""
    return N8NClient(
        settings.N8N_WEBHOOK_URL,
        verify=tls_verification(settings.N8N_VERIFY_SSL),
        deadline=settings.N8N_DEADLINE_SECONDS,
    )


def tls_verification(value: str) -> bool | str:
    """Return what `N8N_VERIFY_SSL` means to requests: whether to verify, or with which CA bundle."""
    match value.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    return str(Path(value))
