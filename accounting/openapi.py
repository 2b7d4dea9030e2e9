"""How the OpenAPI document tells of errors."""

from http import HTTPStatus

from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

from .problems import CONTENT_TYPE

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="a name for this kind of problem (RFC 9457)"),
        "title": serializers.CharField(help_text="the status in words"),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="what happened and what to do about it"),
        "code": serializers.CharField(help_text="what programs compare; it never changes"),
        "request_id": serializers.CharField(help_text="to find the request in the logs by"),
        "errors": serializers.DictField(
            child=serializers.ListField(child=serializers.CharField()), required=False, help_text="messages by field"
        ),
    },
)


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the error answers of an operation, for `extend_schema`'s `responses`."""
    return {(status, CONTENT_TYPE): OpenApiResponse(PROBLEM, HTTPStatus(status).phrase) for status in statuses}
