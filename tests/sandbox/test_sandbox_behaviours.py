"""What the sandbox does with a receipt: it reports as N8N does, or misbehaves as it was told to."""

import base64
from typing import Any

import pytest

from jobs.sandbox import Behaviour, Sandbox
from tests.support.installation import wait_for
from tests.support.sandbox_requests import FORM, PICTURE, TOKEN, Receiver, fields, form, post, quick_sandbox

NO_REPORT = ("silent", "empty", "answer-404", "answer-429", "answer-500")


def test_success_is_reported_with_the_jobs_token_and_marked_as_made_up(sandbox: Sandbox, receiver: Receiver) -> None:
    execution_id = post(sandbox, fields(receiver)).json()["execution_id"]
    callback = receiver.next()
    assert callback.token == TOKEN
    assert "notion_page_url" not in callback.body  # it files nothing
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
    wait_for(lambda: sandbox.stats()["callbacks_accepted"] == 2, "both reports")


@pytest.mark.parametrize("behaviour", NO_REPORT)
def test_some_behaviours_never_report(receiver: Receiver, behaviour: str) -> None:
    with quick_sandbox(behaviour=Behaviour(behaviour)) as sandbox:
        post(sandbox, fields(receiver, job_id="quiet"))
        post(sandbox, fields(receiver, job_id="loud"), query="?behaviour=failure")
        assert receiver.next().body["status"] == "failure"
        wait_for(lambda: sandbox.stats()["callbacks_accepted"] == 1, "the report")
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
    with quick_sandbox(delay=3600) as sandbox:
        assert post(sandbox, fields(receiver)).status_code == 200  # the others answer before it
    with quick_sandbox(delay=0.4) as sandbox:
        assert post(sandbox, fields(receiver), query="?behaviour=slow").elapsed.total_seconds() >= 0.4
        assert receiver.next().body["status"] == "success"


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


@pytest.mark.parametrize(
    ("damaged", "status"), [(PICTURE, "success"), (PICTURE[:-1], "failure"), (b"", "failure"), (None, "failure")]
)
def test_a_picture_in_a_form_is_checked_as_well(
    sandbox: Sandbox, receiver: Receiver, damaged: bytes | None, status: str
) -> None:
    assert post(sandbox, form(receiver, damaged), headers={"Content-Type": FORM}).status_code == 200
    assert receiver.next().body["status"] == status
