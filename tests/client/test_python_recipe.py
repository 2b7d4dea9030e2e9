"""The client in Python that docs/api.md prints, as it is printed there."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.factories import DATABASE_ID
from tests.support.client_runs import KEY, pictures
from tests.support.stub_server import Behaviour, Request, Visit, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

PRINTED = re.search(r"```python\n(.*?)```", Path("docs/api.md").read_text(), re.DOTALL)
OPEN = response(200, b'{"status": "processing"}', Retry_After="2")
ENDED = response(200, b'{"status": "success", "result_message": "Filed."}')
SLOW = response(408, b'{"detail": "The request did not arrive whole within 120 s; send it again."}')
BUSY = response(503, b'{"detail": "There is too much to do just now; try again."}', Retry_After="5")
REFUSED = response(415, b'{"detail": "Send JPEG."}')
TAKEN, CUT, BROKEN = b"taken", b"cut", b""


def following(*script: bytes) -> Behaviour:
    """Return a behaviour that goes through these answers, a connection for each."""
    answers = iter(script)

    def behave(visit: Visit) -> None:
        request, answer = visit.read(), next(answers)
        if answer == BROKEN:
            visit.reset()
        elif answer in (TAKEN, CUT) and request:
            job = b'{"status": "queued", "url": "http://%s/job/"}' % request.headers["Host"].encode()
            visit.send(response(202, job)[: -9 if answer == CUT else None])
        else:
            visit.send(answer)

    return behave


class Filed(NamedTuple):
    """What came of the recipe."""

    job: Any
    slept: list[float]
    requests: list[Request]


@pytest.fixture(name="file")
def file_(tmp_path: Path) -> Callable[..., Filed]:
    """Return what files a receipt by the recipe, with a service that answers so."""
    receipt = pictures(tmp_path, range(1)) / "000.jpg"

    def file(*script: bytes) -> Filed:
        recipe: dict[str, Any] = {}
        exec(compile(PRINTED[1] if PRINTED else "", "docs/api.md", "exec"), recipe)  # noqa: S102 - it is our own
        slept: list[float] = []
        recipe["time"] = SimpleNamespace(sleep=slept.append)
        with stub_server(following(*script)) as server:
            job = recipe["file_receipt"](receipt, service=server.url, key=KEY, database=DATABASE_ID)
        assert {request.headers["Authorization"] for request in server.requests} == {f"Api-Key {KEY}"}
        return Filed(job, slept, server.requests)

    return file


def test_it_uploads_and_asks_when_it_is_told_to_until_the_job_has_ended(file: Callable[..., Filed]) -> None:
    filed = file(TAKEN, OPEN, OPEN, ENDED)
    assert filed.job == {"status": "success", "result_message": "Filed."}
    assert filed.slept == [2, 2]
    assert [(request.method, request.target) for request in filed.requests] == [
        ("POST", "/api/v1/receipts/upload"), ("GET", "/job/"), ("GET", "/job/"), ("GET", "/job/"),
    ]  # fmt: skip
    assert DATABASE_ID.encode() in filed.requests[0].body


def test_it_sends_again_what_was_not_taken_under_the_same_key_and_asks_again(file: Callable[..., Filed]) -> None:
    filed = file(BUSY, BROKEN, CUT, SLOW, TAKEN, BUSY, ENDED)
    assert filed.slept == [5, 2, 4, 8, 5]
    uploads = [request for request in filed.requests if request.method == "POST"]
    assert (len(uploads), len({request.headers["Idempotency-Key"] for request in uploads})) == (5, 1)


def test_it_says_what_the_service_says_of_what_is_refused(file: Callable[..., Filed]) -> None:
    with pytest.raises(ValueError, match=r"^Send JPEG\.$"):
        file(REFUSED)
