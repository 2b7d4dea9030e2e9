"""The name that a client has given to a file: read from a form as it was meant, and made fit for people to read."""

import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from typing import Any

from django.http import multipartparser

LONGEST = 255
# what browsers and curl write for a quote and the ends of lines (https://html.spec.whatwg.org/#multipart-form-data)
ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
ESCAPED = re.compile("|".join(ESCAPES))
FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
# Letters younger than Python's tables (Cn) are shown, as fonts of one's own (Co) are; joiners spell Persian and emoji.
UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")


def display_name(name: str) -> str:
    """Return a file's name for people to read: no folders, and nothing that controls or reorders text."""
    stem, suffix = os.path.splitext(_shown(name))
    suffix = suffix[:LONGEST]
    return f"{stem[: LONGEST - len(suffix)]}{suffix}".strip()


def _shown(name: str) -> str:
    unescaped = ESCAPED.sub(lambda found: ESCAPES[found[0]], name)
    return "".join(filter(_is_shown, FOLDERS.sub("", unescaped)))


def _is_shown(letter: str) -> bool:
    return letter in JOINERS or unicodedata.category(letter) not in UNSHOWN


class _PartByPart(multipartparser.Parser):
    """Reads each part to its end before the next one.

    Django leaves a file that has no name where it is, and takes what is left of it for the head of the next part.
    """

    def __iter__(self) -> Iterator[Any]:
        for part in super().__iter__():
            yield part
            deque(part[2], maxlen=0)


multipartparser.Parser = _PartByPart  # type: ignore[misc] # Django's own reader of forms names no other way


class FormReader(multipartparser.MultiPartParser):
    """Reads forms as Django does, which drops every letter from a file's name that Python cannot print."""

    def sanitize_file_name(self, file_name: str) -> str | None:
        """Return the name, or None where a file can have no such name."""
        shown = _shown(file_name)
        return None if shown in {"", ".", ".."} else shown
