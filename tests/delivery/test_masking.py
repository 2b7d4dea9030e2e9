"""What an event keeps of a delivery: what was asked and what was answered, bounded, and without a secret."""

import base64
import json

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.masking import KEPT, masked, readable
from jobs.models import JobLog
from jobs.signatures import callback_token
from tests.factories import JobFactory
from tests.support.callback_posts import report
from tests.support.job_lifecycle import delivered, json_answer, reported, uploaded
from tests.support.job_pages import text_of
from tests.support.staff import auditor

pytestmark = pytest.mark.django_db

LONG = "abcdefghij0123456789abcdefghij"


@pytest.fixture
def browser() -> Browser:
    return auditor()


def test_a_delivery_keeps_what_was_asked_and_answered(browser: Browser) -> None:
    request = {"host": "n8n.example", "bytes": 1234, "content_type": "image/jpeg", "signed": True}
    job = delivered(JobFactory.create(), json_answer(503, {"message": "busy"}, request=request, milliseconds=7))
    detail = job.events.get(kind="refused").detail
    assert detail["request"] == request
    assert detail["answer"] == {
        "status": 503, "content_type": "application/json", "bytes": 19, "body": '{"message": "busy"}',
    }  # fmt: skip
    text = text_of(browser, job)
    for part in ("n8n.example", "{&quot;message&quot;: &quot;busy&quot;}", "<dt>signed</dt><dd>yes</dd>"):
        assert part in text


def test_no_end_of_a_secret_is_left_by_a_shorter_one_within_it(settings: LazySettings) -> None:
    settings.N8N_API_KEY, settings.CALLBACK_SECRET_TOKEN = "some key or other", ["a key: some key or other, of old"]
    assert masked("It was a key: some key or other, of old.", JobFactory.create()) == "It was …."


def test_n8ns_own_words_of_its_webhook_stay_readable(settings: LazySettings) -> None:
    settings.N8N_WEBHOOK_URL = "https://n8n.example/webhook/my-path"
    said = 'The requested webhook "POST my-path" is not registered.'
    assert masked(said, JobFactory.create()) == 'The requested webhook "POST …" is not registered.'


def test_without_an_answer_there_is_only_the_request() -> None:
    job = delivered(JobFactory.create(), Answer(error=ErrorCode.CUT, request={"host": "n8n.example"}))
    detail = job.events.get(kind="unconfirmed").detail
    assert detail["request"] == {"host": "n8n.example"}
    assert "answer" not in detail


def test_no_secret_of_ours_is_kept_of_an_answer(settings: LazySettings) -> None:
    settings.N8N_WEBHOOK_URL = "https://n8n.example/webhook/my-path/sub%20path?key=short"
    settings.N8N_API_KEY, settings.CALLBACK_SECRET_TOKEN = "four words of a key", ["call token"]
    settings.N8N_WEBHOOK_SECRET, settings.N8N_PUBLIC_API_KEY = ["hook secret"], "key of the API"
    job = JobFactory.create(filename="Käse alt.jpg")
    secrets = ["my-path", "sub path", "sub%20path", "short", "four words of a key", "call token", "hook secret",
               "key of the API", "Käse alt", callback_token(job.pk)]  # fmt: skip
    for body in (json.dumps(secrets), json.dumps(secrets, ensure_ascii=False), " ".join(secrets)):
        kept = readable(Answer(status=404, content_type="text/plain", body=body.encode()), job)
        assert kept.count("…") >= 5
        assert [secret for secret in secrets if secret in kept or json.dumps(secret)[1:-1] in kept] == []


@pytest.mark.parametrize(
    "quoted",
    [
        LONG,
        base64.b64encode(bytes(range(256))).decode(),
        base64.b64encode(bytes(range(256))).decode().replace("/", "\\/"),
        LONG.encode().hex(),
        "".join(f"%{byte:02X}" for byte in LONG.encode()),
        f"{LONG[:15]}.{LONG[:15]}",
        f"v1,{LONG}",
    ],
)
def test_nothing_as_long_as_a_secret_or_a_picture_is_kept(quoted: str) -> None:
    kept = masked(f'{{"message": "you sent {quoted}"}}', JobFactory.create())
    assert kept.startswith('{"message": "you sent ')
    assert quoted[-20:] not in kept
    assert len(kept) < 40


def test_that_there_was_more_of_an_answer_is_kept() -> None:
    job = delivered(JobFactory.create(), json_answer(503, {"message": "busy"}, goes_on=True))
    assert job.events.get(kind="refused").detail["answer"]["goes_on"] is True


def test_what_is_kept_is_bounded() -> None:
    body = ("word " * 20_000).encode()
    kept = readable(Answer(status=200, content_type="text/plain", body=body, goes_on=True), JobFactory.create())
    assert len(kept) == KEPT + 1


@pytest.mark.parametrize("shift", range(3))
def test_what_is_read_may_end_in_the_middle_of_a_letter(shift: int) -> None:
    body = ("€ " * 500 + "x" * shift).encode()
    assert "€ €" in readable(Answer(content_type="text/plain", body=body, goes_on=True), JobFactory.create())


def test_no_secret_of_ours_is_kept_of_an_answers_headers_either() -> None:
    job = JobFactory.create()
    token = callback_token(job.pk)
    delivered(job, Answer(status=503, content_type=f"text/{token}", retry_after=token))
    answer = job.events.get(kind="refused").detail["answer"]
    assert (answer["content_type"], answer["retry_after"]) == ("text/…", "…")


def test_of_a_secret_that_begins_as_another_does_no_end_is_kept(settings: LazySettings) -> None:
    settings.CALLBACK_SECRET_TOKEN = ["call token", "call token of May"]
    assert masked("It said: call token of May", JobFactory.create()) == "It said: …"


def test_a_secret_that_was_cut_in_two_is_not_kept() -> None:
    job = JobFactory.create()
    body = ("= " * 200 + callback_token(job.pk)[:20]).encode()
    kept = readable(Answer(content_type="", body=body, goes_on=True), job)
    assert set(kept) == {"=", " "}


@pytest.mark.parametrize(
    ("content_type", "body"), [("image/jpeg", b"\xff\xd8\xff"), ("image/png", b"text"), ("text/plain", b"\xff\xfe")]
)
def test_a_picture_is_never_kept(content_type: str, body: bytes) -> None:
    assert readable(Answer(status=200, content_type=content_type, body=body), JobFactory.create()) == ""


def test_what_n8n_answers_is_never_markup(browser: Browser) -> None:
    job = delivered(JobFactory.create(), json_answer(400, {"message": "<script>alert(1)</script>"}))
    text = text_of(browser, job)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


def test_what_a_workflow_says_is_kept_without_a_key_that_it_quotes(settings: LazySettings) -> None:
    job = delivered(uploaded())
    message = (
        f"Request failed: Authorization: Bearer {settings.N8N_API_KEY}, X-Callback-Token: {callback_token(job.pk)}"
    )
    reported(job, JobLog.Status.FAILURE, message=message, notion_page_url="", data=None)
    job.refresh_from_db()
    said = job.events.get(kind="failed").detail["message"]
    assert said == job.result_message == "Request failed: Authorization: Bearer …, X-Callback-Token: …"


def test_what_a_workflow_read_is_kept_without_a_key_that_it_hands_on(settings: LazySettings) -> None:
    job = delivered(uploaded())
    headers = {"authorization": f"Bearer {settings.N8N_API_KEY}"}
    handed_on = {"headers": headers, "items": [{callback_token(job.pk): 1}, "12,50", 12.5, None]}
    reported(job, JobLog.Status.SUCCESS, data=handed_on)
    job.refresh_from_db()
    assert job.result == {"headers": {"authorization": "Bearer …"}, "items": [{"…": 1}, "12,50", 12.5, None]}


@pytest.mark.parametrize("status", [400, 500, 503])
@pytest.mark.parametrize("quoted", ["my-path", "four words of a key", "Käse alt"])
def test_no_sentence_about_a_delivery_quotes_a_secret_or_the_files_name(
    quoted: str, status: int, settings: LazySettings
) -> None:
    settings.N8N_WEBHOOK_URL, settings.N8N_API_KEY = "https://n8n.example/webhook/my-path", "four words of a key"
    job = JobFactory.create(filename="Käse alt.jpg")
    delivered(job, json_answer(status, {"message": f"Cannot take {quoted} now"}))
    job.refresh_from_db()
    detail = job.events.latest("id").detail
    assert detail["message"].endswith(": Cannot take … now.")
    assert quoted not in f"{detail} {job.result_message}"


def test_no_part_of_a_key_is_kept_that_a_workflow_quotes_where_its_words_are_cut(settings: LazySettings) -> None:
    job = JobFactory.create(processing=True)
    report(job, status="failure", message=f"{'x' * 1990} {settings.N8N_API_KEY} and more")
    job.refresh_from_db()
    assert job.result_message == f"{'x' * 1990} … and mor"
