"""Pages that refresh themselves (static/jobs/live.js): they ask with the version that they show, and get a 304."""

import hashlib
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

ASKS_AGAIN = "X-Live"  # the script sends it: what answers is the changing part of the page alone


def version_of(seen: Iterable[object]) -> str:
    """Return a name for what a page shows; ages are in words, so that it is another one every minute."""
    shown = (f"{timezone.now():%Y-%m-%d %H:%M}", *seen)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]


def is_known(request: HttpRequest, version: str) -> bool:
    """Tell whether the script has this version already."""
    return ASKS_AGAIN in request.headers and request.headers.get("If-None-Match") == f'"{version}"'


def answer(request: HttpRequest, page: HttpResponse, version: str, template: str) -> HttpResponse:
    """Return the page, or for the script, which has another version, its changing part.

    A part shows no messages, which the next page is to show.

    Args:
        page: not drawn yet.
        template: of the changing part.
    """
    if isinstance(page, TemplateResponse) and page.context_data is not None:
        page.context_data["version"] = version
        if ASKS_AGAIN in request.headers:
            page.template_name = template
    return page
