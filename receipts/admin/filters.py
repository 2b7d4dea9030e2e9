"""What lists may be narrowed by that tell whose a row is."""

from typing import Any

from django.contrib.admin import RelatedFieldListFilter
from django.db.models import Q
from django.http import HttpRequest

from receipts.models import Client


class ClientFilter(RelatedFieldListFilter):
    """The clients but for that of the canaries: lists leave those out, or have a filter of their own for them."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        """Return the choices."""
        ordering = self.field_admin_ordering(field, request, model_admin)
        but_canaries = ~Q(name=Client.CANARY)
        return list(field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=but_canaries))
