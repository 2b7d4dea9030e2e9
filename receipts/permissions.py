"""Who may do what over HTTP."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .models import Client

if TYPE_CHECKING:  # DRF imports this module while it makes the class
    from rest_framework.views import APIView


class IsClient(BasePermission):
    """Lets in whoever brought a valid API key."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Tell whether the request comes from a client."""
        return isinstance(request.user, Client)


class IsClientOrMayViewReceipts(IsClient):
    """Lets in clients, who see their own, and staff with the permission to view receipts."""

    message = "You may not see receipts: the permission to view them is needed."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Tell whether the request comes from a client or from such staff."""
        return super().has_permission(request, view) or is_staff_with("receipts.view_receipt", request)


def is_staff_with(permission: str, request: Request) -> bool:
    """Tell whether the request comes from staff who are let in and have the permission."""
    user = request.user
    return bool(user and user.is_staff and user.has_perm(permission))  # which nobody has who is not active
