"""Credentials in N8N: those that are this service's own, and which one a node gets.

Their secrets go to N8N and never come back: its public API lists names and types alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from jobs.n8n_api import NOT_THE_API, ApiError, PublicApi
from jobs.signatures import TOKEN_HEADER

from .listing import Row, known, rows
from .workflows import Content, checked_text

HEADER_AUTH, CRYPTO = "httpHeaderAuth", "crypto"
WEBHOOK, CALLBACK_TOKEN, SECRET = "Receipts: webhook", "Receipts: callback token", "Receipts: webhook secret"
RESTRICTION = "allowedHttpRequestDomains"  # not every N8N 2 has it


@dataclass(frozen=True)
class Credentials:
    """What N8N holds.

    Attributes:
        rows: each with id, name and type.
    """

    rows: list[Row]

    def named(self, kind: str, name: str) -> Row | None:
        """Return the one of that kind and name; the first, where there are several."""
        return next((row for row in self.rows if (row.get("type"), row["name"]) == (kind, name)), None)

    def for_node(self, kind: str, name: str) -> Row | None:
        """Return the credential that a node gets: by the name it asks for, or the only one of its kind."""
        of_kind = [row for row in self.rows if row.get("type") == kind]
        return self.named(kind, name) or (of_kind[0] if len(of_kind) == 1 else None)

    def still(self, kind: str, credential_id: object) -> Row | None:
        """Return the credential of that kind and id, where it is still there."""
        return next((row for row in self.rows if (row["id"], row.get("type")) == (credential_id, kind)), None)


def listed(api: PublicApi) -> Credentials:
    """Return what N8N holds; raises `ApiError`."""
    return Credentials(rows(api, "credentials"))


def set_ours(api: PublicApi, credentials: Credentials) -> Iterator[str]:
    """Make ours, or give them the secrets in force; tell of each; raises `ApiError`."""
    for own in ours(may_restrict=_may_restrict(api)):
        row = credentials.named(own.kind, own.name)
        if row is None:
            made = api.post("credentials", {"name": own.name, "type": own.kind, "data": own.data})
            credentials.rows.append(known(made))
            yield f"Made the credential “{own.name}”."
        else:
            api.call("PATCH", f"credentials/{row['id']}", body={"data": own.data})
            yield f"Gave the credential “{own.name}” the secret in force."


@dataclass(frozen=True)
class Own:
    """A credential of ours: its kind and its name in N8N, and what it holds."""

    kind: str
    name: str
    data: dict[str, str] = field(repr=False)


def ours(*, may_restrict: bool) -> Iterator[Own]:
    """Return ours.

    Args:
        may_restrict: N8N can keep a credential from being sent elsewhere: the webhook's is sent nowhere at all, the
            token to this service alone, though a redirect lead elsewhere.
    """
    own_host = urlsplit(settings.CALLBACK_BASE_URL).hostname or ""
    nowhere, here = {RESTRICTION: "none"}, {RESTRICTION: "domains", "allowedDomains": own_host}
    key = {"name": "Authorization", "value": f"Bearer {settings.N8N_API_KEY}"}
    token = {"name": TOKEN_HEADER, "value": settings.CALLBACK_SECRET_TOKEN[0]}
    yield Own(HEADER_AUTH, WEBHOOK, key | nowhere if may_restrict else key)
    yield Own(HEADER_AUTH, CALLBACK_TOKEN, token | here if may_restrict else token)
    if secret := checked_text():
        yield Own(CRYPTO, SECRET, {"hmacSecret": secret})


def _may_restrict(api: PublicApi) -> bool:
    schema = api.get(f"credentials/schema/{HEADER_AUTH}")
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise ApiError("What answered is no schema of N8N's.", NOT_THE_API)
    return RESTRICTION in schema["properties"]


def wanted_by(node: Content) -> dict[str, str]:
    """Return the kinds of credential that a node needs, each with the name that it asks for."""
    return {kind: str((chosen or {}).get("name", "")) for kind, chosen in node.get("credentials", {}).items()}


def chosen_in(node: Content) -> dict[str, Any]:
    """Return the ids of the credentials that were chosen in a node, by kind."""
    credentials = node.get("credentials") or {}
    return {kind: each["id"] for kind, each in credentials.items() if isinstance(each, dict) and each.get("id")}
