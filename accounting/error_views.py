"""What Django answers outside of DRF's views: below `/api/` in the format of errors, else as a page."""

import re
import sys
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import DisallowedHost, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.urls import reverse
from django.views import defaults
from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.csrf import csrf_exempt

from .problems import BAD_REQUEST, CONTENT_TYPE, LOGGED, PERMISSION_DENIED, Problem, body_of, marked, problem_of
from .request_facts import API

OTHER_HOST = (400, "bad_request", "Nothing is served under the request's Host; use the address that you were given.")


class AddressesHidden(SafeExceptionReporterFilter):
    """Settings as the page of `DEBUG` shows them, without addresses either, since these may hold a password."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|URL|DSN", re.IGNORECASE)


@csrf_exempt  # what is posted to a wrong address is told so, in the format of errors
def no_such_address(request: HttpRequest) -> JsonResponse:
    """Answer an API address that no view serves."""
    detail = f"There is nothing at this address; {reverse('docs')} lists those that there are."
    return _answer(request, Problem(404, "not_found", detail))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refused (a hostile Host header, too many fields): `handler400`."""
    if request.path.startswith(API):
        return _answer(request, Problem(*(OTHER_HOST if isinstance(exception, DisallowedHost) else BAD_REQUEST)))
    if isinstance(exception, TooManyFilesSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        return _page(Problem(400, "too_many_files", f"No more than {most} files can be sent in one go: send fewer."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what somebody may not do: `handler403`."""
    if request.path.startswith(API):
        return _answer(request, Problem(*PERMISSION_DENIED))
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that nothing serves: `handler404`."""
    if request.path.startswith(API):
        return no_such_address(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what failed outside DRF's views, with 500, or with 503 or 507 what may be tried again: `handler500`.

    Django calls it while it handles the exception, and logs a fault of ours.
    """
    exception = sys.exception()
    problem = problem_of(exception) if isinstance(exception, Exception) else None
    passing = problem if problem and problem.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    if request.path.startswith(API):
        detail = "Something went wrong on our side; it is logged under this request_id."
        response: HttpResponse = _answer(request, passing or Problem(500, "internal_error", detail))
    elif passing:
        response = _page(passing)
    else:
        response = defaults.server_error(request)
    if passing:
        setattr(response, LOGGED, True)  # in one line, without a traceback
    return response


def _page(problem: Problem) -> HttpResponse:
    """Answer a browser; the request is not asked for anything, since its user may be in the database."""
    heading = f"{HTTPStatus(problem.status_code).phrase} ({problem.status_code})"
    content = loader.render_to_string("error.html", {"heading": heading, "sentence": problem.detail})
    return marked(HttpResponse(content, status=problem.status_code, headers=problem.headers), problem)


def _answer(request: HttpRequest, problem: Problem) -> JsonResponse:
    response = JsonResponse(
        body_of(request, problem), status=problem.status_code, headers=problem.headers, content_type=CONTENT_TYPE
    )
    return marked(response, problem)
