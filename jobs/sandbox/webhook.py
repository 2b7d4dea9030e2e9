"""What arrives at the webhook, and what it is answered."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.http.request import HttpHeaders
from django.utils.crypto import constant_time_compare

from jobs.signatures import webhook_is_signed

from .bodies import parse_body, read_body
from .replies import forbidden, refused

WEBHOOK = "/webhook/"


class Behaviour(StrEnum):
    """What the sandbox does with a receipt that arrived well."""

    SUCCESS = "success"  # takes it, reports success
    FAILURE = "failure"  # takes it, reports failure
    SILENT = "silent"  # takes it, never reports
    DOUBLE = "double"  # takes it, reports success twice at once
    SLOW = "slow"  # answers only after the delay, then reports success
    EMPTY = "empty"  # answers 200 with nothing in it, never reports
    ANSWER_404 = "answer-404"  # as N8N does while no such workflow is active
    ANSWER_429 = "answer-429"  # as a proxy does that limits rates
    ANSWER_500 = "answer-500"  # as N8N does when a workflow that answers at its end has failed


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What is kept of a webhook's body; the picture is not."""

    job_id: str
    callback_url: str
    callback_token: str = field(repr=False)
    is_whole: bool
    is_canary: bool


def requested_behaviour(environ: WSGIEnvironment) -> Behaviour | None:
    """Return what the address asks for, or None; raises `ErrorReply` where that is unknown."""
    requested = parse_qs(environ.get("QUERY_STRING", "")).get("behaviour")
    try:
        return Behaviour(requested[-1]) if requested else None
    except ValueError:
        known = ", ".join(Behaviour)
        raise refused(400, f"Unknown behaviour; known are {known}.") from None


def read_delivery(environ: WSGIEnvironment) -> Delivery:
    """Check a request as a good workflow would.

    Raises:
        ErrorReply: 403 wrong credentials or signature, 500 or 413 too large, 422 or 400 not the body that is expected.
    """
    headers = HttpHeaders(environ)
    if not constant_time_compare(headers.get("Authorization", ""), f"Bearer {settings.N8N_API_KEY}"):
        raise forbidden("Authorization data is wrong!")
    body = read_body(environ)
    if settings.N8N_WEBHOOK_SECRET and not webhook_is_signed(settings.N8N_WEBHOOK_SECRET, headers, body):
        raise forbidden("The signature is wrong!")
    return _delivery(*parse_body(environ, body))


def _delivery(fields: dict[str, Any], picture: bytes | None) -> Delivery:
    names = ("job_id", "callback_url", "callback_token")
    if missing := [name for name in names if not isinstance(fields.get(name), str)]:
        raise refused(422, f"The body lacks {', '.join(missing)}")
    is_whole = picture is not None and hashlib.sha256(picture).hexdigest() == fields.get("sha256")
    is_canary = fields.get("canary") in (True, "true")
    return Delivery(is_whole=is_whole, is_canary=is_canary, **{name: fields[name] for name in names})


def fixed_reply(behaviour: Behaviour, environ: WSGIEnvironment) -> HttpResponse | None:
    """Return the answer of a behaviour that takes nothing; None of all others."""
    match behaviour:
        case Behaviour.EMPTY:
            return HttpResponse(content_type="text/plain")
        case Behaviour.ANSWER_404:
            return not_registered(environ)
        case Behaviour.ANSWER_429:
            return JsonResponse({"message": "Too many requests"}, status=429, headers={"Retry-After": "1"})
        case Behaviour.ANSWER_500:
            return JsonResponse({"message": "Error in workflow"}, status=500)
    return None


def not_registered(environ: WSGIEnvironment) -> HttpResponse:
    """Return N8N's answer where no active workflow has the path."""
    name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix(WEBHOOK)}"
    hint = "The workflow must be active for a production URL to run successfully."
    message = f'The requested webhook "{name}" is not registered.'
    return JsonResponse({"code": 404, "message": message, "hint": hint}, status=404)
