"""Reads a callback's JSON within bounds; whatever a careless workflow sends is a clear 4xx."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from accounting.api.body_limits import MAX_BODY_BYTES, body_too_large
from accounting.api.content_encoding import refuse_encoded
from accounting.problems import Problem

from .texts import plain, with_each_text

ESCAPED = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)  # as which alone they can come


class BoundedJSONParser(BaseParser):
    """JSON of at most 1 MiB, in UTF-8, with no number that a database cannot keep (RFC 8259)."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the object in the body.

        Raises:
            Problem: 415 `encoding_not_supported`, 413 `body_too_large`, or 400 `json_invalid`.
        """
        refuse_encoded((parser_context or {})["request"])
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise body_too_large()
        try:
            data = json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)
            if ESCAPED.search(body):
                data = with_each_text(data, plain)
        except (ValueError, RecursionError):
            raise Problem(400, "json_invalid", "The body is not valid JSON.") from None
        if not isinstance(data, dict):
            raise Problem(400, "json_invalid", "The body is not a JSON object.")
        return data


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
