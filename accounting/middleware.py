"""What every request passes: its id, its line in the log, its measure, two kinds of forgiveness, and privacy."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from .environment.addresses import host_of
from .monitoring.process_metrics import measure
from .problems import PROBLEM_CODE
from .request_facts import API, asked_for, request_id, waited_seconds

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

PROBED = frozenset({"/health", "/health/ready", "/metrics"})
NO_SUCH_ADDRESS = "no-such-address"  # the name of the catch-all below API


class _Middleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response


class RequestLogMiddleware(_Middleware):
    """Takes or makes the request's id, measures it, and logs one line with its milliseconds and its problem's code."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request with `X-Request-ID` and `Server-Timing` (milliseconds, W3C Server Timing)."""
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id(request)):
            response = self.get_response(request)
            seconds, waited = time.perf_counter() - started, waited_seconds(request)
            milliseconds, waited_milliseconds = round(seconds * 1000, 1), round(waited * 1000, 1)
            response["X-Request-ID"] = request_id(request)
            response["Server-Timing"] = f"queue;dur={waited_milliseconds}, app;dur={milliseconds}"
            code = getattr(response, PROBLEM_CODE, "")
            measure(request, response, seconds=waited + seconds, code=code)
            logger.info(
                "request", **asked_for(request.method or "", request.path), status=response.status_code,
                ms=milliseconds, waited_ms=waited_milliseconds, **({"code": code} if code else {}),
            )  # fmt: skip
        return response


class AnyHostForHealthMiddleware(_Middleware):
    """Lets load balancers and Prometheus ask under any name: by address, which no ALLOWED_HOSTS foresees."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as if the probe had asked for our own name."""
        if request.path_info in PROBED:
            request.META["HTTP_HOST"] = host_of(settings.PUBLIC_BASE_URL)
        return self.get_response(request)


class IsolationMiddleware(_Middleware):
    """Keeps what is answered from other sites, and what it needs not of the browser from itself."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with `Cross-Origin-Resource-Policy` (Fetch, section 3.6) and `Permissions-Policy` (W3C)."""
        response = self.get_response(request)
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response


class PrivateApiMiddleware(_Middleware):
    """Keeps what a client is told of its receipts from caches that others share."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer whatever the API says, errors too, with a `Cache-Control` (RFC 9111), unless its view has one."""
        response = self.get_response(request)
        if request.path.startswith(API):
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


class ForgivingSlashMiddleware(_Middleware):
    """Serves an API path with or without its last slash, and never redirects.

    Django would redirect to the path with the slash; N8N turns a redirected POST into an empty GET.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer under the spelling that has a view."""
        path = request.path_info
        if path.startswith(API) and not _has_view(path):
            other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
            if _has_view(other):
                request.path_info = other
        return self.get_response(request)


def _has_view(path: str) -> bool:
    try:
        return resolve(path).url_name != NO_SUCH_ADDRESS
    except Resolver404:
        return False
