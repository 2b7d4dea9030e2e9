"""Errors to Sentry, or to whatever speaks its protocol: what went wrong and where in the code, and nothing else.

What is sent is built from what is known to be harmless, not taken from what was at hand and stripped of secrets: a
secret that nobody thought of cannot be in it. An exception's own text is left out for that reason; it is in the log,
under the same request_id.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any, cast

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import event_from_exception

from accounting import __version__
from accounting.logging import OUR_MODULES

FLUSH_SECONDS = 2
ITS_OWN = ("sentry_sdk", "urllib3")  # to report that a report could not be sent would never end

KEPT = (
    "event_id",
    "timestamp",
    "level",
    "platform",
    "logger",
    "message",
    "release",
    "environment",
    "sdk",
    "fingerprint",
)
KEPT_OF_EXCEPTION = ("type", "module")
KEPT_OF_FRAME = ("filename", "module", "function", "lineno", "in_app")
# facts that our own lines carry, all of them words from the code, numbers or ids
TAGS = ("request_id", "job_id", "code", "error", "status", "http_status", "attempt", "method", "errno", "ms")


def init_sentry(dsn: str) -> None:
    """Send each error that ends a process, and those that a `SentryHandler` gets, to that address in the background."""
    sentry_sdk.init(
        dsn,
        release=f"receipts@{__version__}",
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[ExcepthookIntegration(), DedupeIntegration(), AtexitIntegration(callback=_say_nothing)],
        before_send=harmless,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        server_name="",
        shutdown_timeout=FLUSH_SECONDS,
    )


def harmless(event: Event, hint: Hint) -> Event:
    """Return what may leave the machine of an event; Sentry's `before_send`."""
    given = cast(dict[str, Any], event)
    kept = {key: given[key] for key in KEPT if key in given}
    kept["tags"] = {key: value for key, value in given.get("tags", {}).items() if key in TAGS}
    exceptions = given.get("exception", {}).get("values", [])
    kept["exception"] = {"values": [_harmless_exception(each) for each in exceptions]}
    return cast(Event, kept)


def _harmless_exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", [])
    return {
        **{key: value.get(key) for key in KEPT_OF_EXCEPTION},
        "stacktrace": {"frames": [{key: frame.get(key) for key in KEPT_OF_FRAME} for frame in frames]},
    }


class SentryHandler(logging.Handler):
    """Makes an event of a line in the log; `accounting.logging` lets it hear of errors."""

    def emit(self, record: logging.LogRecord) -> None:
        """Report it; of a line of somebody else's only who wrote it, where, and with which exception."""
        if record.name.startswith(ITS_OWN):
            return
        is_ours = record.name.startswith(OUR_MODULES) and isinstance(record.msg, dict)
        facts = cast(Mapping[str, Any], record.msg if is_ours else {})
        event, hint = _exception_of(facts.get("exc_info") or record.exc_info)
        fields = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": str(facts["event"]) if is_ours else f"{record.module}.{record.funcName}",
            "tags": {key: str(facts[key]) for key in TAGS if key in facts},
        }
        sentry_sdk.capture_event(cast(Event, {**event, **fields}), hint)


def _exception_of(exc_info: Any) -> tuple[Event, Hint]:
    """Return an event with an exception, given in any of the forms that `logging` and structlog know."""
    known = sys.exc_info() if exc_info is True else exc_info
    if not known or known == (None, None, None):
        return cast(Event, {}), {}
    return event_from_exception(known, client_options=sentry_sdk.get_client().options)


def _say_nothing(pending: int, timeout: float) -> None:
    """Sentry's own words at a process' end would be no JSON."""
