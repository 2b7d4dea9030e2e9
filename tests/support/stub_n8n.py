"""A stand-in for N8N's public API and its webhooks, as strict as N8N 2.41.1 is; it runs no workflow.

What it does is written down from N8N's own code: public-api/v1/controllers and workflows/workflow.service.js. What it
takes and refuses is in `tests/support/n8n_rules.py`. tests/n8n asks a real one the same.
"""

import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .n8n_rules import (
    OF_CREDENTIALS,
    WEBHOOK,
    Refused,
    Row,
    check_activation,
    check_credential,
    check_data,
    check_workflow,
)
from .servers import made_up
from .stub_server import Request, Visit, response, stub_server

KEY = made_up("key of N8N's public API")


class StubN8N:
    """What it holds, for tests to look at and to change, as people do in its editor."""

    def __init__(self) -> None:
        self.url = ""
        self.workflows: dict[str, Row] = {}
        self.credentials: dict[str, Row] = {}
        self.calls: list[str] = []
        self.late = 0  # so many requests a webhook is not known yet after an activation
        self.lingers = 0  # so many requests one is known still after a deactivation
        self.takes = 0.0  # seconds, for each answer
        self.refuses: Callable[[str], bool] = lambda call: False
        self.forbids: Callable[[str], bool] = lambda call: False  # for want of a scope
        self.instead: dict[str, Any] = {}  # what it answers to a call, whatever it should answer
        self._numbers = itertools.count(1)
        self._published: dict[str, Row] = {}  # by its version

    # -- what people do in the editor ---------------------------------------------------------------------------------

    def named(self, name: str) -> Row:
        """Return the one workflow of that name."""
        (found,) = (each for each in self.workflows.values() if each["name"] == name)
        return found

    def node(self, name: str, node: str) -> Row:
        """Return a node of the one workflow of that name."""
        return next(each for each in self.named(name)["nodes"] if each["name"] == node)

    def active(self) -> set[str]:
        """Return the names of those that are active."""
        return {each["name"] for each in self.workflows.values() if each["active"]}

    def add_credential(self, kind: str, name: str, **data: str) -> str:
        """Make a credential, and return its id."""
        return str(self._create_credential({"name": name, "type": kind, "data": data})["id"])

    def add_workflow(self, content: Row) -> Row:
        """Import a workflow by the editor, which keeps its nodes and nothing else."""
        kept = {"name": content["name"], "nodes": content["nodes"], "connections": content["connections"]}
        return self._create_workflow(deepcopy({**kept, "settings": {"executionOrder": "v1"}}))

    def publish(self, name: str) -> None:
        """Activate the one workflow of that name."""
        self._activate(self.named(name)["id"])

    # -- what it answers ----------------------------------------------------------------------------------------------

    def __call__(self, visit: Visit) -> None:
        """Answer each request."""
        while request := visit.read():
            status, said = self._answer(request)
            visit.pause(self.takes)
            visit.send(response(status, json.dumps(said).encode()))

    def _answer(self, request: Request) -> tuple[int, Any]:
        target = urlsplit(request.target)
        self.calls.append(f"{request.method} {target.path}")
        try:
            if target.path.startswith("/webhook/"):
                return self._webhook(request, target.path.removeprefix("/webhook/"))
            if not target.path.startswith("/api/v1/"):
                raise Refused(404, "Cannot POST")
            if request.headers.get("X-N8N-API-KEY") != KEY:
                raise Refused(401, "unauthorized")
            if self.forbids(self.calls[-1]):
                raise Refused(403, "Forbidden")
            if self.refuses(self.calls[-1]):
                raise Refused(500, "Internal server error")
            if self.calls[-1] in self.instead:
                return 200, self.instead[self.calls[-1]]
            query = {name: values[-1] for name, values in parse_qs(target.query).items()}
            body = json.loads(request.body) if request.body else {}
            return 200, self._api(f"{request.method} {target.path.removeprefix('/api/v1')}", body, query)
        except Refused as refused:
            return refused.status, {"message": str(refused)}

    def _webhook(self, request: Request, path: str) -> tuple[int, Any]:
        """Answer a webhook: 404 where none is active, 422 where the body is no JSON, and else nothing is tried here."""
        is_active = path in {self._path(each) for each in self.workflows.values() if each["active"]}
        if request.method != "POST" and (is_active or self.lingers):
            self.lingers = max(self.lingers - 1, 0)
            raise Refused(404, "This webhook is not registered for GET requests. Did you mean to make a POST request?")
        if not is_active:
            raise Refused(404, f'The requested webhook "{request.method} {path}" is not registered.')
        if self.late:
            self.late -= 1
            raise Refused(404, 'Published version not found for workflow with id "1"')
        try:
            json.loads(request.body)
        except ValueError:
            raise Refused(422, "Failed to parse request body") from None
        raise AssertionError("whoever installs must start no workflow")

    def _api(self, call: str, body: Row, query: Row) -> Any:
        for pattern, answer in self._routes():
            if found := re.fullmatch(pattern, call):
                return answer(*found.groups(), body, query)
        raise Refused(404, "not found")

    def _routes(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        yield "GET /workflows", lambda _body, query: self._page(self.workflows, query, self._matches(query))
        yield "POST /workflows", lambda body, _query: self._create_workflow(body)
        yield r"GET /workflows/(\w+)", lambda key, _body, _query: self._workflow(key)
        yield r"PUT /workflows/(\w+)", lambda key, body, _query: self._update_workflow(key, body)
        yield r"POST /workflows/(\w+)/activate", lambda key, body, _query: self._activate(key, body.get("versionId"))
        yield r"POST /workflows/(\w+)/deactivate", lambda key, _body, _query: self._deactivate(key)
        yield "GET /credentials", lambda _body, query: self._page(self.credentials, query, lambda row: True)
        yield "POST /credentials", lambda body, _query: self._create_credential(body)
        yield r"PATCH /credentials/(\w+)", lambda key, body, _query: self._update_credential(key, body)
        yield r"GET /credentials/schema/(\w+)", lambda kind, _body, _query: self._schema(kind)

    def _matches(self, query: Row) -> Callable[[Row], bool]:
        asks, active = query.get("name", "").lower(), query.get("active")
        return lambda row: asks in row["name"].lower() and active in (None, str(row["active"]).lower())

    def _page(self, rows: dict[str, Row], query: Row, matches: Callable[[Row], bool]) -> Row:
        first, limit = int(query.get("cursor", 0)), int(query.get("limit", 100))
        if not 0 < limit <= 250:
            raise Refused(400, "request/query/limit must be <= 250")
        found = [
            {name: value for name, value in row.items() if name != "data"} for row in rows.values() if matches(row)
        ]
        more = first + limit < len(found)
        return {"data": found[first : first + limit], "nextCursor": str(first + limit) if more else None}

    # -- workflows ----------------------------------------------------------------------------------------------------

    def _workflow(self, key: str) -> Row:
        if key not in self.workflows:
            raise Refused(404, "Not Found")
        return self.workflows[key]

    def _create_workflow(self, body: Row) -> Row:
        check_workflow(body)
        key = f"workflow{next(self._numbers)}"
        self.workflows[key] = {
            "id": key, "active": False, "isArchived": False, "versionId": str(uuid.uuid4()), "activeVersionId": None,
            "activeVersion": None, "meta": None, "tags": [],
            **body, "nodes": [self._resolved(node) for node in body["nodes"]],
        }  # fmt: skip
        return self.workflows[key]

    def _update_workflow(self, key: str, body: Row) -> Row:
        """Save it; settings that are not named stay, and what is published is published anew."""
        check_workflow(body)
        row = self._workflow(key)
        if row["isArchived"]:
            raise Refused(400, "Cannot update an archived workflow.")
        settings = row["settings"] | body["settings"]
        row |= body | {"settings": settings, "nodes": [self._resolved(node) for node in body["nodes"]]}
        row["versionId"] = str(uuid.uuid4())
        return self._activate(key) if row["active"] else row

    def _activate(self, key: str, version: str | None = None) -> Row:
        """Publish a version that was published before, or the draft."""
        row = self._workflow(key)
        path = self._path(row)
        if path and (
            self.lingers
            or any(self._path(each) == path for each in self.workflows.values() if each["active"] and each != row)
        ):
            raise Refused(409, "There is a conflict with one of the webhooks.")
        if version in (None, row["versionId"]):
            version = row["versionId"]
            self._published[version] = deepcopy({name: row[name] for name in ("versionId", "nodes", "connections")})
        if version not in self._published:
            raise Refused(404, "Version not found")
        check_activation(self._published[version])
        row |= {"active": True, "activeVersionId": version, "activeVersion": self._published[version]}
        return row

    def _deactivate(self, key: str) -> Row:
        row = self._workflow(key)
        row |= {"active": False, "activeVersionId": None, "activeVersion": None}
        return row

    def _path(self, row: Row) -> str:
        return next((node["parameters"]["path"] for node in row["nodes"] if node["type"] == WEBHOOK), "")

    def _resolved(self, node: Row) -> Row:
        """Return the node with each credential that is asked for by name, where just one has it."""
        chosen = {kind: self._credential(kind, asked) for kind, asked in node.get("credentials", {}).items()}
        return {**node, "credentials": chosen} if chosen else node

    def _credential(self, kind: str, asked: Row) -> Row:
        of_kind = [row for row in self.credentials.values() if row["type"] == kind]
        found = [row for row in of_kind if row["id"] == asked["id"]] or [
            row for row in of_kind if row["name"] == asked["name"]
        ]
        return {"id": found[0]["id"] if len(found) == 1 else None, "name": asked["name"]}

    # -- credentials --------------------------------------------------------------------------------------------------

    def _create_credential(self, body: Row) -> Row:
        check_credential(body)
        key = f"credential{next(self._numbers)}"
        self.credentials[key] = {"id": key, **body}
        return {name: value for name, value in self.credentials[key].items() if name != "data"}

    def _update_credential(self, key: str, body: Row) -> Row:
        if key not in self.credentials:
            raise Refused(404, "Credential not found")
        check_data(self.credentials[key]["type"], body["data"])
        self.credentials[key] |= body
        return {"id": key}

    def _schema(self, kind: str) -> Row:
        properties = {name: {"type": "string"} for name in OF_CREDENTIALS[kind]}
        return {"additionalProperties": False, "type": "object", "properties": properties, "required": []}


@contextmanager
def stub_n8n() -> Iterator[StubN8N]:
    """Serve one for as long as the block lasts."""
    n8n = StubN8N()
    with stub_server(n8n) as server:
        n8n.url = server.url
        yield n8n
