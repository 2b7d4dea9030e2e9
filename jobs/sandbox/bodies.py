"""The two forms of a body, JSON and multipart, and what N8N says of one that it cannot take."""

import base64
import io
import json
from typing import Any
from wsgiref.types import WSGIEnvironment

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from jobs.encodings import PICTURE_FIELD, PICTURE_PART

from .replies import refused

MIB = 1024 * 1024


def read_body(environ: WSGIEnvironment) -> bytes:
    """Return the body's bytes; N8N has a limit for each form."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > settings.N8N_MAX_PAYLOAD_MB * MIB:
        if _is_form(environ):
            raise refused(413, "The submitted form data exceeds the allowed size.")
        raise refused(500, "There was a problem executing the workflow", code=0)
    body: bytes = environ["wsgi.input"].read(length)
    return body


def parse_body(environ: WSGIEnvironment, body: bytes) -> tuple[dict[str, Any], bytes | None]:
    """Return the fields, and the picture where there is one that can be decoded."""
    return _parse_form(environ, body) if _is_form(environ) else _parse_json(body)


def _is_form(environ: WSGIEnvironment) -> bool:
    content_type: str = environ.get("CONTENT_TYPE", "")
    return content_type.startswith("multipart/form-data")


def _parse_json(body: bytes) -> tuple[dict[str, Any], bytes | None]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise refused(422, "Failed to parse request body") from None
    if not isinstance(fields, dict):
        raise refused(422, "The body is not a JSON object")
    try:
        return fields, base64.b64decode(fields[PICTURE_FIELD], validate=True)
    except (KeyError, TypeError, ValueError):
        return fields, None


def _parse_form(environ: WSGIEnvironment, body: bytes) -> tuple[dict[str, Any], bytes | None]:
    try:
        fields, files = MultiPartParser(environ, io.BytesIO(body), [_InMemory()]).parse()
    except (MultiPartParserError, SuspiciousOperation):
        raise refused(400, "The submitted form data could not be parsed.") from None
    picture = files.get(PICTURE_PART)
    return fields.dict(), None if picture is None else picture.read()


class _InMemory(MemoryFileUploadHandler):
    """Keeps a file of any size off the disk."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        """Look at no size."""
        self.activated = True
