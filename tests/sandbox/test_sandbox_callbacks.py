"""The sandbox's callbacks, what it counts, and that it keeps no secret and stops at once."""

import tempfile
import threading
import time

import pytest
import requests
from django.conf import settings

from jobs.sandbox import Sandbox
from tests.support.installation import wait_for
from tests.support.sandbox_requests import (
    FORM,
    PATIENCE_SECONDS,
    TOKEN,
    Receiver,
    fields,
    form,
    post,
    quick_sandbox,
)

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
    wait_for(lambda: sandbox.stats()["callbacks_accepted"] == 1, "the report")
    assert sandbox.stats()["callbacks_failed"] == 2


@pytest.mark.parametrize("status", [503, 401, 302, 301])
def test_a_callback_is_given_up_after_five_tries_and_never_redirected(receiver: Receiver, status: int) -> None:
    receiver.answer_with(*[status] * 5)
    with quick_sandbox() as sandbox:
        post(sandbox, fields(receiver))
        assert [receiver.next().method for _ in range(5)] == ["POST"] * 5
        wait_for(lambda: sandbox.stats()["callbacks_failed"] == 5, "the last try")
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
    wait_for(lambda: sandbox.stats()["callbacks_failed"] == 5, "the last try")
    post(sandbox, fields(receiver))
    assert receiver.next().token == TOKEN


# -- counts, secrets, the end -----------------------------------------------------------------------------------------


def test_the_counts_can_be_asked_for_over_http(sandbox: Sandbox, receiver: Receiver) -> None:
    for query in ("", "?behaviour=answer-429"):
        post(sandbox, fields(receiver, job_id="a"), query=query)
    post(sandbox, fields(receiver, job_id="b"), query="?behaviour=silent")
    post(sandbox, fields(receiver, job_id="c"), headers={"Authorization": "Bearer wrong"})
    wait_for(lambda: sandbox.stats()["callbacks_accepted"] == 1, "the report")
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
    wait_for(lambda: "sandbox_called_back" in caplog.text, "the report")
    secrets = (TOKEN, settings.N8N_API_KEY, *settings.N8N_WEBHOOK_SECRET, sent["image_data"][:40])
    assert [secret for secret in secrets if secret in caplog.text] == []


def test_a_large_picture_does_not_touch_the_disk(
    sandbox: Sandbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *args: made.append(args))
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda *args: made.append(args))
    assert post(sandbox, fields(receiver, filler="x" * 5_000_000)).status_code == 200
    assert receiver.next().body["status"] == "success"
    assert post(sandbox, form(receiver, bytes(5_000_000)), headers={"Content-Type": FORM}).status_code == 200
    assert receiver.next().body["status"] == "failure"
    assert made == []


@pytest.mark.parametrize("query", ["", "?behaviour=slow"])
def test_it_stops_at_once_while_callbacks_and_slow_answers_wait(receiver: Receiver, query: str) -> None:
    threads = set(threading.enumerate())
    with quick_sandbox(delay=3600) as sandbox:
        poster = threading.Thread(target=post, args=(sandbox, fields(receiver)), kwargs={"query": query})
        poster.start()
        wait_for(lambda: bool(sandbox.stats()["deliveries"]), "the delivery")
        stopped_at = time.monotonic()
    poster.join()
    assert time.monotonic() - stopped_at < 3
    wait_for(lambda: set(threading.enumerate()) <= threads, "the end of its threads")
    assert receiver.callbacks.empty()


def test_after_it_has_stopped_nobody_listens() -> None:
    with quick_sandbox() as sandbox:
        pass
    with pytest.raises(requests.ConnectionError):
        post(sandbox, fields())
