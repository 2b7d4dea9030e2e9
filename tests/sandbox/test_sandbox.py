"""The sandbox over real HTTP: it takes what a good workflow would take, and refuses the rest as N8N does."""

import pytest
import requests
from django.conf import LazySettings

from jobs.encodings import ENCODINGS
from jobs.payload import Payload
from jobs.sandbox import Sandbox
from tests.factories import JobFactory
from tests.support.sandbox_requests import FORM, PATIENCE_SECONDS, Receiver, fields, post, quick_sandbox


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
@pytest.mark.parametrize("form", ENCODINGS)
def test_what_the_service_sends_is_what_the_sandbox_takes(
    sandbox: Sandbox, receiver: Receiver, settings: LazySettings, form: str
) -> None:
    settings.N8N_PAYLOAD = form
    settings.CALLBACK_BASE_URL = receiver.url
    job = JobFactory.create(sending=True)
    body = Payload(job)
    assert post(sandbox, b"".join(body), headers={"Content-Type": body.content_type}).status_code == 200
    assert receiver.next().body["status"] == "success"
    assert sandbox.stats()["deliveries"] == {str(job.pk): 1}


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


@pytest.mark.parametrize(("content_type", "status"), [(FORM, 422), ("multipart/form-data", 400)])
def test_what_is_no_form_is_refused(sandbox: Sandbox, content_type: str, status: int) -> None:
    assert post(sandbox, b"no form", headers={"Content-Type": content_type}).status_code == status


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


def test_a_form_over_n8ns_limit_gets_n8ns_answer(sandbox: Sandbox, settings: LazySettings) -> None:
    settings.N8N_MAX_PAYLOAD_MB = 1
    answer = post(sandbox, bytes(1024 * 1024 + 1), headers={"Content-Type": FORM})
    assert answer.status_code == 413
    assert answer.json()["code"] == 413


def test_other_addresses_are_webhooks_that_nobody_registered(sandbox: Sandbox) -> None:
    for path in ("/webhook/receipts", "/", "/stats/"):
        answer = requests.get(sandbox.url + path, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 404
        assert answer.json()["message"].endswith("is not registered.")
