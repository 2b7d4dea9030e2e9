"""What the OpenAPI document says of headers that belong to a status, whatever the operation."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter


def retry_after(*statuses: int, when: str = "") -> OpenApiParameter:
    """Return the header `Retry-After` of the answers with these statuses, for `extend_schema`'s `parameters`.

    Args:
        when: in which case they have it, unless always.
    """
    description = "whole seconds until it makes sense to ask again" + (f", {when}" if when else "")
    return OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[*statuses], description=description)


class Schema(AutoSchema):
    """Says of every operation when to come again after an answer that is only for now."""

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of every operation."""
        return [*super().get_override_parameters(), retry_after(429, 503, 507)]
