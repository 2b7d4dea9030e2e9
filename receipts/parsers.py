"""Reads the form that a receipt comes in."""

from collections.abc import Mapping
from typing import Any

from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import DataAndFiles, MultiPartParser

from accounting.forms.reader import FormReader

CURE = "Let your HTTP library write the body and its Content-Type."


class ReceiptFormParser(MultiPartParser):
    """A form whose files keep the names that their clients gave them."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> "DataAndFiles[Any, Any]":
        """Return the fields and the files.

        Raises:
            ParseError: it is no such form.
        """
        request = (parser_context or {})["request"]
        meta = request.META | {"CONTENT_TYPE": media_type}
        try:
            return DataAndFiles(*FormReader(meta, stream, request.upload_handlers).parse())
        except MultiPartParserError as error:
            raise ParseError(f"The form cannot be read: {str(error).rstrip('.')}. {CURE}") from None
