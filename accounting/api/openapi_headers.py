"""What the OpenAPI document says of headers that belong to a status, whatever the operation."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter


def retry_after_header(*statuses: int, when: str = "") -> OpenApiParameter:
    """Return the header `Retry-After` of the answers with these statuses, for `extend_schema`'s `parameters`.

    Args:
        when: in which case they have it, unless always.
    """
    description = "whole seconds until it makes sense to ask again" + (f", {when}" if when else "")
    return OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[*statuses], description=description)


def answered(name: str, *statuses: int, description: str) -> OpenApiParameter:
    """Return a header of the answers with these statuses, or of all answers, for `extend_schema`'s `parameters`."""
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, response=[*statuses] or True, description=description)


FOR_EVERY_OPERATION = [
    answered("X-Request-ID", description="finds the request in the logs; the caller's own, if it sent a plain one"),
    answered(
        "WWW-Authenticate",
        401,
        description="what would let the request in: `Api-Key`, the scheme of `Authorization`, or `X-Callback-Token`",
    ),
    retry_after_header(429, 502, 503, 504, 507),
]


class Schema(AutoSchema):
    """Says of every operation what its answers are found by, and when to come again after one that is only for now."""

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of every operation."""
        return [*super().get_override_parameters(), *FOR_EVERY_OPERATION]
