"""What one web process measures of itself. Each is asked by itself, and Prometheus adds them up.

Labels are names out of the code, and no address or name that a caller chose.
"""

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # it is not typed; a gauge of its own for each series, which nobody asks for

REGISTRY = CollectorRegistry()
REQUESTS = Histogram(
    "receipts_http_request_seconds",
    "Seconds that requests took in this web process, waiting for a thread included.",
    ["view", "method", "status"],
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
THROTTLED = Counter(
    "receipts_throttled", "Requests to this web process that came too often.", ["scope"], registry=REGISTRY
)
CALLBACKS_REFUSED = Counter(
    "receipts_callbacks_refused", "Callbacks that this web process refused.", ["code"], registry=REGISTRY
)

# They are there before the first of them happens: Prometheus sees no increase in what begins with it.
for scope in ("upload", "key", "callback_token", "metrics_token", "log_in"):
    THROTTLED.labels(scope)
for refusal in (
    "callback_token_invalid", "job_not_found", "outcome_contradicts", "invalid", "json_invalid", "body_too_large",
    "unsupported_media_type", "encoding_not_supported", "throttled",
):  # fmt: skip
    CALLBACKS_REFUSED.labels(refusal)
WEB_SERVER = "web-server"  # stands for a view of what it refuses by itself
for upload in ("receipt-upload", "receipt-list", WEB_SERVER):
    REQUESTS.labels(upload, "POST", "5xx")

CALLBACKS = ("job-callback", "execution-callback")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REFUSED = range(400, 500)


def measure(request: HttpRequest, response: HttpResponse, *, seconds: float, code: str) -> None:
    """Count a request that was answered.

    Args:
        code: of the problem that it was answered with; "" where it was none.
    """
    view = request.resolver_match.view_name if request.resolver_match else "none"
    _observe(view, request.method, response.status_code, seconds)
    if view in CALLBACKS and code and response.status_code in REFUSED:
        CALLBACKS_REFUSED.labels(code).inc()


def measure_refused(method: str, status: int, *, seconds: float) -> None:
    """Count a request that the web server refused, so that no view has seen it."""
    _observe(WEB_SERVER, method, status, seconds)


def _observe(view: str, method: str | None, status: int, seconds: float) -> None:
    known = method if method in METHODS else "other"
    REQUESTS.labels(view, known, f"{status // 100}xx").observe(seconds)
