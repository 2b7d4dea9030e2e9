"""What an answer of N8N means: a pure function of the answer, the try and the schedule."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from .delivery_errors import (
    AT_LAST,
    MAY_HAVE_BEEN_SENT,
    MENDED_BY_PEOPLE,
    NOT_EXECUTED,
    OF_ANSWERS,
    ErrorCode,
    find_wrong_setting,
)
from .failures import FailureCode
from .models import JobLog
from .texts import text

MAX_RETRY_AFTER_SECONDS = 3600
MAX_SENTENCE = 200
MAX_WORD = 24
JITTER = 0.25  # a delay grows by up to a quarter, so that receipts refused together do not return together

NOT_TAKEN = frozenset({408, 429})
MAY_HAVE_ARRIVED = {504: "n8n_gateway_timeout", 524: "n8n_cloud_timeout"}
TOO_LARGE = 413
WORKFLOW_ERROR = "Error in workflow"
STOPPED = "The execution was cancelled"  # by somebody, or by the workflow's own time-out; it may have filed it before
NO_JSON = object()  # null is some
# N8N answers so until it is ready; its node Respond to Webhook calls every text text/html, unless it is told otherwise
PAGE = re.compile(rb"\A\s*<(?:!doctype|html)\b|n8n is starting up", re.IGNORECASE)

Refuse = Callable[..., "Decision"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One exchange with N8N, as far as it went.

    Attributes:
        status: HTTP status, 0 where none came.
        content_type: without its parameters, in lower case.
        body: its beginning, as far as it was to be read.
        goes_on: there was more of the body than that.
        retry_after: the header's value.
        error: why there is no complete answer, if there is none.
        milliseconds: how long it took.
        request: what was sent, in facts that may be written down; empty where nothing could be.
    """

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    goes_on: bool = False
    retry_after: str = ""
    error: ErrorCode | None = None
    milliseconds: int = 0
    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows from an answer.

    Attributes:
        status: the job's next status: processing, queued or failure.
        confirmed: N8N said that it took the receipt.
        code: a stable code; the failure's, or that of what went wrong; empty where nothing did.
        refused_for: of a failure that nothing was sent for, or no try was left for, the code of what went wrong last.
        sentence: the same for people.
        delay: seconds until the next try, where there is one.
        needs_attention: only a changed setting will help.
        execution_id: N8N's id of the execution, where it told.
        workflow_id: N8N's id of the workflow, where it told.
    """

    status: JobLog.Status
    confirmed: bool = False
    code: str = ""
    refused_for: str = ""
    sentence: str = ""
    delay: float = 0.0
    needs_attention: bool = False
    execution_id: str = ""
    workflow_id: str = ""


def decide(
    answer: Answer,
    *,
    tries: int,
    schedule: Sequence[int],
    now: datetime,
    jitter: float,
    masked: Callable[[str], str] = str,
) -> Decision:
    """Say what an answer means for the job.

    Args:
        answer: what came of the delivery.
        tries: how many deliveries this round has had, this one included.
        schedule: seconds to wait after the first, second, … refused delivery; none left ends the job.
        now: by the database's clock.
        jitter: a number from 0 to 1, drawn by the caller.
        masked: takes out of N8N's words what is to be told to nobody.

    Returns:
        What is to be done. The rules are the design's, from N8N's answers as observed (docs/architecture.md).
    """
    refused = partial(_refused, answer, tries=tries, schedule=schedule, now=now, jitter=jitter)
    if answer.error is not None:
        return _decide_error(answer.error, refused)
    if 200 <= answer.status < 300:
        return _decide_success(answer, refused)
    if wrong := find_wrong_setting(answer.status, answer.body, answer.request.get("bytes", 0)):
        return refused(wrong.code, wrong.sentence, needs_attention=True, at_last=wrong.at_last)
    if code := MAY_HAVE_ARRIVED.get(answer.status):
        return _unconfirmed(code, f"{OF_ANSWERS[code]} ({answer.status}).")
    if answer.status == 500 and _message(answer) == WORKFLOW_ERROR:
        return _failed(FailureCode.WORKFLOW_FAILED, f"{FailureCode.WORKFLOW_FAILED.label}: {WORKFLOW_ERROR}.")
    if answer.status == 500 and _message(answer).startswith(STOPPED):
        return _failed(FailureCode.WORKFLOW_STOPPED, f"{FailureCode.WORKFLOW_STOPPED.label}.")
    if answer.status == 500 and NOT_EXECUTED in answer.body:
        return _unconfirmed("n8n_run_unclear", f"{OF_ANSWERS['n8n_run_unclear']}.")
    if answer.status in NOT_TAKEN or answer.status >= 500:
        return refused("n8n_busy", _with_message(f"N8N answered {answer.status}", masked(_message(answer))))
    if answer.status < 200:
        return _unconfirmed("n8n_answer_unclear", f"N8N answered {answer.status} and nothing more.")
    return _decide_rejection(answer, masked(_message(answer)))


def _decide_rejection(answer: Answer, said: str) -> Decision:
    """Say how a job ends that N8N would not take however often it came: by 3xx, or by 4xx that no setting mends."""
    if answer.status < 400:
        return _failed(FailureCode.N8N_REDIRECTED, f"{FailureCode.N8N_REDIRECTED.label} ({answer.status}).")
    if answer.status == TOO_LARGE:
        return _failed(FailureCode.PAYLOAD_TOO_LARGE, f"{FailureCode.PAYLOAD_TOO_LARGE.label} ({TOO_LARGE}).")
    return _failed(FailureCode.N8N_REJECTED, _with_message(f"N8N refused the request ({answer.status})", said))


def _decide_error(error: ErrorCode, refused: Refuse) -> Decision:
    if error in MAY_HAVE_BEEN_SENT:
        return _unconfirmed(error, error.label)
    if error is ErrorCode.FILE_UNREADABLE:
        return _failed(FailureCode.FILE_UNREADABLE, error.label, refused_for=error)
    at_last = AT_LAST.get(error, FailureCode.N8N_UNAVAILABLE)
    return refused(error, error.label, needs_attention=error in MENDED_BY_PEOPLE, at_last=at_last)


def _decide_success(answer: Answer, refused: Refuse) -> Decision:
    body = json_of(answer)
    if body is NO_JSON and answer.content_type == "text/html" and PAGE.search(answer.body):
        return refused("n8n_starting", f"{OF_ANSWERS['n8n_starting']}.")
    if body is NO_JSON and answer.goes_on and answer.content_type == "application/json":
        return Decision(status=JobLog.Status.PROCESSING, confirmed=True)  # a workflow that echoes what it was sent
    if body is NO_JSON:
        return _unconfirmed("n8n_answer_unclear", f"N8N answered {answer.status} without JSON.")
    return Decision(
        status=JobLog.Status.PROCESSING,
        confirmed=True,
        execution_id=_id_in(body, "execution_id", "executionId"),
        workflow_id=_id_in(body, "workflow_id", "workflowId"),
    )


def _id_in(body: Any, *names: str) -> str:
    """Return an id that a workflow answers with, under whichever of the names; "" where it tells none."""
    return next(filter(None, (text(body, name) for name in names)), "")[: JobLog.MAX_EXECUTION_ID]


def _refused(
    answer: Answer,
    code: str,
    sentence: str,
    *,
    tries: int,
    schedule: Sequence[int],
    now: datetime,
    jitter: float,
    needs_attention: bool = False,
    at_last: FailureCode = FailureCode.N8N_UNAVAILABLE,
) -> Decision:
    """N8N has not taken it: another try by the schedule, or the end."""
    if tries > len(schedule):
        return _failed(at_last, sentence, refused_for=code)
    planned = schedule[tries - 1] * (1 + JITTER * jitter)
    return Decision(
        status=JobLog.Status.QUEUED,
        code=code,
        sentence=sentence,
        delay=max(planned, parse_retry_after(answer.retry_after, now)),
        needs_attention=needs_attention,
    )


def _unconfirmed(code: str, sentence: str) -> Decision:
    return Decision(status=JobLog.Status.PROCESSING, code=code, sentence=sentence)


def _failed(code: FailureCode, sentence: str, *, refused_for: str = "") -> Decision:
    return Decision(status=JobLog.Status.FAILURE, code=code, sentence=sentence, refused_for=refused_for)


def longest_delay(planned: int) -> float:
    """Return the most seconds that it may be until the next try where so many are planned."""
    return max(planned * (1 + JITTER), MAX_RETRY_AFTER_SECONDS)


def parse_retry_after(value: str, now: datetime) -> float:
    """Return the seconds that `Retry-After` asks for (RFC 9110 section 10.2.3), at most an hour, 0 if unreadable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return 0.0
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def json_of(answer: Answer) -> Any:
    """Return what an answer holds, or `NO_JSON`."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return NO_JSON


def _message(answer: Answer) -> str:
    return text(json_of(answer), "message")


def _with_message(sentence: str, said: str) -> str:
    """Add what N8N said; no word is as long as the keys, addresses and data that it may quote of the request."""
    words = ("…" if len(word) > MAX_WORD else word for word in said.split())
    message = " ".join(words)[:MAX_SENTENCE].rstrip(".")
    return f"{sentence}: {message}." if message else f"{sentence}."
