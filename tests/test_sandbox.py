"""The sandbox over real HTTP: it takes what a good workflow would take, and reports back as N8N does."""

import base64
import hashlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.conf import LazySettings, settings
from django.core.management import CommandError, call_command

from jobs.payload import Payload
from jobs.sandbox import Behaviour, Sandbox, running_sandbox
from jobs.signatures import sign_webhook
from receipts.sample import draw_receipt

from .factories import SMALL, JobFactory

PATIENCE_SECONDS = 10
TOKEN = "made-up-callback-token-0123456789-0123456789"
PICTURE = draw_receipt(size=SMALL)
NO_REPORT = ("silent", "empty", "answer-404", "answer-429", "answer-500")


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def quick_sandbox(*, delay: float = 0, behaviour: Behaviour = Behaviour.SUCCESS) -> Iterator[Sandbox]:
    with running_sandbox(behaviour=behaviour, delay=delay, retry_delay=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox() as running:
        yield running


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


def post(
    sandbox: Sandbox, content: dict[str, Any] | bytes, *, query: str = "", headers: dict[str, str | None] | None = None
) -> requests.Response:
    """Post to the webhook, signed and with the right key unless `headers` say otherwise."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    good = {"Authorization": f"Bearer {settings.N8N_API_KEY}", "Content-Type": "application/json"}
    good |= sign_webhook(settings.N8N_WEBHOOK_SECRET, message_id="1", body=[body])
    return requests.post(
        f"{sandbox.url}/webhook/receipts{query}",
        data=body,
        headers={**good, **(headers or {})},  # None removes one
        timeout=PATIENCE_SECONDS,
    )


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds, or say that it never did."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


# -- what is taken ----------------------------------------------------------------------------------------------------


def test_a_receipt_is_taken_and_gets_the_number_of_its_execution(sandbox: Sandbox) -> None:
    first, second = post(sandbox, fields()), post(sandbox, fields())
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith("application/json")
    assert first.json() == {"accepted": True, "execution_id": first.json()["execution_id"]}
    assert int(second.json()["execution_id"]) == int(first.json()["execution_id"]) + 1


def test_a_restarted_sandbox_never_gives_an_execution_the_number_of_an_earlier_one() -> None:
    numbers = []
    for _ in range(2):
        with quick_sandbox() as sandbox:
            numbers += [post(sandbox, fields()).json()["execution_id"] for _ in range(3)]
    assert len(set(numbers)) == 6


@pytest.mark.django_db
def test_what_the_service_sends_is_what_the_sandbox_takes(sandbox: Sandbox, receiver: Receiver) -> None:
    sent = json.loads(b"".join(Payload(JobFactory.create(sending=True))))
    assert post(sandbox, sent | {"callback_url": receiver.url}).status_code == 200
    assert receiver.next().body["status"] == "success"
    assert sandbox.stats()["deliveries"] == {sent["job_id"]: 1}


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "Bearer ü"])
def test_a_wrong_key_is_refused_in_n8ns_words(sandbox: Sandbox, authorization: str | None) -> None:
    answer = post(sandbox, fields(), headers={"Authorization": authorization})
    assert (answer.status_code, answer.text) == (403, "Authorization data is wrong!")


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": None},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-id": "another"},
        {"webhook-timestamp": "1700000000"},
    ],
)
def test_a_wrong_signature_is_refused(sandbox: Sandbox, changed: dict[str, str | None]) -> None:
    assert post(sandbox, fields(), headers=changed).status_code == 403


def test_without_a_webhook_secret_no_signature_is_asked_for(sandbox: Sandbox, settings: LazySettings) -> None:
    unsigned: dict[str, str | None] = {"webhook-signature": None, "webhook-id": None}
    assert post(sandbox, fields(), headers=unsigned).status_code == 403
    settings.N8N_WEBHOOK_SECRET = []
    assert post(sandbox, fields(), headers=unsigned).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    assert post(sandbox, body).status_code == 422


@pytest.mark.parametrize("name", ["job_id", "callback_url", "callback_token"])
def test_a_body_without_what_a_report_needs_is_refused_by_name(sandbox: Sandbox, name: str) -> None:
    answer = post(sandbox, fields(**{name: None}))
    assert answer.status_code == 422
    assert name in answer.json()["message"]


def test_a_body_over_n8ns_limit_gets_n8ns_answer(sandbox: Sandbox, settings: LazySettings) -> None:
    settings.N8N_MAX_PAYLOAD_MB = 1
    assert post(sandbox, fields(filler="x" * 900_000)).status_code == 200
    answer = post(sandbox, fields(filler="x" * 1024 * 1024))
    assert answer.status_code == 500
    assert answer.json() == {"code": 0, "message": "There was a problem executing the workflow"}


def test_other_addresses_are_webhooks_that_nobody_registered(sandbox: Sandbox) -> None:
    for path in ("/webhook/receipts", "/", "/stats/"):
        answer = requests.get(sandbox.url + path, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 404
        assert answer.json()["message"].endswith("is not registered.")


# -- what it does then ------------------------------------------------------------------------------------------------


def test_success_is_reported_with_the_jobs_token_and_marked_as_made_up(sandbox: Sandbox, receiver: Receiver) -> None:
    execution_id = post(sandbox, fields(receiver)).json()["execution_id"]
    callback = receiver.next()
    page = callback.body.pop("notion_page_url").removeprefix("https://www.notion.so/sandbox-")
    assert callback.token == TOKEN
    assert page.isalnum()
    assert callback.body["data"].keys() == {"sandbox", "vendor", "date", "total", "currency"}
    assert callback.body["data"]["sandbox"] is True
    assert callback.body["status"] == "success"
    assert callback.body["execution_id"] == execution_id
    assert "sandbox" in callback.body["message"]


def test_a_canary_is_reported_back_without_a_page_or_fields(sandbox: Sandbox, receiver: Receiver) -> None:
    execution_id = post(sandbox, fields(receiver, canary=True)).json()["execution_id"]
    report = {"status": "success", "message": "The canary is back from the sandbox.", "execution_id": execution_id}
    assert receiver.next().body == report


def test_a_failure_is_reported_with_a_message_and_no_page(sandbox: Sandbox, receiver: Receiver) -> None:
    answer = post(sandbox, fields(receiver), query="?behaviour=failure")
    body = receiver.next().body
    assert answer.status_code == 200
    assert body.keys() == {"status", "message", "execution_id"}
    assert body["status"] == "failure"
    assert body["message"]


def test_double_reports_the_same_success_twice(sandbox: Sandbox, receiver: Receiver) -> None:
    post(sandbox, fields(receiver), query="?behaviour=double")
    first, second = receiver.next(), receiver.next()
    assert first == second
    assert first.body["status"] == "success"
    assert eventually(lambda: sandbox.stats()["callbacks_accepted"] == 2)


@pytest.mark.parametrize("behaviour", NO_REPORT)
def test_some_behaviours_never_report(receiver: Receiver, behaviour: str) -> None:
    with quick_sandbox(behaviour=Behaviour(behaviour)) as sandbox:
        post(sandbox, fields(receiver, job_id="quiet"))
        post(sandbox, fields(receiver, job_id="loud"), query="?behaviour=failure")
        assert receiver.next().body["status"] == "failure"
        assert eventually(lambda: sandbox.stats()["callbacks_accepted"] == 1)
        assert sandbox.stats()["deliveries"] == {"quiet": 1, "loud": 1}
    assert receiver.callbacks.empty()


@pytest.mark.parametrize(
    ("behaviour", "status", "body"),
    [
        ("silent", 200, '{"accepted": true'),
        ("empty", 200, ""),
        ("answer-500", 500, '{"message": "Error in workflow"}'),
        ("answer-429", 429, '{"message": "Too many requests"}'),
        ("answer-404", 404, '{"code": 404, "message": "The requested webhook \\"POST receipts\\" is not registered.'),
    ],
)
def test_each_behaviour_answers_as_n8n_does(sandbox: Sandbox, behaviour: str, status: int, body: str) -> None:
    answer = post(sandbox, fields(), query=f"?behaviour={behaviour}")
    assert answer.status_code == status
    assert answer.text.startswith(body)
    assert bool(answer.text) == bool(body)
    assert answer.headers.get("Retry-After") == ("1" if status == 429 else None)


def test_slow_answers_only_after_the_delay(receiver: Receiver) -> None:
    with quick_sandbox(delay=0.4) as sandbox:
        quick = post(sandbox, fields(receiver)).elapsed.total_seconds()
        slow = post(sandbox, fields(receiver), query="?behaviour=slow").elapsed.total_seconds()
        assert quick < 0.4 <= slow
        assert [receiver.next().body["status"] for _ in range(2)] == ["success", "success"]


def test_the_url_overrides_the_behaviour_for_its_own_request_only(receiver: Receiver) -> None:
    with quick_sandbox(behaviour=Behaviour.ANSWER_500) as sandbox:
        answers = [post(sandbox, fields(receiver), query=query) for query in ("", "?behaviour=success", "")]
    assert [answer.status_code for answer in answers] == [500, 200, 500]


def test_an_unknown_behaviour_is_answered_with_those_that_exist(sandbox: Sandbox) -> None:
    answer = post(sandbox, fields(), query="?behaviour=explode")
    assert answer.status_code == 400
    assert all(behaviour in answer.json()["message"] for behaviour in Behaviour)


@pytest.mark.parametrize(
    "damage",
    [
        {"image_data": base64.b64encode(PICTURE[:-1]).decode()},
        {"image_data": "no base64 at all"},
        {"image_data": base64.encodebytes(PICTURE).decode()},
        {"image_data": "ü"},
        {"image_data": None},
        {"sha256": None},
        {"sha256": "0" * 64},
    ],
)
def test_a_damaged_picture_is_taken_and_reported_as_a_failure(
    sandbox: Sandbox, receiver: Receiver, damage: dict[str, Any]
) -> None:
    assert post(sandbox, fields(receiver, **damage)).status_code == 200
    body = receiver.next().body
    assert body["status"] == "failure"
    assert "sha256" in body["message"]


# -- callbacks --------------------------------------------------------------------------------------------------------


def test_a_callback_waits_for_the_delay(receiver: Receiver) -> None:
    with quick_sandbox(delay=0.3) as sandbox:
        posted_at = time.monotonic()
        post(sandbox, fields(receiver))
        receiver.next()
        assert time.monotonic() - posted_at >= 0.3


def test_a_callback_is_tried_again_until_it_is_answered_2xx(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answer_with(500, 409, 204)
    post(sandbox, fields(receiver))
    assert receiver.next() == receiver.next() == receiver.next()
    assert eventually(lambda: sandbox.stats()["callbacks_accepted"] == 1)
    assert sandbox.stats()["callbacks_failed"] == 2


@pytest.mark.parametrize("status", [503, 401, 302, 301])
def test_a_callback_is_given_up_after_five_tries_and_never_redirected(receiver: Receiver, status: int) -> None:
    receiver.answer_with(*[status] * 5)
    with quick_sandbox() as sandbox:
        post(sandbox, fields(receiver))
        assert [receiver.next().method for _ in range(5)] == ["POST"] * 5
        assert eventually(lambda: sandbox.stats()["callbacks_failed"] == 5)
    assert receiver.callbacks.empty()


@pytest.mark.parametrize(
    "unreachable",
    [
        {"callback_url": "http://127.0.0.1:9/callback"},
        {"callback_url": "no address"},
        {"callback_url": "http://[/"},
        {"callback_token": "two\nlines"},
        {"callback_token": "\ud800"},
    ],
)
def test_a_callback_that_cannot_be_posted_is_counted_and_hurts_nothing(
    sandbox: Sandbox, receiver: Receiver, unreachable: dict[str, str]
) -> None:
    post(sandbox, fields(receiver, **unreachable))
    assert eventually(lambda: sandbox.stats()["callbacks_failed"] == 5)
    post(sandbox, fields(receiver))
    assert receiver.next().token == TOKEN


# -- counts, secrets, the end -----------------------------------------------------------------------------------------


def test_the_counts_can_be_asked_for_over_http(sandbox: Sandbox, receiver: Receiver) -> None:
    for query in ("", "?behaviour=answer-429"):
        post(sandbox, fields(receiver, job_id="a"), query=query)
    post(sandbox, fields(receiver, job_id="b"), query="?behaviour=silent")
    post(sandbox, fields(receiver, job_id="c"), headers={"Authorization": "Bearer wrong"})
    assert eventually(lambda: sandbox.stats()["callbacks_accepted"] == 1)
    counted = requests.get(f"{sandbox.url}/stats", timeout=PATIENCE_SECONDS).json()
    assert counted == sandbox.stats()
    assert counted == {
        "webhooks": 4,
        "refused": 2,
        "deliveries": {"a": 2, "b": 1},
        "callbacks_accepted": 1,
        "callbacks_failed": 0,
    }


def test_no_picture_and_no_secret_is_logged(
    sandbox: Sandbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sent = fields(receiver)
    post(sandbox, sent)
    post(sandbox, sent, headers={"Authorization": "Bearer wrong"})
    assert eventually(lambda: "sandbox_called_back" in caplog.text)
    secrets = (TOKEN, settings.N8N_API_KEY, *settings.N8N_WEBHOOK_SECRET, sent["image_data"][:40])
    assert [secret for secret in secrets if secret in caplog.text] == []


def test_a_large_picture_does_not_touch_the_disk(
    sandbox: Sandbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *args: made.append(args))
    assert post(sandbox, fields(receiver, filler="x" * 5_000_000)).status_code == 200
    assert receiver.next().body["status"] == "success"
    assert made == []


@pytest.mark.parametrize("query", ["", "?behaviour=slow"])
def test_it_stops_at_once_while_callbacks_and_slow_answers_wait(receiver: Receiver, query: str) -> None:
    threads = set(threading.enumerate())
    with quick_sandbox(delay=3600) as sandbox:
        poster = threading.Thread(target=post, args=(sandbox, fields(receiver)), kwargs={"query": query})
        poster.start()
        assert eventually(lambda: bool(sandbox.stats()["deliveries"]))
        stopped_at = time.monotonic()
    poster.join()
    assert time.monotonic() - stopped_at < 3
    assert eventually(lambda: set(threading.enumerate()) <= threads)
    assert receiver.callbacks.empty()


def test_after_it_has_stopped_nobody_listens() -> None:
    with quick_sandbox() as sandbox:
        pass
    with pytest.raises(requests.ConnectionError):
        post(sandbox, fields())


# -- the command ------------------------------------------------------------------------------------------------------


def test_with_debug_off_the_command_does_not_start(settings: LazySettings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match=r"files nothing in Notion.*--force"):
        call_command("n8n_sandbox", port=0)


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as error:
            call_command("n8n_sandbox", "--force", f"--port={port}")
    cure = "choose another with --port"
    assert str(error.value) == f"Cannot listen on port {port} of 127.0.0.1, address already in use: {cure}."


def test_an_impossible_address_is_one_sentence() -> None:
    with pytest.raises(CommandError, match=r"^Cannot listen on port 0 of 203.0.113.1, [a-z ]+: choose"):
        call_command("n8n_sandbox", "--force", "--port=0", "--host=203.0.113.1")


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_an_impossible_port_is_one_sentence(port: str) -> None:
    with pytest.raises(CommandError, match="a port is a number"):
        call_command("n8n_sandbox", "--force", f"--port={port}")


@contextmanager
def command(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command as a process of its own, with its output into a pipe."""
    line = [sys.executable, "manage.py", "n8n_sandbox", "--port", "0", *arguments]
    environment = os.environ | {"DEBUG": "true", "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_what_it_is_serves_and_stops_when_told(receiver: Receiver, number: signal.Signals) -> None:
    with command("--behaviour", "failure", "--delay", "0") as process:
        assert process.stdout is not None
        assert "files nothing in Notion" in process.stdout.readline()
        url = process.stdout.readline().split()[1].removesuffix("/webhook/receipts")
        sandbox = Sandbox(url=url, behaviour=Behaviour.SUCCESS, delay=0, retry_delay=0)
        assert post(sandbox, fields(receiver)).status_code == 200
        assert receiver.next().body["status"] == "failure"
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
