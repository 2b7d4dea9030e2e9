"""How a row of the corpus is written, sent over a socket, and answered."""

import io
import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from itertools import count
from typing import Any, NamedTuple, Self, cast
from uuid import UUID

from jobs.signatures import callback_token
from tests.factories import small_receipt
from tests.support.uploads import MULTIPART, UPLOAD, file_part, form

PATIENCE_SECONDS = 30.0  # no row is to be left without an answer
PROBLEM = "application/problem+json"
LEAVE = b"HTTP/1.1 100 Continue\r\n\r\n"
Headers = Mapping[str, str | bytes | None]


class Row(NamedTuple):
    """One request, and what must become of it.

    Args:
        name: what is odd about it.
        request: its bytes.
        expected: the status, and an error's code; several with commas where several requests are in it.
        then_ends: the client sends no more, and says so to the kernel (a half-closed connection).
    """

    name: str
    request: bytes
    expected: str
    then_ends: bool = False


class Answer(NamedTuple):
    """What became of a row, written as rows expect it, and after how many seconds."""

    outcome: str
    seconds: float


@dataclass
class Site:
    """What a table needs to know of the installation that it is sent to."""

    port: int
    key: str
    open_job: UUID  # stays open: nothing in the tables may end it
    ended_job: UUID  # ends as a success by the first good callback
    _numbers: "count[int]" = field(default_factory=lambda: count(100))

    @property
    def host(self) -> str:
        """The authority of its address."""
        return f"127.0.0.1:{self.port}"

    def picture(self) -> bytes:
        """Return a receipt that was not sent before."""
        return small_receipt(next(self._numbers))

    def message(self, method: str, target: str | bytes, body: bytes = b"", headers: Headers | None = None) -> bytes:
        """Return a request; a header given as None is left out."""
        lines: dict[str, str | bytes | None] = {"Host": self.host, "Connection": "close"}
        if body or method == "POST":
            lines["Content-Length"] = str(len(body))
        return head(method, target, lines | dict(headers or {})) + body

    def upload(
        self, body: bytes | None = None, headers: Headers | None = None, *, method: str = "POST", target: str = UPLOAD
    ) -> bytes:
        """Return an upload, with a good new picture unless the form is given."""
        known: dict[str, str | bytes | None] = {"Authorization": f"Api-Key {self.key}", "Content-Type": MULTIPART}
        whole = form(file_part(data=self.picture())) if body is None else body
        return self.message(method, target, whole, known | dict(headers or {}))

    def callback(self, body: bytes, headers: Headers | None = None, job: UUID | str | None = None) -> bytes:
        """Return a callback on the open job, unless another is named, under that job's token."""
        named = job or self.open_job
        known: dict[str, str | bytes | None] = {"Content-Type": "application/json"}
        if isinstance(named, UUID):
            known["X-Callback-Token"] = callback_token(named)
        return self.message("POST", f"/api/v1/jobs/{named}/callback", body, known | dict(headers or {}))


def head(method: str, target: str | bytes, headers: Headers) -> bytes:
    """Return a request's first line and headers, whatever is in them."""
    path = target if isinstance(target, bytes) else target.encode()
    lines = [method.encode() + b" " + path + b" HTTP/1.1"]
    lines += [name.encode() + b": " + _bytes(value) for name, value in headers.items() if value is not None]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


# -- the exchange ------------------------------------------------------------------------------------------------------


def send(row: Row, port: int, source: str) -> Answer:
    """Send a row's bytes, all of them before anything is read, and tell what came back.

    Args:
        row: what to send.
        port: the server's, on loopback.
        source: the client's address, one for each row, so that no row suffers from what others did.
    """
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, source_address=(source, 0)) as client:
        try:
            client.sendall(row.request)
            if row.then_ends:
                client.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: client.recv(65536), b""))
        except TimeoutError:
            return Answer("silence", time.monotonic() - started)
        except OSError as error:
            return Answer(type(error).__name__, time.monotonic() - started)
    method = row.request.partition(b" ")[0].decode("latin-1")
    return Answer(", ".join(_outcomes(received, method)) or "closed", time.monotonic() - started)


def _outcomes(received: bytes, method: str) -> Iterator[str]:
    """Read the answers one after the other."""
    stream = _Stream(received)
    while received[stream.tell() :].startswith(LEAVE):
        stream.seek(len(LEAVE), io.SEEK_CUR)
        yield "100"
    while stream.tell() < len(received):
        answer = HTTPResponse(cast(Any, stream), method=method)
        answer.begin()
        body = answer.read()
        yield str(answer.status) if answer.status < 400 or method == "HEAD" else _problem(answer, body)


class _Stream(io.BytesIO):
    """Stands in for the socket that the bytes came from, and for its file."""

    def makefile(self, *_: object) -> Self:
        """Return the bytes that were not read yet."""
        return self

    def close(self) -> None:
        """Stay open: the reader closes after each answer, and another may follow."""


def _problem(answer: HTTPResponse, body: bytes) -> str:
    """Return an error's status and code, or what is wrong with it."""
    if answer.headers["Content-Type"] != PROBLEM:
        return f"{answer.status} as {answer.headers['Content-Type']}"
    facts = json.loads(body)
    known = (facts["status"], facts["request_id"]) == (answer.status, answer.headers["X-Request-ID"])
    return f"{answer.status} {facts['code']}" if known and facts["detail"] else f"{answer.status} without its facts"


def rows(table: Iterable[tuple[str, bytes, str]], group: str) -> list[Row]:
    """Return the rows of a table, named after their group."""
    return [Row(f"{group}: {name}", request, expected) for name, request, expected in table]
