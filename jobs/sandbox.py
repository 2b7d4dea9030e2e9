"""A stand-in for N8N, for demonstrations and tests: takes receipts as a good workflow would, and reports back.

It keeps counts only: no picture and no secret is stored or logged.
"""

import base64
import hashlib
import itertools
import json
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypedDict
from urllib.parse import parse_qs
from weakref import WeakSet
from wsgiref.types import StartResponse, WSGIEnvironment

import requests
import structlog
from django.conf import settings
from django.http.request import HttpHeaders
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from waitress import wasyncore
from waitress.server import create_server

from .signatures import webhook_is_signed

logger = structlog.get_logger(__name__)

WEBHOOK = "/webhook/"
THREADS = 16
CALLBACK_TRIES = 5
CALLBACK_ANSWER_SECONDS = 10
STOP_SECONDS = 1.0
MIB = 1024 * 1024


class Behaviour(StrEnum):
    """What the sandbox does with a receipt that arrived well."""

    SUCCESS = "success"  # takes it, reports success
    FAILURE = "failure"  # takes it, reports failure
    SILENT = "silent"  # takes it, never reports
    DOUBLE = "double"  # takes it, reports success twice at once
    SLOW = "slow"  # answers only after the delay, then reports success
    EMPTY = "empty"  # answers 200 with nothing in it, never reports
    ANSWER_404 = "answer-404"  # as N8N does while no such workflow is active
    ANSWER_429 = "answer-429"  # as a proxy does that limits rates
    ANSWER_500 = "answer-500"  # as N8N does when a workflow that answers at its end has failed


class Stats(TypedDict):
    """What the sandbox has seen since it started."""

    webhooks: int  # posts to a webhook, whatever came of them
    refused: int  # of these, answered with an error
    deliveries: dict[str, int]  # by job_id: posts that passed every check, whatever the behaviour then was
    callbacks_accepted: int  # posts of a report that were answered 2xx
    callbacks_failed: int  # posts of a report that were answered otherwise, or not at all


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


class Refused(Exception):
    """The request does not get past the webhook."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What is kept of a webhook's body; the picture is not."""

    job_id: str
    callback_url: str
    callback_token: str = field(repr=False)
    is_whole: bool


class Sandbox:
    """The WSGI application; `running_sandbox` serves it.

    Args:
        url: its own base address, for those who use it.
        behaviour: for requests whose URL names none.
        delay: seconds before a report, and before a slow answer.
        retry_delay: seconds between two tries of a report.
    """

    def __init__(self, *, url: str, behaviour: Behaviour, delay: float, retry_delay: float) -> None:
        self.url = url
        self._behaviour = behaviour
        self._delay = delay
        self._retry_delay = retry_delay
        self._counts: Counter[str] = Counter()
        self._deliveries: Counter[str] = Counter()
        self._lock = threading.Lock()
        # from the clock on, so that a restarted sandbox gives no id again: an id known from before would be believed
        self._executions = itertools.count(int(time.time() * 1000))
        self._stopping = threading.Event()
        self._reporters: WeakSet[threading.Thread] = WeakSet()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer `POST /webhook/…` and `GET /stats`."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST" and path.startswith(WEBHOOK):
            self._count(self._counts, "webhooks")
            reply = self._take(environ)
        elif method == "GET" and path == "/stats":
            reply = Reply(200, self.stats())
        else:
            reply = _not_registered(environ)
        return reply.send(start_response)

    def stats(self) -> Stats:
        """Return the counts of this moment."""
        with self._lock:
            return Stats(
                webhooks=self._counts["webhooks"],
                refused=self._counts["refused"],
                deliveries=dict(self._deliveries),
                callbacks_accepted=self._counts["callbacks_accepted"],
                callbacks_failed=self._counts["callbacks_failed"],
            )

    def stop(self) -> None:
        """Drop the reports that still wait; return when the one being posted has ended, or after a second."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            reporters = list(self._reporters)
        for reporter in reporters:
            reporter.join(max(0.0, deadline - time.monotonic()))

    def _take(self, environ: WSGIEnvironment) -> Reply:
        try:
            behaviour = _asked_behaviour(environ) or self._behaviour
            delivery = _read_delivery(environ)
            self._count(self._deliveries, delivery.job_id)
            reply = _fixed_reply(behaviour, environ) or self._execute(delivery, behaviour)
        except Refused as refused:
            reply = refused.reply
        if reply.status >= 400:
            self._count(self._counts, "refused")
        return reply

    def _execute(self, delivery: Delivery, behaviour: Behaviour) -> Reply:
        if behaviour is Behaviour.SLOW:
            self._stopping.wait(self._delay)
        execution_id = str(next(self._executions))
        logger.info("sandbox_took", job_id=delivery.job_id, execution_id=execution_id, behaviour=behaviour)
        report = _report(delivery, behaviour, execution_id)
        for _ in range({Behaviour.SILENT: 0, Behaviour.DOUBLE: 2}.get(behaviour, 1)):
            self._start_reporter(delivery, report)
        return Reply(200, {"accepted": True, "execution_id": execution_id})

    def _start_reporter(self, delivery: Delivery, report: dict[str, Any]) -> None:
        reporter = threading.Thread(target=self._call_back, args=(delivery, report), daemon=True)
        reporter.start()
        with self._lock:
            self._reporters.add(reporter)

    def _call_back(self, delivery: Delivery, report: dict[str, Any]) -> None:
        """Report after the delay, and again where that is not answered 2xx, as N8N's HTTP Request node does."""
        for pause in (self._delay, *[self._retry_delay] * (CALLBACK_TRIES - 1)):
            if self._stopping.wait(pause):
                return
            outcome = _post_report(delivery, report)
            was_accepted = outcome.startswith("2")
            self._count(self._counts, "callbacks_accepted" if was_accepted else "callbacks_failed")
            logger.info("sandbox_called_back", job_id=delivery.job_id, status=report["status"], answer=outcome)
            if was_accepted:
                return

    def _count(self, counter: Counter[str], name: str) -> None:
        with self._lock:
            counter[name] += 1


@contextmanager
def running_sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    behaviour: Behaviour = Behaviour.SUCCESS,
    delay: float = 0.5,
    retry_delay: float = 1.0,
) -> Iterator[Sandbox]:
    """Serve a sandbox from a thread for as long as the block lasts.

    Args:
        host: the IPv4 address or name to listen on.
        port: the port to listen on; 0 takes a free one.
        behaviour: for requests whose URL names none with `?behaviour=`.
        delay: seconds before a report, and before a slow answer.
        retry_delay: seconds between two tries of a report.

    Returns:
        The sandbox, which listens already; its webhooks are everything below `{url}/webhook/`.

    Raises:
        OSError: the address cannot be listened on, most often because it is taken.
    """
    with socket.create_server((host, port)) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}"
        sandbox = Sandbox(url=url, behaviour=behaviour, delay=delay, retry_delay=retry_delay)
        with _served(sandbox, listener):
            try:
                yield sandbox
            finally:
                sandbox.stop()


@contextmanager
def _served(sandbox: Sandbox, listener: socket.socket) -> Iterator[None]:
    channels: dict[int, Any] = {}
    in_memory = 4 * settings.N8N_MAX_PAYLOAD_MB * MIB  # no body gets into a temporary file
    adjustments: dict[str, Any] = {
        "sockets": [listener],
        "threads": THREADS,
        "connection_limit": 1000,
        "max_request_body_size": in_memory,
        "inbuf_overflow": in_memory,
    }
    server: Any = create_server(sandbox, channels, **adjustments)
    ended = threading.Event()
    thread = threading.Thread(target=_loop, args=(channels, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        server.pull_trigger()  # wakes the loop
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(channels)


def _loop(channels: dict[int, Any], ended: threading.Event) -> None:
    while not ended.is_set():
        wasyncore.loop(timeout=1, use_poll=True, map=channels, count=1)


# -- what arrives -----------------------------------------------------------------------------------------------------


def _asked_behaviour(environ: WSGIEnvironment) -> Behaviour | None:
    asked = parse_qs(environ.get("QUERY_STRING", "")).get("behaviour")
    try:
        return Behaviour(asked[-1]) if asked else None
    except ValueError:
        known = ", ".join(Behaviour)
        raise Refused(Reply(400, {"code": 400, "message": f"Unknown behaviour; known are {known}."})) from None


def _read_delivery(environ: WSGIEnvironment) -> Delivery:
    """Check a request as a good workflow would.

    Raises:
        Refused: 403 wrong credentials or signature, 500 too large, 422 not the JSON that is expected.
    """
    headers = HttpHeaders(environ)
    if not constant_time_compare(headers.get("Authorization", ""), f"Bearer {settings.N8N_API_KEY}"):
        raise Refused(Reply(403, "Authorization data is wrong!"))
    body = _read_body(environ)
    if settings.N8N_WEBHOOK_SECRET and not webhook_is_signed(settings.N8N_WEBHOOK_SECRET, headers, body):
        raise Refused(Reply(403, "The signature is wrong!"))
    return _parse(body)


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > settings.N8N_MAX_PAYLOAD_MB * MIB:
        raise Refused(Reply(500, {"code": 0, "message": "There was a problem executing the workflow"}))
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _parse(body: bytes) -> Delivery:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable("Failed to parse request body") from None
    if not isinstance(fields, dict):
        raise _unreadable("The body is not a JSON object")
    names = ("job_id", "callback_url", "callback_token")
    if missing := [name for name in names if not isinstance(fields.get(name), str)]:
        raise _unreadable(f"The body lacks {', '.join(missing)}")
    return Delivery(is_whole=_is_whole(fields), **{name: fields[name] for name in names})


def _unreadable(message: str) -> Refused:
    return Refused(Reply(422, {"code": 422, "message": message}))


def _is_whole(fields: dict[str, Any]) -> bool:
    """Tell whether the picture can be decoded and is what its sha256 says."""
    try:
        picture = base64.b64decode(fields["image_data"], validate=True)
    except (KeyError, TypeError, ValueError):
        return False
    return hashlib.sha256(picture).hexdigest() == fields.get("sha256")


# -- what is answered, and reported -----------------------------------------------------------------------------------


def _fixed_reply(behaviour: Behaviour, environ: WSGIEnvironment) -> Reply | None:
    match behaviour:
        case Behaviour.EMPTY:
            return Reply(200, "")
        case Behaviour.ANSWER_404:
            return _not_registered(environ)
        case Behaviour.ANSWER_429:
            return Reply(429, {"message": "Too many requests"}, headers=(("Retry-After", "1"),))
        case Behaviour.ANSWER_500:
            return Reply(500, {"message": "Error in workflow"})
    return None


def _not_registered(environ: WSGIEnvironment) -> Reply:
    name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix(WEBHOOK)}"
    hint = "The workflow must be active for a production URL to run successfully."
    return Reply(404, {"code": 404, "message": f'The requested webhook "{name}" is not registered.', "hint": hint})


def _report(delivery: Delivery, behaviour: Behaviour, execution_id: str) -> dict[str, Any]:
    if not delivery.is_whole:
        return _failure("The picture did not arrive whole: its sha256 is another.", execution_id)
    if behaviour is Behaviour.FAILURE:
        return _failure("The sandbox was told to fail.", execution_id)
    return {
        "status": "success",
        "message": "Filed nowhere: this was the sandbox.",
        "notion_page_url": f"https://www.notion.so/sandbox-{uuid.uuid4().hex}",
        "execution_id": execution_id,
        "data": {
            "sandbox": True,
            "vendor": "Sandbox Shop",
            "date": timezone.localdate().isoformat(),
            "total": 12.34,
            "currency": "EUR",
        },
    }


def _failure(message: str, execution_id: str) -> dict[str, Any]:
    return {"status": "failure", "message": message, "execution_id": execution_id}


def _post_report(delivery: Delivery, report: dict[str, Any]) -> str:
    """Post a report; return the answer's HTTP status, or the name of what went wrong."""
    headers = {"X-Callback-Token": delivery.callback_token, "User-Agent": "n8n-sandbox"}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy before loopback, and no ~/.netrc
            answer = session.post(
                delivery.callback_url,
                json=report,
                headers=headers,
                timeout=CALLBACK_ANSWER_SECONDS,
                allow_redirects=False,
            )
    except (requests.RequestException, ValueError) as error:
        return type(error).__name__
    return str(answer.status_code)
