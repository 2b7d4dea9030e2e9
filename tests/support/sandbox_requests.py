"""What the service posts to the sandbox, and what receives its callbacks."""

import base64
import hashlib
import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import requests
from django.conf import settings
from urllib3 import encode_multipart_formdata

from jobs.sandbox import Behaviour, Sandbox, application, running_sandbox
from jobs.sandbox.reports import post_report
from jobs.sandbox.webhook import Delivery
from jobs.signatures import sign_webhook
from receipts.sample import draw_receipt
from tests.factories import SMALL

from .installation import Installation

PATIENCE_SECONDS = 10
TOKEN = "made-up-callback-token-0123456789-0123456789"
PICTURE = draw_receipt(size=SMALL)
FORM = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class Callback:
    """A callback as it arrived."""

    method: str
    token: str | None
    body: Any


class Receiver(ThreadingHTTPServer):
    """Stands where the service would: keeps the callbacks, and answers as the test says (200 for ever after)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _CallbackHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/callback"
        self.answers: queue.Queue[int] = queue.Queue()
        self.callbacks: queue.Queue[Callback] = queue.Queue()

    def answer_with(self, *statuses: int) -> None:
        """Answer the next callbacks with these statuses."""
        for status in statuses:
            self.answers.put(status)

    def next(self) -> Callback:
        """Wait for the next callback."""
        return self.callbacks.get(timeout=PATIENCE_SECONDS)


class _CallbackHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver.callbacks.put(Callback(self.command, self.headers["X-Callback-Token"], json.loads(body or b"null")))
        self.send_response(200 if receiver.answers.empty() else receiver.answers.get())
        self.send_header("Location", receiver.url)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen for callbacks for as long as the block lasts."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def quick_sandbox(*, delay: float = 0, behaviour: Behaviour = Behaviour.SUCCESS) -> Iterator[Sandbox]:
    """Run a sandbox that tries a callback again at once."""
    with running_sandbox(behaviour=behaviour, delay=delay, retry_delay=0) as sandbox:
        yield sandbox


@contextmanager
def reporting_once_taken(service: Installation) -> Iterator[None]:
    """Let sandboxes report only once the service has written down that N8N took the receipt, however long that takes.

    N8N may report sooner, and the service bears it; but then there is one event less.
    """

    def wait_and_post(delivery: Delivery, report: dict[str, Any]) -> str:
        service.wait_for_event(delivery.job_id, "delivered")
        return post_report(delivery, report)

    with patch.object(application, "post_report", wait_and_post):
        yield


def fields(receiver: Receiver | None = None, **changed: Any) -> dict[str, Any]:
    """Return what the service sends of a receipt."""
    return {
        "job_id": str(uuid4()),
        "filename": "receipt.jpg",
        "content_type": "image/jpeg",
        "sha256": hashlib.sha256(PICTURE).hexdigest(),
        "image_data": base64.b64encode(PICTURE).decode(),
        "callback_url": receiver.url if receiver else "http://127.0.0.1:9/callback",
        "callback_token": TOKEN,
    } | changed


def form(receiver: Receiver, picture: bytes | None = PICTURE) -> bytes:
    """Return the same as a form, with that picture."""
    parts: dict[str, Any] = fields(receiver)
    del parts["image_data"]
    if picture is not None:
        parts["file"] = ("receipt.jpg", picture)
    return encode_multipart_formdata(parts, "x")[0]


def post(
    sandbox: Sandbox, content: dict[str, Any] | bytes, *, query: str = "", headers: dict[str, str | None] | None = None
) -> requests.Response:
    """Post to the webhook, signed and with the right key unless `headers` say otherwise."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    good = {"Authorization": f"Bearer {settings.N8N_API_KEY}", "Content-Type": "application/json"}
    good |= sign_webhook(settings.N8N_WEBHOOK_SECRET, message_id="1", body=[body], timestamp=int(time.time()))
    return requests.post(
        f"{sandbox.url}/webhook/receipts{query}",
        data=body,
        headers={**good, **(headers or {})},  # None removes one
        timeout=PATIENCE_SECONDS,
    )
