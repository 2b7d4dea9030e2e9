"""Reads what Sentry would be sent: envelopes of a line each for the head, for each item's head, and for the item."""

import gzip
import json
from typing import Any

from .stub_server import Request, StubServer

KEY = "0123456789abcdef0123456789abcdef"


def dsn(server: StubServer) -> str:
    """Return the address under which errors are reported to the stub."""
    return server.url.replace("://", f"://{KEY}@") + "/1"


def received_text(server: StubServer) -> str:
    """Return everything that came, unpacked."""
    return "\n".join(_unpacked(request).decode() for request in server.requests)


def events(server: StubServer) -> list[dict[str, Any]]:
    """Return the errors that were reported."""
    lines = (json.loads(line) for line in received_text(server).splitlines() if line)
    return [line for line in lines if "event_id" in line and "level" in line]


def _unpacked(request: Request) -> bytes:
    return gzip.decompress(request.body) if request.headers["Content-Encoding"] == "gzip" else request.body
