"""Reads forms as Django does, but for names of files that it reads otherwise than they were meant."""

import re
from collections import deque
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Any

from django.http import multipartparser
from django.utils.http import parse_header_parameters

from accounting.filenames import shown_name

MOST_PARAMETERS = 50  # or semicolons in a file's name
ENCODED_WORDS = re.compile(r"(?:=\?[\w-]+\?[bq]\?[^?\s]*\?=\s*)+", re.IGNORECASE)


class _PartByPart(multipartparser.Parser):
    """Reads each part to its end before the next one.

    Django leaves a file that has no name where it is, and takes what is left of it for the head of the next part.
    """

    def __iter__(self) -> Iterator[Any]:
        for part in super().__iter__():
            yield part
            deque(part[2], maxlen=0)


def _parse_header_parameters(line: str) -> tuple[str, dict[str, str]]:
    """Read a line of a part's head, unless it has more parameters than anybody needs: they take Python milliseconds.

    Raises:
        ValueError: it is none that can be read; Django passes over it.
    """
    if line.count(";") > MOST_PARAMETERS:
        raise ValueError("too many parameters")
    return parse_header_parameters(line)


multipartparser.parse_header_parameters = _parse_header_parameters  # type: ignore[attr-defined] # the stubs lack it
multipartparser.Parser = _PartByPart  # type: ignore[misc] # Django's own reader of forms names no other way


class FormReader(multipartparser.MultiPartParser):
    """Reads forms as Django does, which drops every letter from a file's name that Python cannot print."""

    def sanitize_file_name(self, file_name: str) -> str | None:
        """Return the name, or None where a file can have no such name."""
        shown = shown_name(_decoded(file_name))
        return None if shown in {"", ".", ".."} else shown


def _decoded(name: str) -> str:
    """Return a name that came in encoded words (RFC 2047) as it was meant; some libraries of .NET and Java write such.

    One that cannot be decoded stays as it came.
    """
    if not ENCODED_WORDS.fullmatch(name):
        return name
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, LookupError, ValueError):
        return name
