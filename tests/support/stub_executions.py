"""A strict stand-in for N8N's public API: it knows some executions, and answers nothing that N8N would not.

As N8N 2.41.1 answers (its `executions.public.controller`), and its OpenAPI document asks.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .servers import made_up
from .stub_server import Request, StubServer, Visit, response, stub_server

API_KEY = made_up("key of N8N's public API")
WORKFLOW_ID = "wf4EZnTJHk2c8oQX"
PATH = "/api/v1/executions/"


@dataclass
class StubExecutions:
    """N8N, as far as its API tells.

    Attributes:
        executions: what is known, by id.
        pause: seconds before each answer.
        prompt: how many answers come without that.
        asked: what was asked for, in its order.
    """

    url: str = ""
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    pause: float = 0.0
    prompt: int = 0
    asked: list[str] = field(default_factory=list)

    def run(self, execution_id: str, status: str, *, node: str = "", error: str = "", parameters: Any = None) -> None:
        """Have an execution stand so; what failed has a node and its error."""
        outcome = {"runData": {}, "lastNodeExecuted": node}
        if error:
            outcome |= {"error": {"level": "warning", "message": error, "node": {"name": node}}}
        self.executions[execution_id] = {
            "id": execution_id, "finished": status == "success", "mode": "webhook", "status": status,
            "startedAt": "2026-03-01T10:00:00.000Z", "stoppedAt": None, "workflowId": WORKFLOW_ID, "waitTill": None,
            "data": {"startData": {}, "resultData": outcome},
            "workflowData": {"id": WORKFLOW_ID, "nodes": [{"name": node, "parameters": parameters or {}}]},
        }  # fmt: skip

    def behave(self, visit: Visit) -> None:
        """Answer the requests of one connection."""
        while request := visit.read():
            if len(self.asked) >= self.prompt:
                visit.pause(self.pause)
            visit.send(self._answer(request))

    def _answer(self, request: Request) -> bytes:
        address = urlsplit(request.target)
        query = parse_qs(address.query)
        self.asked.append(request.target)
        if request.headers["X-N8N-API-KEY"] != API_KEY:
            return _json(401, {"message": "Unauthorized"})
        if query.keys() - {"includeData"}:
            return _json(400, {"message": f"Unknown query parameter '{next(iter(query))}'"})
        if request.method != "GET" or not address.path.startswith(PATH):
            return _json(404, {"message": "not found"})
        found = self.executions.get(address.path.removeprefix(PATH))
        if found is None:
            return _json(404, {"message": "Not Found"})
        detailed = query.get("includeData") == ["true"]
        return _json(200, {key: value for key, value in found.items() if detailed or "ata" not in key})


def _json(status: int, said: Any) -> bytes:
    return response(status, json.dumps(said).encode())


@contextmanager
def stub_executions() -> Iterator[tuple[StubExecutions, StubServer]]:
    """Serve the API for as long as the block lasts."""
    n8n = StubExecutions()
    with stub_server(n8n.behave) as server:
        n8n.url = server.url
        yield n8n, server
