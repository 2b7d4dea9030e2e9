"""Credentials in N8N: the two that are this service's own, and which one a node gets.

Their secrets go to N8N and never come back: its public API lists names and types alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from jobs.n8n_api import PublicApi

from .workflows import Content

HEADER_AUTH = "httpHeaderAuth"
WEBHOOK, CALLBACK_TOKEN = "Receipts: webhook", "Receipts: callback token"
RESTRICTION = "allowedHttpRequestDomains"  # not every N8N 2 has it
A_PAGE, MOST_PAGES = 250, 40

Row = dict[str, Any]


@dataclass(frozen=True)
class Credentials:
    """What N8N holds.

    Attributes:
        rows: each with id, name and type.
    """

    rows: list[Row]

    def named(self, name: str) -> Row | None:
        """Return the one of ours with that name."""
        return next((row for row in self.rows if (row["name"], row["type"]) == (name, HEADER_AUTH)), None)

    def for_node(self, kind: str, wanted: str) -> Row | None:
        """Return the credential of a kind that a node gets: by the name it asks for, or the only one that there is."""
        of_kind = [row for row in self.rows if row["type"] == kind]
        by_name = [row for row in of_kind if row["name"] == wanted]
        if kind == HEADER_AUTH or by_name:
            return by_name[0] if by_name else None
        return of_kind[0] if len(of_kind) == 1 else None

    def still(self, kind: str, credential_id: object) -> Row | None:
        """Return the credential of that kind and id, where it is still there."""
        return next((row for row in self.rows if (row["id"], row["type"]) == (credential_id, kind)), None)


def listed(api: PublicApi) -> Credentials:
    """Return what N8N holds; raises `ApiError`."""
    rows: list[Row] = []
    answer = api.get("credentials", limit=A_PAGE)
    for _ in range(MOST_PAGES):
        rows += answer["data"]
        if not answer.get("nextCursor"):
            break
        answer = api.get("credentials", limit=A_PAGE, cursor=answer["nextCursor"])
    return Credentials(rows)


def set_ours(api: PublicApi, credentials: Credentials) -> Iterator[str]:
    """Make the two of ours, or give them the secrets in force; tell of each; raises `ApiError`."""
    schema = api.get(f"credentials/schema/{HEADER_AUTH}")
    may_restrict = RESTRICTION in schema.get("properties", {})
    for name, data in ours(may_restrict=may_restrict).items():
        row = credentials.named(name)
        if row is None:
            row = api.post("credentials", {"name": name, "type": HEADER_AUTH, "data": data})
            credentials.rows.append(row)
            yield f"Made the credential “{name}”."
        else:
            api.call("PATCH", f"credentials/{row['id']}", body={"data": data})
            yield f"Gave the credential “{name}” the secret in force."


def ours(*, may_restrict: bool) -> dict[str, Content]:
    """Return what is in the two of ours.

    Args:
        may_restrict: N8N can keep a credential from being sent elsewhere: the webhook's is sent nowhere at all, the
            token to this service alone, though a redirect lead elsewhere.
    """
    key = {"name": "Authorization", "value": f"Bearer {settings.N8N_API_KEY}"}
    token = {"name": "X-Callback-Token", "value": settings.CALLBACK_SECRET_TOKEN[0]}
    if may_restrict:
        key[RESTRICTION] = "none"
        token |= {RESTRICTION: "domains", "allowedDomains": urlsplit(settings.CALLBACK_BASE_URL).hostname or ""}
    return {WEBHOOK: key, CALLBACK_TOKEN: token}


def wanted_by(node: Content) -> dict[str, str]:
    """Return the kinds of credential that a node needs, each with the name that it asks for."""
    return {kind: str((chosen or {}).get("name", "")) for kind, chosen in node.get("credentials", {}).items()}


def chosen_in(node: Content) -> dict[str, Any]:
    """Return the ids of the credentials that were chosen in a node, by kind."""
    return {kind: chosen["id"] for kind, chosen in node.get("credentials", {}).items() if chosen and chosen.get("id")}
