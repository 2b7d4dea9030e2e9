"""The OpenAPI document: how it tells of errors, and how it is made."""

import threading
from functools import cache
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

from accounting.problems import CONTENT_TYPE

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="a name for this kind of problem (RFC 9457)"),
        "title": serializers.CharField(help_text="the status in words"),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="what happened and what to do about it"),
        "code": serializers.CharField(help_text="what programs compare; it never changes"),
        "request_id": serializers.CharField(help_text="finds the request in the logs"),
        "errors": serializers.DictField(
            child=serializers.ListField(child=serializers.CharField()), required=False, help_text="messages by field"
        ),
    },
)

# malformed HTTP, a fault of ours, and what a proxy says while there is nobody behind it
OF_ANY_OPERATION = (400, 500, 502, 503, 504)

_one_at_a_time = threading.Lock()


class DrawnOnce(SchemaGenerator):
    """Draws the document at the first time only: it is the same for everybody, but for the server's address.

    One at a time: drf-spectacular looks up its extensions at the first time, without a lock. Where several ask first at
    once, all but one would be answered 500.
    """

    def get_schema(self, request: HttpRequest | None = None, public: bool = False) -> dict[str, Any]:
        """Return the document for whoever asks. It names the address that it was asked for at.

        Generated clients need one, and the readable page may ask none but its own.
        """
        address = request.build_absolute_uri("/") if request else settings.PUBLIC_BASE_URL
        with _one_at_a_time:
            return _draw() | {"servers": [{"url": address.rstrip("/")}]}


@cache
def _draw() -> dict[str, Any]:
    drawn: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call] # it has no types
    return drawn


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the error answers of an operation, for `extend_schema`'s `responses`: its own, and those of any."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(PROBLEM, HTTPStatus(status).phrase)
        for status in sorted({*statuses, *OF_ANY_OPERATION})
    }
