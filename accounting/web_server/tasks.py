"""What a thread does with a request: have the application answer it, or refuse it in the format of all errors."""

import json
import time
from http import HTTPStatus
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

import structlog
from django.http import HttpRequest
from waitress.task import ErrorTask, WSGITask

from accounting.monitoring.process_metrics import measure_refused
from accounting.problems import CONTENT_TYPE, Problem, body_of
from accounting.request_facts import WAITED_SECONDS, asked_for, request_id

from .http_parser import CannotKeepBody, RequestParser

logger = structlog.get_logger(__name__)


class Task(WSGITask):
    """Tells the application how long the request has waited, and the client where the server is about to end."""

    def get_environment(self) -> WSGIEnvironment:
        """Return what the application is told of the request."""
        request: Any = self.request  # the stubs take it for an error
        environ: WSGIEnvironment = super().get_environment()
        environ.setdefault(WAITED_SECONDS, time.monotonic() - request.waits_since)
        return environ

    def build_response_header(self) -> bytes:
        """Return the first line and the headers."""
        channel: Any = self.channel
        if channel.server.is_stopping:
            self.set_close_on_finish()
        return super().build_response_header()

    def set_close_on_finish(self) -> None:
        """End the connection with this answer, unless waitress asks for it only because the answer has no length."""
        if not self._ends_with_its_headers():
            super().set_close_on_finish()

    def _ends_with_its_headers(self) -> bool:
        """Tell whether the answer is a 204 or 304, after which another may follow (RFC 9112 section 6.3)."""
        channel, request = cast(Any, self.channel), cast(RequestParser, self.request)
        is_over = request.headers.get("CONNECTION") == "close" or channel.server.is_stopping
        return not (self.has_body or self.version == "1.0" or is_over)


class ProblemTask(ErrorTask):
    """Answers what never reaches Django in the one format of all errors."""

    def execute(self) -> None:
        """Answer, and let the connection linger until that is read."""
        started = time.monotonic()
        refused: Any = self.request  # the stubs take it for the error that it carries
        channel: Any = self.channel
        request = HttpRequest()
        request.META["HTTP_X_REQUEST_ID"] = refused.headers.get("X_REQUEST_ID", "")
        problem = _problem(refused)
        body = json.dumps(body_of(request, problem)).encode()
        _write_down(refused, problem, request_id(request), started)
        self.status = f"{problem.status_code} {HTTPStatus(problem.status_code).phrase}"
        self.response_headers = [("Content-Type", CONTENT_TYPE), ("X-Request-ID", request_id(request))]
        self.response_headers += problem.headers.items()
        self.set_close_on_finish()
        channel.will_linger = True
        self.content_length = len(body)
        self.write(body)


def _write_down(refused: RequestParser, problem: Problem, its_id: str, started: float) -> None:
    """Log and measure it as the middleware does what reaches Django: where it is an error, a line before tells of it.

    waitress' own words would quote the header that it did not understand, which may hold a key.
    """
    waited = max(0.0, started - refused.waits_since)  # what stands in for an answer that broke has not waited
    seconds = time.monotonic() - started
    is_unread = problem.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE  # waitress makes up a first line
    method, path = ("", "") if is_unread else (refused.command, _path(refused))
    measure_refused(method, problem.status_code, seconds=waited + seconds)
    logger.info(
        "request_refused", **asked_for(method, path), status=problem.status_code,
        ms=round(seconds * 1000, 1), waited_ms=round(waited * 1000, 1), code=problem.code, request_id=its_id,
    )  # fmt: skip


def _path(refused: RequestParser) -> str:
    """Return its path as Django would tell it; "" where it is none, but an address, which may hold a password."""
    return refused.path.encode("latin-1").decode(errors="replace") if refused.path.startswith("/") else ""


def _problem(refused: RequestParser) -> Problem:
    if isinstance(refused.error, CannotKeepBody):
        return refused.error.problem
    match refused.error and refused.error.code:
        case 413:
            return refused.body_limit.problem()
        case 431:
            return Problem(431, "headers_too_large", "The request's headers are too long.")
        case 500:
            return Problem(500, "internal_error", "Something went wrong on our side.")
    return Problem(400, "bad_request", "The request is not well-formed HTTP: look at its first line and headers.")
