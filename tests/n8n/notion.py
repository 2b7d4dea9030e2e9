"""A stand-in for Notion's API, as strict as the real one (https://developers.notion.com/reference, 2025-09-03)."""

import hashlib
import mimetypes
import re
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from .outside import Call, Reply

VERSION = "2025-09-03"
MAX_TEXT = 2000
MAX_CHOICE = 100
MAX_FILE_BYTES = 20 * 1024 * 1024
TYPES = frozenset({"title", "rich_text", "number", "select", "date", "files"})
BAD_GATEWAY = Reply(502, {"message": "Bad gateway"})
PROXYS_PAGE = Reply(200, "<!DOCTYPE html><title>Log in to the proxy</title>")
EMPTY_OBJECT = Reply(200, {})
EMPTY_BODY = Reply(200, "")
EMPTY_LIST = Reply(200, [])
JSON_NULL = Reply(200, None)


class Refused(Exception):
    """What Notion does not take."""

    def __init__(self, message: str, status: int = 400, code: str = "validation_error") -> None:
        super().__init__(message)
        self.reply = Reply(status, {"object": "error", "status": status, "code": code, "message": message})


class Fate(Enum):
    """What becomes of a call: whether it is done, and what is answered in place of Notion's answer."""

    ANSWERED = True, None
    LOST = True, BAD_GATEWAY
    AWAY = False, BAD_GATEWAY
    INVALID = False, Refused("body failed validation.").reply
    # 200, and not Notion's: what a proxy on the way says
    DONE_AND_A_PAGE = True, PROXYS_PAGE
    DONE_AND_BRACES = True, EMPTY_OBJECT
    DONE_AND_NOTHING = True, EMPTY_BODY
    DONE_AND_A_LIST = True, EMPTY_LIST
    A_PAGE = False, PROXYS_PAGE
    BRACES = False, EMPTY_OBJECT
    NOTHING = False, EMPTY_BODY
    A_LIST = False, EMPTY_LIST
    NULL = False, JSON_NULL

    def __init__(self, is_done: bool, instead: Reply | None) -> None:
        self.is_done = is_done
        self.instead = instead


@dataclass
class Database:
    """A database that is shared with the integration; it has one data source."""

    id: str
    properties: dict[str, str] = field(default_factory=lambda: {"Name": "title"})
    pages: list[dict[str, Any]] = field(default_factory=list)
    source_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Upload:
    """A file on its way to a page."""

    id: str
    content_type: str
    sha256: str = ""


class Notion:
    """Keeps databases, pages and files in memory.

    Args:
        key: the integration's secret.
    """

    def __init__(self, key: str) -> None:
        self.calls: list[str] = []
        self.uploads: dict[str, Upload] = {}
        self._key = key
        self._databases: dict[str, Database] = {}
        self._fates: defaultdict[str, deque[Fate]] = defaultdict(deque)
        self._lock = threading.RLock()

    def share(self, **properties: str) -> Database:
        """Make a database that the integration may see, with these properties beside its title.

        What was destined for an earlier one, and never came, is forgotten.
        """
        self._fates.clear()
        database = Database(str(uuid.uuid4()), {"Name": "title"} | properties)
        self._databases[database.id] = database
        return database

    def destine(self, method: str, path: str, *fates: Fate) -> None:
        """Say what becomes of the next such calls, one after the other; those after them are answered."""
        self._fates[f"{method} {path}"].extend(fates)

    def answer(self, call: Call) -> Reply:
        """Answer as Notion does."""
        with self._lock:
            self.calls.append(f"{call.method} {call.path}")
            try:
                return self._fulfil(call, self._next_fate())
            except Refused as refused:
                return refused.reply

    def _next_fate(self) -> Fate:
        fates = self._fates[self.calls[-1]]
        return fates.popleft() if fates else Fate.ANSWERED

    def _fulfil(self, call: Call, fate: Fate) -> Reply:
        if not fate.is_done and fate.instead:
            return fate.instead
        done = Reply(200, self._route(call))
        return fate.instead or done

    def _route(self, call: Call) -> dict[str, Any]:
        if call.headers.get("Authorization", "").strip() != f"Bearer {self._key}":
            raise Refused("API token is invalid.", 401, "unauthorized")
        if call.headers.get("Notion-Version") != VERSION:
            raise Refused("Notion-Version header should be defined.", 400, "missing_version")
        for method, pattern, verb in self._routes():
            if call.method == method and (match := re.fullmatch(f"/v1/{pattern}", call.path)):
                return verb(call, *match.groups())
        raise Refused("Invalid request URL.", 400, "invalid_request_url")

    def _routes(self) -> list[tuple[str, str, Callable[..., dict[str, Any]]]]:
        return [
            ("GET", "databases/([^/]+)", self._read_database),
            ("GET", "data_sources/([^/]+)", self._read_source),
            ("PATCH", "data_sources/([^/]+)", self._change_source),
            ("POST", "data_sources/([^/]+)/query", self._query),
            ("POST", "pages", self._create_page),
            ("POST", "file_uploads", self._create_upload),
            ("POST", "file_uploads/([^/]+)/send", self._send_upload),
        ]

    # -- databases -----------------------------------------------------------------------------------------------------

    def _read_database(self, _: Call, database_id: str) -> dict[str, Any]:
        database = self._databases.get(database_id)
        if not database:
            raise _not_found("database", database_id)
        return {
            "object": "database",
            "id": database.id,
            "data_sources": [{"id": database.source_id, "name": "Receipts"}],
        }

    def _source(self, source_id: str) -> Database:
        found = [database for database in self._databases.values() if database.source_id == source_id]
        if not found:
            raise _not_found("data source", source_id)
        return found[0]

    def _read_source(self, _: Call, source_id: str) -> dict[str, Any]:
        properties = self._source(source_id).properties
        described = {name: {"id": name, "name": name, "type": kind, kind: {}} for name, kind in properties.items()}
        return {"object": "data_source", "id": source_id, "properties": described}

    def _change_source(self, call: Call, source_id: str) -> dict[str, Any]:
        source = self._source(source_id)
        for name, change in call.json()["properties"].items():
            kinds = set(change) & TYPES
            if len(kinds) != 1 or name in source.properties:
                raise Refused(f"body.properties.{name} should be one new property of a known type.")
            source.properties[name] = kinds.pop()
        return self._read_source(call, source_id)

    def _query(self, call: Call, source_id: str) -> dict[str, Any]:
        source, wanted = self._source(source_id), call.json()["filter"]
        if source.properties.get(wanted["property"]) != "rich_text":
            raise Refused(f"Could not find property with name or id: {wanted['property']}")
        text = wanted["rich_text"]["equals"]
        found = [page for page in source.pages if text_of(page, wanted["property"]) == text]
        return {"object": "list", "results": found[: call.json().get("page_size", 100)], "has_more": False}

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _create_page(self, call: Call) -> dict[str, Any]:
        sent = call.json()
        if unknown := set(sent) - {"parent", "properties", "children"}:
            raise Refused(f"body.{unknown.pop()} should be not present.")
        if sent["parent"].get("type") != "data_source_id":
            raise Refused("body.parent.data_source_id should be defined.")
        source = self._source(sent["parent"]["data_source_id"])
        for name, value in sent["properties"].items():
            self._check(source, name, value)
        for block in sent.get("children", []):
            self._uploaded(block[block["type"]])
        page_id = str(uuid.uuid4())
        page = {"object": "page", "id": page_id, "url": f"https://www.notion.so/{page_id.replace('-', '')}", **sent}
        source.pages.append(page)
        return page

    def _check(self, source: Database, name: str, value: dict[str, Any]) -> None:
        kind = source.properties.get(name)
        if kind is None:
            raise Refused(f"{name} is not a property that exists.")
        if list(value) != [kind]:
            raise Refused(f"{name} is expected to be {kind}.")
        match kind, value[kind]:
            case (("title" | "rich_text"), texts):
                _check_texts(name, texts)
            case "number", number if isinstance(number, int | float) and not isinstance(number, bool):
                pass
            case "select", {"name": str(choice)} if "," not in choice and 0 < len(choice) <= MAX_CHOICE:
                pass
            case "date", {"start": str(day)} if _is_day(day):
                pass
            case "files", [*files]:
                for file in files:
                    self._uploaded(file)
            case _:
                raise Refused(f"body.properties.{name}.{kind} is no {kind}.")

    def _uploaded(self, file: dict[str, Any]) -> None:
        if len(file.get("name", "")) > MAX_CHOICE:
            raise Refused("A file's name should be at most 100 characters.")
        upload = self.uploads.get(file["file_upload"]["id"]) if file.get("type") == "file_upload" else None
        if not upload or not upload.sha256:
            raise Refused("The file upload should have been sent.")

    # -- files ---------------------------------------------------------------------------------------------------------

    def _create_upload(self, call: Call) -> dict[str, Any]:
        sent = call.json()
        if sent.get("mode") != "single_part" or mimetypes.guess_type(sent["filename"])[0] != sent["content_type"]:
            raise Refused("body.filename should have an extension of body.content_type, and body.mode be single_part.")
        upload = Upload(str(uuid.uuid4()), sent["content_type"])
        self.uploads[upload.id] = upload
        return {"object": "file_upload", "id": upload.id, "status": "pending"}

    def _send_upload(self, call: Call, upload_id: str) -> dict[str, Any]:
        upload = self.uploads.get(upload_id)
        if not upload:
            raise _not_found("file upload", upload_id)
        if upload.sha256:
            raise Refused("This file upload was sent already.")
        content_type, content = call.part_named("file") or ("", b"")
        if content_type != upload.content_type:
            raise Refused(f"The content type {content_type} is not {upload.content_type}.")
        if not 0 < len(content) <= MAX_FILE_BYTES:
            raise Refused("The file should have between 1 byte and 20 MB.")
        upload.sha256 = hashlib.sha256(content).hexdigest()
        return {"object": "file_upload", "id": upload.id, "status": "uploaded"}


def text_of(page: dict[str, Any], name: str) -> str:
    """Return what a text property of a page says; "" where it has none."""
    value = page["properties"].get(name, {})
    return "".join(part["text"]["content"] for part in value.get("rich_text", value.get("title", [])))


def _not_found(what: str, id_: str) -> Refused:
    advice = "Make sure the relevant pages and databases are shared with your integration."
    return Refused(f"Could not find {what} with ID: {id_}. {advice}", 404, "object_not_found")


def _check_texts(name: str, texts: Any) -> None:
    for part in texts:
        if set(part) - {"type", "text"} or not 0 < len(part["text"]["content"]) <= MAX_TEXT:
            raise Refused(f"body.properties.{name}: the length of text.content should be ≤ {MAX_TEXT}.")


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
