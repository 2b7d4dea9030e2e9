"""What N8N 2.41.1 takes and refuses of workflows and credentials.

It is written down from N8N's own code: @n8n/api-types (dto/workflows/base-workflow-public.dto.js and
dto/credentials/credential-public.dto.js).
"""

from typing import Any

WEBHOOK = "n8n-nodes-base.webhook"
OF_A_WORKFLOW = {
    "name", "nodes", "connections", "settings", "nodeGroups", "staticData", "pinData", "projectId", "parentFolderId",
}  # fmt: skip
OF_A_NODE = {
    "id", "name", "webhookId", "disabled", "notesInFlow", "notes", "type", "typeVersion", "executeOnce",
    "alwaysOutputData", "retryOnFail", "maxTries", "waitBetweenTries", "continueOnFail", "onError", "position",
    "parameters", "credentials", "customTelemetryTags",
}  # fmt: skip
OF_SETTINGS = {
    "saveExecutionProgress", "saveManualExecutions", "saveDataErrorExecution", "saveDataSuccessExecution",
    "executionTimeout", "errorWorkflow", "timezone", "executionOrder", "callerPolicy", "callerIds", "timeSavedMode",
    "timeSavedPerExecution", "redactionPolicy", "availableInMCP", "binaryMode",
}  # fmt: skip
OF_CREDENTIALS = {
    "httpHeaderAuth": {"name", "value", "allowedHttpRequestDomains", "allowedDomains"},
    "crypto": {"hmacSecret"},
    "notionApi": {"apiKey"},
    "openAiApi": {"apiKey"},
}

Row = dict[str, Any]


class Refused(Exception):
    """What N8N answers where it does not do what it was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _check(holds: bool, where: str) -> None:
    if not holds:
        raise Refused(400, f"{where} Unrecognized key(s) in object")


def check_workflow(body: Row) -> None:
    """Refuse a workflow with fields that N8N does not know, or without those that it asks for."""
    _check(set(body) <= OF_A_WORKFLOW, "request/body")
    _check({"name", "nodes", "connections", "settings"} <= set(body), "request/body must have required property")
    _check(set(body["settings"]) <= OF_SETTINGS, "request/body/settings")
    for node in body["nodes"]:
        _check(set(node) <= OF_A_NODE, "request/body/nodes")


def check_activation(row: Row) -> None:
    """Refuse to activate what n8n-workflow's node-validation.js refuses.

    N8N asks neither whether a credential is still there, nor what an HTTP Request node needs.
    """
    for node in row["nodes"]:
        kind, chosen = _required(node), node.get("credentials") or {}
        if kind and not node.get("disabled") and not (chosen.get(kind) or {}).get("id"):
            raise Refused(400, f'Cannot publish workflow: Node "{node["name"]}": Missing required credential: {kind}')


def _required(node: Row) -> str:
    parameters = node["parameters"]
    if node["type"] == WEBHOOK:
        return "httpHeaderAuth" if parameters.get("authentication") == "headerAuth" else ""
    if node["type"] == "n8n-nodes-base.crypto":
        return "crypto" if parameters["action"] == "hmac" else ""
    return "openAiApi" if node["type"].endswith(".lmChatOpenAi") else ""


def check_credential(body: Row) -> None:
    """Refuse a new credential with fields that N8N does not know, of itself or of its kind."""
    _check(set(body) <= {"name", "type", "data", "projectId", "id", "isResolvable"}, "request/body")
    check_data(body["type"], body["data"])


def check_data(kind: str, data: Row) -> None:
    """Refuse what is no credential of that kind."""
    if kind not in OF_CREDENTIALS:
        raise Refused(400, "req.body.type is not a known type")
    _check(set(data) <= OF_CREDENTIALS[kind], "request.body.data")
    if data.get("allowedHttpRequestDomains") == "domains":
        _check("allowedDomains" in data, "request.body.data requires property allowedDomains")
