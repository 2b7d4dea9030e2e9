"""What an answer of N8N means, as a table."""

from datetime import UTC, datetime

import pytest

from jobs.answers import Answer, Decision, decide, parse_retry_after
from jobs.delivery_errors import NOT_EXECUTED, ErrorCode
from jobs.models import JobLog

SCHEDULE = [5, 30, 120]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
QUEUED, PROCESSING, FAILURE = JobLog.Status.QUEUED, JobLog.Status.PROCESSING, JobLog.Status.FAILURE


def answer(status: int, body: bytes = b"", content_type: str = "application/json", retry_after: str = "") -> Answer:
    return Answer(status=status, body=body, content_type=content_type, retry_after=retry_after)


def decision(given: Answer, tries: int = 1) -> Decision:
    return decide(given, tries=tries, schedule=SCHEDULE, now=NOW, jitter=0.0)


@pytest.mark.parametrize(
    ("given", "execution_id", "workflow_id"),
    [
        (answer(200, b'{"message":"Workflow was started"}'), "", ""),
        (answer(200, b'{"accepted":true,"execution_id":"3"}'), "3", ""),
        (
            answer(200, b'{"accepted":true,"execution_id":"3","workflow_id":"wf4EZnTJHk2c8oQX"}'),
            "3",
            "wf4EZnTJHk2c8oQX",
        ),
        (answer(200, b'{"executionId":3,"workflowId":4}'), "3", "4"),
        (answer(200, b'{"execution_id":"3"}', "text/html"), "3", ""),  # a text of the node Respond to Webhook
        (answer(202, b"[]"), "", ""),
        (answer(200, b"null"), "", ""),
        (answer(200, b'{"execution_id":{"no":"id"}}'), "", ""),
        (answer(200, b'{"said":"n8n is starting up"}', "text/html"), "", ""),
    ],
)
def test_a_2xx_with_json_is_accepted_and_awaits_the_callback(
    given: Answer, execution_id: str, workflow_id: str
) -> None:
    decided = decision(given)
    assert (decided.status, decided.confirmed, decided.code) == (PROCESSING, True, "")
    assert (decided.execution_id, decided.workflow_id) == (execution_id, workflow_id)


def test_an_execution_id_is_cut_where_its_column_ends() -> None:
    decided = decision(answer(200, b'{"execution_id":"' + b"3" * 1000 + b'"}'))
    assert decided.execution_id == "3" * (JobLog._meta.get_field("n8n_execution_id").max_length or 0)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Answer(error=ErrorCode.UNREACHABLE), "n8n_unreachable"),
        (answer(200, b"n8n is starting up. Please wait", "text/html"), "n8n_starting"),
        (answer(200, b"\n<!DOCTYPE html>\n<title>n8n</title>", "text/html"), "n8n_starting"),
        (answer(408), "n8n_busy"),
        (answer(502, NOT_EXECUTED), "n8n_busy"),  # whoever quotes N8N is not N8N
        (answer(429), "n8n_busy"),
        (answer(502, b"<html>", "text/html"), "n8n_busy"),
        (answer(503), "n8n_busy"),
        (answer(500, b'["Error in workflow"]'), "n8n_busy"),
        (answer(502, b'{"message":"Error in workflow"}'), "n8n_busy"),  # another's word: N8N says it with 500
    ],
)
def test_what_n8n_did_not_take_is_queued_by_the_schedule(given: Answer, code: str) -> None:
    decided = decision(given, tries=2)
    assert (decided.status, decided.code, decided.delay) == (QUEUED, code, 30)
    assert not decided.needs_attention


@pytest.mark.parametrize(
    "given",
    [
        answer(200),
        answer(200, b"OK", "text/plain"),
        answer(200, b"OK", "text/html"),  # as N8N's node Respond to Webhook calls a text
        answer(200, b"<p>We have it.</p>", "text/html"),
        answer(200, b"", "text/html"),
        answer(200, b"<html>", "text/plain"),  # no page of N8N's or of a proxy's
        Answer(status=200, body=b"OK", content_type="text/plain", goes_on=True),
        answer(200, b'{"cut'),
        answer(204),
        answer(103),
        answer(504),
        answer(524),
        Answer(error=ErrorCode.TIMED_OUT),
        Answer(error=ErrorCode.CUT),
        answer(200, b"[" * 60_000),
    ],
)
def test_what_may_have_arrived_awaits_the_callback_unconfirmed(given: Answer) -> None:
    decided = decision(given)
    assert (decided.status, decided.confirmed) == (PROCESSING, False)
    assert decided.code
    assert decided.sentence


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (answer(500, b'{"message":"Error in workflow"}'), "workflow_failed"),
        (answer(300), "n8n_redirected"),
        (answer(301), "n8n_redirected"),
        (answer(307), "n8n_redirected"),
        (answer(400), "n8n_rejected"),
        (answer(413), "payload_too_large"),
        (answer(422, b'{"message":"Failed to parse request body"}'), "n8n_rejected"),
        (Answer(error=ErrorCode.FILE_UNREADABLE), "file_unreadable"),
    ],
)
def test_what_would_fail_again_ends_the_job(given: Answer, code: str) -> None:
    decided = decision(given)
    assert (decided.status, decided.code) == (FAILURE, code)
    assert decided.sentence.endswith(".")


@pytest.mark.parametrize("given", [*map(answer, (401, 403, 404, 410)), Answer(error=ErrorCode.UNTRUSTED)])
def test_a_wrong_setting_ends_no_receipt_but_needs_attention_at_once(given: Answer) -> None:
    decided = decision(given)
    assert (decided.status, decided.needs_attention, decided.delay) == (QUEUED, True, 5)


@pytest.mark.parametrize(
    ("error", "is_mended_by_people", "code"),
    [
        (ErrorCode.FILE_MISSING, True, "file_missing"),
        (ErrorCode.NOT_PREPARED, True, "not_sent"),
        (ErrorCode.STORAGE_AWAY, True, "not_sent"),
        (ErrorCode.PUT_OFF, False, "not_sent"),
    ],
)
def test_what_is_amiss_with_the_file_or_the_machine_is_tried_by_the_schedule_too(
    error: ErrorCode, is_mended_by_people: bool, code: str
) -> None:
    first, last = decision(Answer(error=error)), decision(Answer(error=error), tries=len(SCHEDULE) + 1)
    assert (first.status, first.code, first.needs_attention) == (QUEUED, error, is_mended_by_people)
    assert (last.status, last.code, last.refused_for) == (FAILURE, code, error)


@pytest.mark.parametrize("given", [answer(503), answer(404), Answer(error=ErrorCode.UNREACHABLE)])
def test_with_no_try_left_a_refused_job_ends_as_unavailable(given: Answer) -> None:
    assert decision(given, tries=len(SCHEDULE)).status == QUEUED
    ended = decision(given, tries=len(SCHEDULE) + 1)
    assert (ended.status, ended.code) == (FAILURE, "n8n_unavailable")


def test_n8ns_own_words_are_told_in_one_bounded_line() -> None:
    long = b'{"message":"webhook\\n not registered ' + b"xxx " * 500 + b'"}'
    assert "webhook not registered xxx" in decision(answer(503, long)).sentence
    assert len(decision(answer(503, long)).sentence) < 300
    assert decision(answer(503, b'{"message":"Later."}')).sentence == "N8N answered 503: Later."


@pytest.mark.parametrize("secret", ["Bearer canary", "/webhook/canary?key=canary", "canary=="])
@pytest.mark.parametrize("status", [400, 500, 503])
def test_what_n8n_quotes_of_a_request_is_not_told(secret: str, status: int) -> None:
    long = secret.replace("canary", "canary" * 8)
    told = decision(answer(status, f'{{"message": "Cannot read {long} here"}}'.encode())).sentence
    assert "canary" not in told
    assert "Cannot read" in told
    assert "… here" in told


def test_the_webhooks_path_which_n8n_names_in_a_404_is_not_told() -> None:
    told = decision(answer(404, b'{"message":"The requested webhook \\"POST canary\\" is not registered."}')).sentence
    assert "canary" not in told
    assert "no active webhook" in told


def test_a_delay_grows_by_at_most_a_quarter() -> None:
    assert decide(answer(503), tries=1, schedule=[100], now=NOW, jitter=1.0).delay == 125


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("999999999999", 3600),
        ("9" * 5000, 3600),
        ("000000000090", 90),
        ("Mon, 23 Nov 2026 10:01:30 GMT", 90),
        ("Mon, 23 Nov 2026 10:01:30 -0000", 90),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("²", 0),
        ("", 0),
    ],
)
def test_retry_after_is_honoured_up_to_an_hour(header: str, seconds: int) -> None:
    assert parse_retry_after(header, NOW) == seconds


def test_retry_after_lengthens_the_schedule_and_never_shortens_it() -> None:
    assert decision(answer(429, retry_after="60")).delay == 60
    assert decision(answer(429, retry_after="1")).delay == 5
    assert decision(answer(429, retry_after="Mon, 23 Nov 2026 10:01:30 GMT")).delay == 90
