"""What a caller accepts, and what it gets."""

from collections.abc import Iterable

from django.http import Http404
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class IgnoreAccept(DefaultContentNegotiation):
    """Answers with what there is where `Accept` or `?format=` asks for something else.

    RFC 9110 section 12.4.1 leaves that to us.

    A refusal would help nobody: a picture has one form only, and a callback that meant well would be lost.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer that fits, or the first one, and its media type."""
        try:
            fitting: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            first = next(iter(renderers))
            return first, first.media_type or ""
        return fitting

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:  # noqa: A002 - DRF's
        """Return those of the format that `?format=` asks for, or all of them where there are none."""
        try:
            return list(super().filter_renderers(renderers, format))
        except Http404:
            return list(renderers)
