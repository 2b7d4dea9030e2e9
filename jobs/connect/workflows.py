"""The workflows in `n8n/`, made for this installation."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from jobs.signatures import signing_key

FOLDER = settings.BASE_DIR / "n8n"
TRIAL, REPORTER = "try-the-connection", "report-failures"
PURPOSES = {
    TRIAL: "Answers and calls back. It needs no account anywhere: the first success.",
    "receipt-to-notion-without-ai": "Files the picture in Notion. It needs a Notion credential.",
    "receipt-to-notion": "Reads the receipt with an AI model, and files it in Notion. It needs credentials of both.",
    REPORTER: "Reports what failed in the others. N8N runs it by itself; it must be active.",
}

WEBHOOK, ERROR_TRIGGER, SET, CRYPTO = (
    f"n8n-nodes-base.{name}" for name in ("webhook", "errorTrigger", "set", "crypto")
)
# What follows N8N's endpoint is what a Webhook node calls its path. An endpoint of another name (N8N_ENDPOINT_WEBHOOK)
# is taken for the first part of the address.
PATH = re.compile(r"(?:.*?/)?webhook(?:-test|-waiting)?/(?P<usual>.+)|/[^/]+/(?P<other>.+)|/?(?P<bare>.*)")
TEST_PATH = "/webhook-test/"  # N8N's, unless N8N_ENDPOINT_WEBHOOK_TEST renames it
MARK = "Receipt automation, version"
MARKED = re.compile(rf"{MARK} ([0-9a-f]{{12}})")

Content = dict[str, Any]


@dataclass(frozen=True)
class Workflow:
    """One of ours.

    Attributes:
        slug: what its file is called.
        content: as N8N's import takes it.
        version: of what it is made of; another one where the file, or what is filled in, changes.
    """

    slug: str
    content: Content
    version: str

    @property
    def name(self) -> str:
        """Return what it is called in N8N."""
        return str(self.content["name"])

    @property
    def purpose(self) -> str:
        """Return what it is for, in words."""
        return PURPOSES[self.slug]

    @property
    def takes_receipts(self) -> bool:
        """Tell whether it has the webhook; of those that have, one is active at a time."""
        return self.slug != REPORTER


def workflows() -> list[Workflow]:
    """Return all of ours, in the order in which somebody would try them."""
    return [workflow(slug) for slug in PURPOSES]


def workflow(slug: str) -> Workflow:
    """Return one workflow with the webhook's path and the service's address filled in, and its version noted in it.

    Raises:
        KeyError: none of ours is called so.
    """
    if slug not in PURPOSES:
        raise KeyError(slug)
    content = json.loads((FOLDER / f"{slug}.json").read_text())
    for node in content["nodes"]:
        _fill_in(node)
    version = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    _mark(content, version)
    return Workflow(slug, content, version)


def version_in(content: Content) -> str:
    """Return the version that is noted in a workflow; "" where none is."""
    notes = (str(node.get("notes", "")) for node in content.get("nodes", []) if _is_trigger(node))
    return next((found[1] for note in notes if (found := MARKED.search(note))), "")


def webhook_path() -> str:
    """Return what the Webhook nodes call their path, by `N8N_WEBHOOK_URL`."""
    found = PATH.fullmatch(urlsplit(settings.N8N_WEBHOOK_URL).path)
    return next((part for part in found.groups() if part), "") if found else ""


def is_test_url() -> bool:
    """Tell whether `N8N_WEBHOOK_URL` is the address that answers only while somebody tests in N8N's editor."""
    return TEST_PATH in urlsplit(settings.N8N_WEBHOOK_URL).path


def signing_text() -> str:
    """Return the text that a workflow can check signatures with; "" where nothing is signed, or no text does it.

    N8N's Crypto credential holds text; `whsec_` may stand for any bytes (Standard Webhooks).
    """
    if not settings.N8N_WEBHOOK_SECRET:
        return ""
    try:
        return signing_key(settings.N8N_WEBHOOK_SECRET[0]).decode()
    except UnicodeDecodeError:
        return ""


def checked_text() -> str:
    """Return the text that the workflows check signatures with; "" where they check none.

    N8N gives a workflow no raw body of a form, so nothing of it that could be compared (n8n/README.md).
    """
    return signing_text() if settings.N8N_PAYLOAD == "json" else ""


def _fill_in(node: Content) -> None:
    if node["type"] == WEBHOOK:
        node["parameters"]["path"] = webhook_path()
    if node["type"] == CRYPTO and node["parameters"]["action"] == "hmac":  # another one adds up the picture's bytes
        # shipped switched off: N8N publishes no workflow in which a node that is on lacks its credential
        node.pop("disabled" if checked_text() else "credentials", None)
    if node["type"] == SET and node["name"] == "Settings":
        values = {"service_url": settings.CALLBACK_BASE_URL, "check_signature": bool(checked_text())}
        for field in node["parameters"]["assignments"]["assignments"]:
            field["value"] = values.get(field["name"], field["value"])


def _mark(content: Content, version: str) -> None:
    """Note the version with the trigger, where every way of importing keeps it, and people may read it."""
    for node in filter(_is_trigger, content["nodes"]):
        node["notes"] = f"{node.get('notes', '')}\n{MARK} {version}".strip()


def _is_trigger(node: Content) -> bool:
    return node.get("type") in (WEBHOOK, ERROR_TRIGGER)
