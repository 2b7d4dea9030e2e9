"""What the sandbox answers."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse


@dataclass(frozen=True)
class Reply:
    """An answer: text, or JSON of anything else."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Answer the WSGI request."""
        is_text = isinstance(self.body, str)
        content = (self.body if is_text else json.dumps(self.body)).encode()
        form = ("Content-Type", "text/plain" if is_text else "application/json; charset=utf-8")
        status = f"{self.status} {HTTPStatus(self.status).phrase}"
        start_response(status, [form, ("Content-Length", str(len(content))), *self.headers])
        return [content]


class ErrorReply(Exception):
    """The request does not get past the webhook."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def refused(status: int, message: str, *, code: int | None = None) -> ErrorReply:
    """Return a refusal as N8N words it; its code is the status, but for what it did not foresee."""
    return ErrorReply(Reply(status, {"code": status if code is None else code, "message": message}))
