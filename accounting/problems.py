"""The one format of every error below `/api/`: problem details for HTTP APIs (RFC 9457)."""

import errno
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from .outages import error_fields, tells_of_absence
from .request_facts import request_id

logger = structlog.get_logger(__name__)

R = TypeVar("R", bound=HttpResponseBase)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
NO_ROOM_FOR_MORE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # processes, memory, open files
LOGGED = "_has_been_logged"  # Django's private mark
PROBLEM_CODE = "_problem_code"  # the mark of a response that is a problem
NEEDS_KEY = "An API key is needed: send the header Authorization: Api-Key <key>."

# what is answered within DRF's views and outside of them: status, code and sentence
BAD_REQUEST = (400, "bad_request", "The request could not be understood.")
PERMISSION_DENIED = (403, "permission_denied", "You may not do this.")
NOT_FOUND = (404, "not_found", "There is nothing at this address.")


class Problem(exceptions.APIException):
    """An error with a status, a stable machine-readable code and a sentence for people.

    Args:
        status: the HTTP status code.
        code: what programs compare; never changes once it is out.
        detail: what happened and what to do about it.
        errors: messages by field, where there are any.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.errors = errors
        self.headers = dict(headers or {})


def answer_exception(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn what a view raised into a problem response; DRF's `EXCEPTION_HANDLER`.

    Returns:
        The response, or None for an exception that nobody expected: Django then logs it and answers 500.
    """
    problem = _told_by_address(exception, context.get("view")) or problem_of(exception)
    if problem is None:
        return None
    set_rollback()
    request: Any = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), CONTENT_TYPE  # whatever the view renders
    response = Response(
        body_of(request, problem), status=problem.status_code, headers=problem.headers, content_type=CONTENT_TYPE
    )
    setattr(response, LOGGED, True)  # the request logger of Django would repeat our own line
    return marked(response, problem)


def _told_by_address(exception: Exception, view: Any) -> Problem | None:
    """Return what is better said with what the address takes, or has nothing of; None of all else."""
    match exception:
        case Http404() if sentence := getattr(view, "nothing_found", ""):
            return Problem(*NOT_FOUND[:2], sentence)
        case exceptions.UnsupportedMediaType():
            taken = " or ".join(parser.media_type for parser in view.parser_classes)
            sentence = f"Send the body as {taken}, and with that Content-Type."
        case exceptions.MethodNotAllowed():
            methods = " and ".join(name for name in view.allowed_methods if name not in ("HEAD", "OPTIONS"))
            sentence = f"This address takes {methods} only."
        case _:
            return None
    return _from_drf(exception, sentence)


def problem_of(exception: Exception) -> Problem | None:
    """Return what somebody is told of an exception; None where it is a fault of ours that nobody expected."""
    match exception:
        case Problem():
            return exception
        case exceptions.ValidationError():
            return _invalid(exception)
        case exceptions.APIException():
            return _from_drf(exception)
        case Http404():
            return Problem(*NOT_FOUND)
        case PermissionDenied():
            return Problem(*PERMISSION_DENIED)
        case RequestDataTooBig():
            return Problem(
                413, "body_too_large", "The form's text fields are too long; a file without a file name is one."
            )
        case TooManyFilesSent():
            return Problem(400, "too_many_files", "These are too many files for one request.")
        case SuspiciousOperation():  # too many fields; Django would log a traceback of the client's fault
            return Problem(*BAD_REQUEST)
        case OSError():
            return _from_os(exception)
    if tells_of_absence(exception):
        logger.error("database_unavailable", **error_fields(exception))
        return unavailable(503, "database_unavailable", "The database cannot be reached just now; try again.")
    return None


def _invalid(exception: exceptions.ValidationError) -> Problem:
    detail = exception.detail
    by_field = detail if isinstance(detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: detail}
    errors = {str(field): [str(message) for message in _flat(messages)] for field, messages in by_field.items()}
    sentence = " ".join(f"{field}: {message}" for field, messages in errors.items() for message in messages)
    return Problem(400, "invalid", sentence, errors=errors)


def _flat(messages: Any) -> list[Any]:
    if isinstance(messages, dict):
        return [item for nested in messages.values() for item in _flat(nested)]
    if isinstance(messages, list):
        return [item for nested in messages for item in _flat(nested)]
    return [messages]


def _from_drf(exception: exceptions.APIException, sentence: str = "") -> Problem:
    headers: dict[str, str] = {}
    if auth_header := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(wait)  # whole seconds, RFC 9110 section 10.2.3; DRF rounds them up
    told = NEEDS_KEY if isinstance(exception, exceptions.NotAuthenticated) else str(exception.detail)
    return Problem(exception.status_code, str(exception.get_codes()), sentence or told, headers=headers)


def _from_os(exception: OSError) -> Problem:
    if exception.errno in (errno.ENOSPC, errno.EDQUOT):
        logger.error("storage_full")
        return unavailable(507, "storage_full", "There is no room to store the receipt just now; try again later.")
    if exception.errno in NO_ROOM_FOR_MORE:
        logger.error("machine_busy", errno=exception.errno)
        return busy()
    logger.error("storage_unavailable", error=type(exception).__name__, errno=exception.errno)
    return unavailable(503, "storage_unavailable", "The storage cannot be used just now; try again later.")


def unavailable(status: int, code: str, detail: str) -> Problem:
    """Return the answer to what goes wrong just now, through no fault of the client's, and may be repeated."""
    return Problem(status, code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def busy() -> Problem:
    """Return the answer where there is too much to do just now."""
    return unavailable(503, "busy", "There is too much to do just now; try again.")


def body_of(request: HttpRequest, problem: Problem) -> dict[str, Any]:
    """Return the problem's details; the request is Django's, or DRF's around one."""
    body: dict[str, Any] = {
        "type": f"urn:receipts:problem:{problem.code}",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": str(problem.detail),
        "code": problem.code,
        "request_id": request_id(getattr(request, "_request", request)),
    }
    return body | ({"errors": problem.errors} if problem.errors else {})


def marked(response: R, problem: Problem) -> R:
    """Return the response with its code where the request's line in the log finds it."""
    setattr(response, PROBLEM_CODE, problem.code)
    return response
