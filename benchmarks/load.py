"""Clients that upload and call back as fast as they are answered, to be run in a process of their own."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

BOUNDARY = "a-boundary-that-is-in-no-picture"
START_OF_IMAGE = 2  # bytes, after which a JPEG may have a comment
PATIENCE_SECONDS = 300
DATABASE_ID = "0123456789abcdef0123456789abcdef"
_numbers = itertools.count(time.time_ns())


class Target(NamedTuple):
    """A service under load."""

    port: int
    headers: dict[str, str]


@dataclass
class Outcome:
    """What clients were told.

    Attributes:
        seconds: from the first request to the last answer.
        milliseconds: of each answer.
        jobs: the ids of those that were taken.
        refused: the statuses of those that were not.
        broken: what connections broke off with.
    """

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def upload(target: Target, receipt: bytes, *, clients: int, until: float = 0.0, count: int = 0) -> Outcome:
    """Upload the receipt again and again, each time another one by a comment in it.

    Args:
        until: the time, as of `time.time`, at which they stop; or else
        count: how many they upload.
    """
    turns = _until(until) if until else iter(range(count))

    def send(connection: http.client.HTTPConnection) -> None:
        head, tail = _form(receipt)
        connection.putrequest("POST", "/api/v1/receipts/upload")
        for name, value in target.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.putheader("Content-Length", str(len(head) + len(receipt) - START_OF_IMAGE + len(tail)))
        connection.endheaders()
        connection.send(head)
        connection.send(memoryview(receipt)[START_OF_IMAGE:])
        connection.send(tail)

    return _together(target, [send] * clients, turns)


def call_back(target: Target, token: str, jobs: list[str], *, until: float) -> Outcome:
    """Report a success for each of these jobs, one after the other, for as long as there is time."""
    remaining = iter(jobs)
    headers = {"Content-Type": "application/json", "X-Callback-Token": token}

    def send(connection: http.client.HTTPConnection) -> None:
        report = {"status": "success", "notion_page_url": "https://www.notion.so/0123456789abcdef0123456789abcdef"}
        connection.request("POST", f"/api/v1/jobs/{next(remaining)}/callback", json.dumps(report), headers)

    return _together(target, [send], itertools.islice(_until(until), len(jobs)))


def _form(receipt: bytes) -> tuple[bytes, bytes]:
    note = str(next(_numbers)).encode()
    comment = receipt[:START_OF_IMAGE] + b"\xff\xfe" + (len(note) + 2).to_bytes(2) + note
    fields = (
        f"--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="notion_database_id"\r\n\r\n{DATABASE_ID}\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="file"; filename="receipt.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return fields.encode() + comment, f"\r\n--{BOUNDARY}--\r\n".encode()


def _until(end: float) -> Iterator[int]:
    return itertools.takewhile(lambda _: time.time() < end, itertools.count())


def _together(
    target: Target, senders: Iterable[Callable[[http.client.HTTPConnection], None]], turns: Iterator[int]
) -> Outcome:
    """Let each sender have a connection of its own, and send for as long as there are turns."""
    outcome, taking = Outcome(), threading.Lock()

    def work(send: Callable[[http.client.HTTPConnection], None]) -> None:
        try:
            go_on(send)
        except (OSError, http.client.HTTPException) as error:
            outcome.broken.append(repr(error))

    def go_on(send: Callable[[http.client.HTTPConnection], None]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=PATIENCE_SECONDS)
        while True:
            with taking:
                if next(turns, None) is None:
                    break
            started = time.perf_counter()
            send(connection)
            answer = connection.getresponse()
            content = answer.read()
            outcome.milliseconds.append((time.perf_counter() - started) * 1000)
            _note(outcome, answer.status, content)
        connection.close()

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(send,)) for send in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - started
    return outcome


def _note(outcome: Outcome, status: int, content: bytes) -> None:
    if status in (200, 202):
        outcome.jobs.append(json.loads(content)["job_id"] if content else "")
    else:
        outcome.refused.append(status)
