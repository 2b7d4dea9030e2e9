"""The WSGI application, for `manage.py serve` and any other WSGI server."""

import os
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.request import QueryDict
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

from .filenames import FormReader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounting.settings")
django.setup(set_prefix=False)


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
    """Django's own, but for a Content-Type that it cannot read: there it raises, and here it sees none."""

    request_class = Request

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> HttpResponseBase:
        """Answer a request."""
        try:
            parse_header_parameters(environ.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError):
            environ["CONTENT_TYPE"] = ""
        return super().__call__(environ, start_response)


application = Handler()
