"""The WSGI application, for `manage.py serve` and any other WSGI server."""

import os
import re
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.request import QueryDict
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

from .forms.reader import FormReader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
django.setup(set_prefix=False)

# a media type and the names of its parameters, which are written in either case (RFC 9110 sections 8.3.1 and 5.6.6)
CASELESS = re.compile(r"^[^;]+|;[^=;]*=")
LONGEST_TYPE = 1000  # a boundary has 70 characters at the most (RFC 2046 section 5.1.1)


class Request(WSGIRequest):
    """Reads forms and queries as UTF-8, whatever the `charset` of a Content-Type says.

    Forms and JSON have no such parameter (RFC 7578 section 5.1.2, RFC 8259 section 11). Django takes any of Python's
    codecs for it, also those that decode no text, and raises before any middleware could answer.
    """

    @property
    def encoding(self) -> None:
        """None: the default, which is UTF-8."""

    @encoding.setter
    def encoding(self, _: object) -> None:
        """Change nothing."""

    def parse_file_upload(self, META: Any, post_data: Any) -> tuple[QueryDict, Any]:  # noqa: N803 - Django's name
        """Read a form whose files keep the names that their clients gave them."""
        return FormReader(META, post_data, self.upload_handlers).parse()


class Handler(WSGIHandler):
    """Django's own, but for a Content-Type, which it takes in lower case only, and raises where it cannot read it.

    And for cookies with a backslash, which no cookie has (RFC 6265 section 4.1.1): Python before 3.11.10 needs half a
    minute to understand 60,000 of them, and makes of `\\000` what PostgreSQL takes in no text.
    """

    request_class = Request

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> HttpResponseBase:
        """Answer a request."""
        if content_type := environ.get("CONTENT_TYPE"):
            environ["CONTENT_TYPE"] = _readable(content_type)
        if "\\" in environ.get("HTTP_COOKIE", ""):
            environ["HTTP_COOKIE"] = ";".join(each for each in environ["HTTP_COOKIE"].split(";") if "\\" not in each)
        return super().__call__(environ, start_response)


def _readable(content_type: str) -> str:
    """Return the type as Django reads it, or "" where it cannot; of a long one it would take seconds to say so."""
    if len(content_type) > LONGEST_TYPE:
        return ""
    lowered = CASELESS.sub(lambda found: found[0].lower(), content_type)
    try:
        parse_header_parameters(lowered)
    except (ValueError, LookupError):
        return ""
    return lowered


application = Handler()
