"""The name that a client has given to a file: as it was meant, and made fit for people to read."""

import os
import re
import unicodedata

LONGEST = 255
# what browsers and curl write for a quote and the ends of lines (https://html.spec.whatwg.org/#multipart-form-data)
ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
ESCAPED = re.compile("|".join(ESCAPES))
# Letters younger than Python's tables (Cn) are shown, as fonts of one's own (Co) are; joiners spell Persian and emoji.
UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")


def display_name(name: str) -> str:
    """Return a file's name for people to read: no folders, and nothing that controls or reorders text."""
    stem, suffix = os.path.splitext(shown_name(name))
    suffix = suffix[:LONGEST]
    return f"{stem[: LONGEST - len(suffix)]}{suffix}".strip()


def shown_name(name: str) -> str:
    """Return what of it can be shown, at any length."""
    unescaped = ESCAPED.sub(lambda found: ESCAPES[found[0]], name)
    return visible(unescaped.replace("\\", "/").rpartition("/")[2])


def visible(text: str) -> str:
    """Return it without what controls or reorders text."""
    return "".join(filter(_is_shown, text))


def _is_shown(letter: str) -> bool:
    return letter in JOINERS or unicodedata.category(letter) not in UNSHOWN
