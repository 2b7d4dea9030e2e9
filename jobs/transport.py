"""HTTP to N8N, bounded in time and size: what its webhook and its public API are both spoken to with."""

import ssl
import traceback
from math import inf
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, ProxyManager
from urllib3.exceptions import HTTPError

from accounting import __version__
from accounting.environment.values import flag

from .answers import Answer
from .delivery_errors import ErrorCode
from .watchdog import POOL_CLASSES, Watchdog

# What begins otherwise is a robot to N8N's "Ignore Bots" (its package isbot), and gets a 403 as if its key were wrong.
USER_AGENT = f"Mozilla/5.0 (compatible; receipts/{__version__})"
READ_BYTES = 16 * 1024

# What OpenSSL found of a certificate (its <openssl/x509_vfy.h>); all else means that nobody we trust has signed it.
OF_CERTIFICATES = {
    9: ErrorCode.EXPIRED,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: ErrorCode.EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: ErrorCode.WRONG_HOST,  # X509_V_ERR_HOSTNAME_MISMATCH
    64: ErrorCode.WRONG_HOST,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}


class WatchedSession(requests.Session):
    """A session for one server, whose exchanges a `Watchdog` can cut.

    Args:
        url: of the server, which decides what proxy is on the way.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False  # a ~/.netrc would replace our Authorization
        self.proxies.update(get_environ_proxies(url))
        self.verify = tls_verification()
        self.headers.clear()
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": USER_AGENT})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _WatchedAdapter())

    def exchange(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        connect_seconds: float,
        max_bytes: int,
        begin_by: float = inf,
        **sent: Any,
    ) -> Answer:
        """Make one request and return what came of it, whatever it was.

        Args:
            method: of HTTP.
            url: where to; a redirect is not followed.
            seconds: that it may take in all, from connecting to the last byte.
            connect_seconds: of these, for each address that is connected to.
            max_bytes: that are read of the answer's body.
            begin_by: as `Watchdog` takes it.
            sent: the headers, data and params, as requests takes them.
        """
        with Watchdog(seconds, begin_by=begin_by) as watchdog:
            try:
                answer = self._answer(method, url, max_bytes, timeout=(min(connect_seconds, seconds), None), **sent)
            except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
                delivery_error = _delivery_error_of(error, watchdog)
                _let_go(error)
                return Answer(error=delivery_error)
        # an answer that ends with its connection looks whole when it is cut
        return Answer(error=ErrorCode.TIMED_OUT) if watchdog.has_barked else answer

    def _answer(self, method: str, url: str, max_bytes: int, **sent: Any) -> Answer:
        # a redirected POST becomes an empty GET that may answer 200: a silent loss; and a key would go elsewhere
        response = self.request(method, url, allow_redirects=False, stream=True, **sent)
        with response.raw:  # closes the connection, unless the answer was read to its end
            body, goes_on = _read_bounded(response.raw, max_bytes)
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            retry_after=response.headers.get("Retry-After", ""),
            body=body,
            goes_on=goes_on,
        )

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address: told not to follow a redirect, requests would still read its body, however long."""


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


def _read_bounded(response: BaseHTTPResponse, max_bytes: int) -> tuple[bytes, bool]:
    """Return the beginning of the body, at most that many bytes, and whether it goes on."""
    body = bytearray()
    while len(body) <= max_bytes:
        piece = response.read(READ_BYTES, decode_content=False)
        if not piece:
            return bytes(body), False
        body += piece
    del body[max_bytes:]
    return bytes(body), True


def _delivery_error_of(error: Exception, watchdog: Watchdog) -> ErrorCode:
    """Say what an exchange failed of; before the first byte was sent, nothing can have arrived."""
    if watchdog.has_seen_sending:
        return ErrorCode.TIMED_OUT if watchdog.has_barked else ErrorCode.CUT
    if not isinstance(error, requests.exceptions.SSLError):
        return ErrorCode.UNREACHABLE
    cause = _cause_of(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return OF_CERTIFICATES.get(cause.verify_code, ErrorCode.UNTRUSTED)
    was_cut_in_handshake = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return ErrorCode.UNREACHABLE if was_cut_in_handshake else ErrorCode.NO_TLS


def _cause_of(error: requests.exceptions.SSLError) -> object:
    """Look through the wrappings: requests' error, urllib3's that it gave up, urllib3's of TLS, and Python's own."""
    wrapped = getattr(error.args[0], "reason", error.args[0])
    return wrapped.args[0] if wrapped.args else wrapped


def _let_go(error: BaseException | None) -> None:
    """Free what the frames of an error hold, a socket among it, now and not when garbage is next collected."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def tls_verification() -> bool | str:
    """Return what `N8N_VERIFY_SSL` means: whether to verify, or with which CA bundle."""
    try:
        return flag(settings.N8N_VERIFY_SSL)
    except ValueError:
        return str(Path(settings.N8N_VERIFY_SSL))
