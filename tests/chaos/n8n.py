"""A stub N8N that treats each delivery in a way of its own, and writes down what it saw and did."""

import base64
import hashlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import requests

from tests.support.servers import free_port
from tests.support.stub_server import Request, Visit

from .ledger import Ledger
from .ways import WAYS, Report, Way, choose_way

IDLE_SECONDS = 5.0  # Node closes what is idle for as long
CALLBACK_SECONDS = 5.0
CALLBACK_TRIES = 2  # as a workflow with "retry on fail" set to two


class StubN8N:
    """Takes deliveries on one port of loopback.

    Args:
        seed: draws how each delivery is treated.
        ledger: takes `post`, `answered` and `callback`, each with job_id and attempt.

    Attributes:
        mood: the way in which every delivery is treated while it is set.
    """

    def __init__(self, seed: int, ledger: Ledger) -> None:
        self.mood = ""
        self.posts = 0
        self._seed = seed
        self._ledger = ledger
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/webhook/receipts"
        self._busy = 0
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._server: _Listener | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be answered or reported."""
        return self._busy == 0

    def open(self) -> None:
        """Begin to listen."""
        if self._server is None:
            self._server = _Listener(("127.0.0.1", self._port), self._serve)
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening: who connects is refused; connections that are open stay."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_SECONDS)
        visit = Visit(connection, self._stopping)
        with suppress(OSError):  # the other side has left
            self._receive(visit)
        with suppress(OSError):
            visit.close()

    def _receive(self, visit: Visit) -> None:
        while request := visit.read():
            if len(request.body) < int(request.headers["Content-Length"]):
                self._ledger.write(kind="part", job_id=request.headers["Idempotency-Key"])
                return
            self._count(1)
            try:
                if self._treat(visit, request).closes:
                    return
            finally:
                self._count(-1)

    def _treat(self, visit: Visit, request: Request) -> Way:
        delivery = json.loads(request.body)
        sha256 = hashlib.sha256(base64.b64decode(delivery["image_data"])).hexdigest()
        name = self.mood or choose_way(self._seed, sha256, delivery["attempt"])
        way = WAYS[name]
        delivery |= {"execution_id": f"{delivery['job_id'][:8]}-{delivery['attempt']}"}
        self._write(delivery, kind="post", way=name, means=way.means, sha256=sha256)
        self.posts += 1
        for report in way.first:
            self._report(delivery, report)
        sent = False
        with suppress(OSError):
            way.send(visit)
            sent = True
        self._write(delivery, kind="answered", sent=sent)
        for report in way.reports:
            self._count(1)
            threading.Thread(target=self._report_later, args=(delivery, report), daemon=True).start()
        return way

    def _report_later(self, delivery: dict[str, Any], report: Report) -> None:
        try:
            if not self._stopping.wait(report.after):
                self._report(delivery, report)
        finally:
            self._count(-1)

    def _report(self, delivery: dict[str, Any], report: Report) -> None:
        for _ in range(CALLBACK_TRIES):
            status, duplicate = _post_report(delivery, report)
            self._write(delivery, kind="callback", reported=report.outcome, status=status, duplicate=duplicate)
            if 0 < status < 500 or self._stopping.wait(1.0):
                return

    def _write(self, delivery: dict[str, Any], **entry: Any) -> None:
        self._ledger.write(job_id=delivery["job_id"], attempt=delivery["attempt"], **entry)

    def _count(self, number: int) -> None:
        with self._changing:
            self._busy += number


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        super().__init__(address, socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in a thread of its own."""
        self._serve(request)


def _post_report(delivery: dict[str, Any], report: Report) -> tuple[int, bool]:
    """Return the status of the answer to a callback, 0 where none came, and whether it said `duplicate`."""
    try:
        answer = requests.post(
            delivery["callback_url"],
            json={
                "status": report.outcome,
                "execution_id": delivery["execution_id"],
                "notion_page_url": "https://www.notion.so/0123" if report.outcome == "success" else "",
                "message": f"{report.outcome} of attempt {delivery['attempt']}",
            },
            headers={"X-Callback-Token": delivery["callback_token"], "Connection": "close"},
            timeout=CALLBACK_SECONDS,
            allow_redirects=False,
        )
        return answer.status_code, bool(answer.json().get("duplicate"))
    except (requests.RequestException, ValueError):
        return 0, False
