"""Who a request comes from: a client, by its API key."""

import re

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounting.throttling import count_failure

from .models import ApiKey, Client

KEYWORD = "Api-Key"
# what djangorestframework-api-key makes: a prefix to find the row by, and the secret
KEY = re.compile(r"[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}")


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>` makes the key's client the user of the request."""

    def authenticate(self, request: Request) -> tuple[Client, ApiKey] | None:
        """Return the client and its key, or None where the request brings no API key.

        Raises:
            AuthenticationFailed: the key is unknown, revoked or expired; which of the three is not told.
            Throttled: the same, after too many of those from one address.
        """
        keyword, _, key = request.headers.get("Authorization", "").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        api_key = _find(key.strip())
        if api_key is None:
            count_failure("key", request)
            raise exceptions.AuthenticationFailed("The API key is unknown, revoked or expired.")
        return api_key.client, api_key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401, RFC 9110 section 11.6.1."""
        return KEYWORD


def _find(key: str) -> ApiKey | None:
    if not KEY.fullmatch(key):
        return None
    try:
        api_key = ApiKey.objects.get_from_key(key)
    except ApiKey.DoesNotExist:
        return None
    return api_key if isinstance(api_key, ApiKey) and not api_key.has_expired else None


def client_of(request: Request) -> Client:
    """Return the client that a request comes from.

    Raises:
        NotAuthenticated: it comes from staff, where a view lets those in, too.
    """
    client = request.user
    if not isinstance(client, Client):
        raise exceptions.NotAuthenticated
    return client


def key_of(request: Request) -> str:
    """Return how an event names the key that was used: its public prefix."""
    return f"key {request.auth.prefix}" if isinstance(request.auth, ApiKey) else ""


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # it registers by being defined
    """How the OpenAPI document describes the key."""

    target_class = "receipts.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the security scheme (OpenAPI 3, section 4.8.27)."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{KEYWORD} <key>`",
        }
