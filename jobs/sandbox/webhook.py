"""What arrives at the webhook, and what it is answered."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.http.request import HttpHeaders
from django.utils.crypto import constant_time_compare

from jobs.signatures import webhook_is_signed

WEBHOOK = "/webhook/"
MIB = 1024 * 1024


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


@dataclass(frozen=True)
class Reply:
    """An answer: text, or JSON of anything else."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Answer the WSGI request."""
        is_text = isinstance(self.body, str)
        content = (self.body if is_text else json.dumps(self.body)).encode()
        form = ("Content-Type", "text/plain" if is_text else "application/json; charset=utf-8")
        status = f"{self.status} {HTTPStatus(self.status).phrase}"
        start_response(status, [form, ("Content-Length", str(len(content))), *self.headers])
        return [content]


class Refused(Exception):
    """The request does not get past the webhook."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What is kept of a webhook's body; the picture is not."""

    job_id: str
    callback_url: str
    callback_token: str = field(repr=False)
    is_whole: bool
    is_canary: bool


def asked_behaviour(environ: WSGIEnvironment) -> Behaviour | None:
    asked = parse_qs(environ.get("QUERY_STRING", "")).get("behaviour")
    try:
        return Behaviour(asked[-1]) if asked else None
    except ValueError:
        known = ", ".join(Behaviour)
        raise Refused(Reply(400, {"code": 400, "message": f"Unknown behaviour; known are {known}."})) from None


def read_delivery(environ: WSGIEnvironment) -> Delivery:
    """Check a request as a good workflow would.

    Raises:
        Refused: 403 wrong credentials or signature, 500 too large, 422 not the JSON that is expected.
    """
    headers = HttpHeaders(environ)
    if not constant_time_compare(headers.get("Authorization", ""), f"Bearer {settings.N8N_API_KEY}"):
        raise Refused(Reply(403, "Authorization data is wrong!"))
    body = _read_body(environ)
    if settings.N8N_WEBHOOK_SECRET and not webhook_is_signed(settings.N8N_WEBHOOK_SECRET, headers, body):
        raise Refused(Reply(403, "The signature is wrong!"))
    return _parse(body)


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > settings.N8N_MAX_PAYLOAD_MB * MIB:
        raise Refused(Reply(500, {"code": 0, "message": "There was a problem executing the workflow"}))
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _parse(body: bytes) -> Delivery:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable("Failed to parse request body") from None
    if not isinstance(fields, dict):
        raise _unreadable("The body is not a JSON object")
    names = ("job_id", "callback_url", "callback_token")
    if missing := [name for name in names if not isinstance(fields.get(name), str)]:
        raise _unreadable(f"The body lacks {', '.join(missing)}")
    is_canary = fields.get("canary") is True
    return Delivery(is_whole=_is_whole(fields), is_canary=is_canary, **{name: fields[name] for name in names})


def _unreadable(message: str) -> Refused:
    return Refused(Reply(422, {"code": 422, "message": message}))


def _is_whole(fields: dict[str, Any]) -> bool:
    """Tell whether the picture can be decoded and is what its sha256 says."""
    try:
        picture = base64.b64decode(fields["image_data"], validate=True)
    except (KeyError, TypeError, ValueError):
        return False
    return hashlib.sha256(picture).hexdigest() == fields.get("sha256")


def fixed_reply(behaviour: Behaviour, environ: WSGIEnvironment) -> Reply | None:
    match behaviour:
        case Behaviour.EMPTY:
            return Reply(200, "")
        case Behaviour.ANSWER_404:
            return not_registered(environ)
        case Behaviour.ANSWER_429:
            return Reply(429, {"message": "Too many requests"}, headers=(("Retry-After", "1"),))
        case Behaviour.ANSWER_500:
            return Reply(500, {"message": "Error in workflow"})
    return None


def not_registered(environ: WSGIEnvironment) -> Reply:
    name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix(WEBHOOK)}"
    hint = "The workflow must be active for a production URL to run successfully."
    return Reply(404, {"code": 404, "message": f'The requested webhook "{name}" is not registered.', "hint": hint})
