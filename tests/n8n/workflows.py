"""The workflows that are shipped, and what their users fill in."""

import json
from pathlib import Path
from typing import Any

from tests.support.servers import SETTINGS, made_up

FOLDER = Path("n8n")
FAILURES = "report-failures"
TRYING = "try-the-connection"
PLAIN = "receipt-to-notion-without-ai"
READING = "receipt-to-notion"
FILING = (PLAIN, READING)
RECEIVING = (TRYING, *FILING)
NAMES = (FAILURES, *RECEIVING)
SIGNING_TEXT = made_up("webhook secret")[:32]  # what the service's whsec_ stands for, in letters that a person can type
NOTION_KEY = made_up("key of Notion")
MODEL_KEY = made_up("key of the model")


def shipped(name: str) -> dict[str, Any]:
    """Return a workflow as it is shipped."""
    workflow: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return workflow


def workflow_id(name: str) -> str:
    """Return the id that it has in every N8N."""
    return str(shipped(name)["id"])


def node(workflow: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a node by its name."""
    nodes: list[dict[str, Any]] = workflow["nodes"]
    [found] = (node for node in nodes if node["name"] == name)
    return found


def with_settings(name: str, **choices: object) -> dict[str, Any]:
    """Return a workflow in whose node "Settings" these values are typed, as a person does it; what they need is on."""
    workflow = shipped(name)
    fields = node(workflow, "Settings")["parameters"]["assignments"]["assignments"]
    assert set(choices) <= {field["name"] for field in fields}
    for field in fields:
        field["value"] = choices.get(field["name"], field["value"])
    if choices.get("check_signature"):
        node(workflow, "Sign it as the service does")["disabled"] = False
    return workflow


def credentials() -> list[dict[str, Any]]:
    """Return everything that a workflow may ask for, under the ids that it asks by."""
    callback_token = SETTINGS["CALLBACK_SECRET_TOKEN"].partition(",")[0]
    return [
        _header("receiptsWebhook", "Receipts: webhook", "Authorization", f"Bearer {SETTINGS['N8N_API_KEY']}"),
        _header(
            "receiptsCallback", "Receipts: callback token", "X-Callback-Token", callback_token, domains="127.0.0.1"
        ),
        _credential("receiptsSignature", "Receipts: webhook secret", "crypto", hmacSecret=SIGNING_TEXT),
        _credential("receiptsNotion", "Receipts: Notion", "notionApi", apiKey=NOTION_KEY),
        _credential(
            "receiptsModel", "Receipts: OpenAI", "openAiApi", apiKey=MODEL_KEY, url="https://api.openai.com/v1"
        ),
    ]


def _header(id_: str, title: str, header: str, value: str, domains: str = "") -> dict[str, Any]:
    bounds = {"allowedHttpRequestDomains": "domains", "allowedDomains": domains} if domains else {}
    return _credential(id_, title, "httpHeaderAuth", name=header, value=value, **bounds)


def _credential(id_: str, title: str, kind: str, /, **data: str) -> dict[str, Any]:
    return {"id": id_, "name": title, "type": kind, "data": data}
