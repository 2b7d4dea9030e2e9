"""Who else has the webhook's path in N8N: a workflow of somebody's own, which keeps ours from being activated."""

from typing import Any

from jobs.n8n_api import PublicApi
from jobs.texts import part

from .listing import Row, rows
from .workflows import WEBHOOK, webhook_path, workflows


def find_path_conflict(api: PublicApi) -> str:
    """Return the name of a workflow that is none of ours, and takes what is sent to the webhook; "" where none does.

    Raises:
        ApiError: N8N did not say.
    """
    ours = {each.name for each in workflows()}
    active = rows(api, "workflows", active="true", excludePinnedData="true")
    return next((str(row["name"]) for row in active if row["name"] not in ours and listens(row)), "")


def nodes_at_work(row: Row) -> Any:
    """Return the nodes of a workflow that work, once it is active; what is published counts first."""
    return part(part(row, "activeVersion") or row, "nodes")


def listens(row: Row) -> bool:
    """Tell whether a workflow takes what is sent to the webhook, once it is active."""
    nodes = nodes_at_work(row)
    return isinstance(nodes, list) and any(map(_is_our_webhook, nodes))


def _is_our_webhook(node: Any) -> bool:
    if not isinstance(node, dict) or node.get("type") != WEBHOOK or node.get("disabled"):
        return False
    parameters = node.get("parameters")
    if not isinstance(parameters, dict):
        return False
    by_default = "POST" if parameters.get("multipleMethods") else "GET"  # N8N leaves out what is as it was
    methods = parameters.get("httpMethod") or by_default
    takes_posts = isinstance(methods, str | list) and "POST" in methods
    path = str(parameters.get("path", ""))
    is_ours = path.startswith("=") or path.strip("/") == webhook_path()  # N8N alone knows what an expression says
    return takes_posts and is_ours
