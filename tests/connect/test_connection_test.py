"""The test of the connection: each step as it happens, what is wrong, and the cure."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from accounting.clock import seconds_since_boot
from jobs import identity
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.models import JobLog
from jobs.services import claim_job
from jobs.sweep import sweep
from tests.support.canary_lifecycle import aged, answered, returned, sent
from tests.support.staff import words_of
from tests.support.stub_n8n import KEY, stub_n8n

from .connect_page import CONNECT, page_text

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

UNCLEAR = Answer(status=200, milliseconds=8)  # nothing in it says that N8N took it
INACTIVE = b'{"code": 404, "message": "The requested webhook \\"POST receipts\\" is not registered."}'


def press(browser: Browser) -> str:
    return words_of(browser.post(f"{CONNECT}test/", follow=True))


def test_before_any_test_the_steps_to_come_are_shown(operator: Browser) -> None:
    text = page_text(operator)
    assert "Nothing was sent yet. Queued Claimed by a worker Reached N8N Accepted Called back" in text


def test_the_button_sends_a_canary_and_is_written_down(operator: Browser, rung: Callable[[], list[str]]) -> None:
    text = press(operator)
    assert "It is on its way … Queued 0 ms Claimed by a worker" in text
    job = JobLog.objects.get()
    assert job.is_canary
    assert job.events.get().actor == "oscar"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(job.pk), "sent to test N8N")


def test_a_picture_that_cannot_be_stored_is_told(operator: Browser, settings: LazySettings) -> None:
    settings.MEDIA_ROOT = "/proc/nowhere"
    assert "Nothing was sent. The picture could not be stored (" in (told := press(operator))
    assert "): look at MEDIA_ROOT or S3_BUCKET." in told
    assert not JobLog.objects.exists()


def test_one_that_came_back_shows_each_step_with_its_milliseconds(viewer: Browser) -> None:
    returned()
    text = page_text(viewer)
    assert re.search(r"It works: to N8N and back in [\d,]+ ms\.", text)
    assert re.search(r"Reached N8N \d+ ms HTTP 200 after 12 ms Accepted \d+ ms execution 17 Called back \d+ ms", text)


def running_for(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_STARTED", seconds_since_boot() - seconds)


def test_an_old_one_says_how_old_it_is(viewer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    running_for(3600, monkeypatch)
    job = returned()
    assert "It works: to N8N and back" in page_text(viewer)
    aged(job, 600)
    text = page_text(viewer)
    assert "It worked 10 min ago: to N8N and back" in text
    assert "UTC, 10 min ago." in text
    assert "It works" not in text
    assert "this says nothing" not in text
    assert "verdict-good" in viewer.get(CONNECT).content.decode()


@pytest.mark.parametrize("status", [JobLog.Status.SUCCESS, JobLog.Status.FAILURE])
def test_one_that_was_sent_before_the_settings_were_read_does_not_answer_for_them(
    viewer: Browser, monkeypatch: pytest.MonkeyPatch, status: JobLog.Status
) -> None:
    running_for(300, monkeypatch)
    aged(returned(status=status), 600)
    page = viewer.get(CONNECT)
    assert "The web was started after that: of a setting that was changed since, this says nothing." in words_of(page)
    assert "verdict-past" in page.content.decode()


def test_one_that_came_back_with_a_failure_is_no_success(viewer: Browser) -> None:
    returned(status=JobLog.Status.FAILURE, message="Nothing works.")
    text = page_text(viewer)
    assert "the workflow reported a failure" in text
    assert "failure: Nothing works." in text


@pytest.mark.parametrize(
    ("answer", "step", "cure"),
    [
        (Answer(status=404, content_type="application/json", body=INACTIVE), "Not accepted", "Activate the workflow"),
        (Answer(status=403, content_type="text/plain", body=b"wrong"), "Not accepted", "Give N8N_API_KEY"),
        (Answer(error=ErrorCode.UNREACHABLE), "Not reached N8N", "See that N8N runs"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(viewer: Browser, answer: Answer, step: str, cure: str) -> None:
    answered(sent(), answer)
    text = page_text(viewer)
    assert "It did not get through, and is tried again …" in text
    assert step in text
    assert cure in text


def overdue(job: JobLog) -> JobLog:
    JobLog.objects.filter(pk=job.pk).update(due_at=job.created_at)
    sweep()
    return JobLog.objects.get(pk=job.pk)


def lost_by_its_worker() -> JobLog:
    job = sent()
    claim_job(job.pk, worker="w1")
    return overdue(job)


def given_up() -> None:
    answered(sent(), Answer(status=503))
    aged(sent(), 1)  # the next one gives it up; it is looked at all the same


@pytest.mark.parametrize(
    ("arrange", "read"),
    [
        (sent, "Queued, (Claimed by a worker), (Reached N8N), (Accepted), (Called back)"),
        (lambda: answered(sent()), "Queued, Claimed by a worker, Reached N8N, Accepted, (Called back)"),
        (returned, "Queued, Claimed by a worker, Reached N8N, Accepted, Called back"),
        (
            lambda: answered(sent(), Answer(error=ErrorCode.UNREACHABLE)),
            "Queued, Claimed by a worker, Not reached N8N, (Accepted), (Called back)",
        ),
        (
            lambda: answered(sent(), Answer(status=503)),
            "Queued, Claimed by a worker, Reached N8N, Not accepted, (Called back)",
        ),
        (
            lambda: answered(sent(), Answer(status=422)),
            "Queued, Claimed by a worker, Reached N8N, Not accepted, (Called back)",
        ),
        (
            lambda: answered(sent(), UNCLEAR),
            "Queued, Claimed by a worker, Reached N8N, Perhaps not accepted, (Called back)",
        ),
        (
            lambda: answered(sent(), Answer(error=ErrorCode.TIMED_OUT)),
            "Queued, Claimed by a worker, Perhaps not reached N8N, (Accepted), (Called back)",
        ),
        (lost_by_its_worker, "Queued, Claimed by a worker, Perhaps not reached N8N, (Accepted), (Called back)"),
        (
            lambda: overdue(answered(sent(), UNCLEAR)),
            "Queued, (Claimed by a worker), (Reached N8N), (Accepted), (Called back)",
        ),
        (
            lambda: overdue(answered(sent())),
            "Queued, Claimed by a worker, Reached N8N, Accepted, Not called back",
        ),
        (given_up, "Queued, Claimed by a worker, Reached N8N, Not accepted, (Called back)"),
        (
            lambda: returned(answered(sent(), UNCLEAR)),
            "Queued, Claimed by a worker, Reached N8N, Accepted, Called back",
        ),
        (
            lambda: returned(overdue(answered(sent()))),
            "Queued, Claimed by a worker, Reached N8N, Accepted, Called back",
        ),
        (
            lambda: returned(lost_by_its_worker()),
            "Queued, Claimed by a worker, Reached N8N, Accepted, Called back",
        ),
        (
            lambda: returned(overdue(answered(sent(), UNCLEAR))),
            "Queued, Claimed by a worker, Reached N8N, Accepted, Called back",
        ),
    ],
)
def test_whatever_came_of_it_each_stage_stands_there_once(
    viewer: Browser, arrange: Callable[[], object], read: str
) -> None:
    """In brackets what has not come yet."""
    arrange()
    page = viewer.get(CONNECT).content.decode()
    stages = re.findall(r'<li class="([a-z ]+)" data-key="(?:step|ahead)-.*?<span class="stage">(.*?)</span>', page)
    assert ", ".join(f"({name})" if "ahead" in looks else name for looks, name in stages) == read


@pytest.mark.parametrize("answer", [UNCLEAR, Answer(error=ErrorCode.TIMED_OUT)])
def test_what_n8n_may_have_is_not_called_lost(viewer: Browser, answer: Answer) -> None:
    answered(sent(), answer)
    text = page_text(viewer)
    assert "N8N may have it: its callback is waited for …" in text
    assert "did not get through" not in text


def test_of_many_tries_the_last_is_shown(viewer: Browser) -> None:
    job = sent()
    for _ in range(3):
        answered(job, Answer(error=ErrorCode.UNREACHABLE))
        JobLog.objects.update(due_at=job.created_at)
    text = page_text(viewer)
    assert "Try 3." in text
    assert text.count("Not reached N8N") == 1


def test_one_that_takes_long_says_what_may_be_the_matter(viewer: Browser) -> None:
    job = sent()
    assert "No worker has taken it" not in page_text(viewer)
    aged(job, 10)
    page = viewer.get(CONNECT)
    for words in ("It waits.", "No worker has taken it"):
        assert words in words_of(page)
    assert "verdict-warn" in page.content.decode()
    assert 'class="ahead next"' not in page.content.decode()


def test_its_steps_say_how_long_they_took_as_its_outcome_does(viewer: Browser) -> None:
    job = returned()
    JobLog.objects.filter(pk=job.pk).update(created_at=job.created_at - timedelta(seconds=3))
    found = re.search(r"to N8N and back in (3,\d{3} ms)\.", page_text(viewer))
    assert found is not None
    assert f"Called back {found[1]}" in page_text(viewer)


def test_one_that_was_refused_for_good_did_not_come_back(viewer: Browser) -> None:
    answered(sent(), Answer(status=400, content_type="application/json", body=b"{}"))
    assert "It did not come back. N8N refused" in page_text(viewer)


# -- its script


def ask_again(browser: Browser, version: str = "") -> Any:
    return browser.get(CONNECT, headers={"X-Live": "1", "If-None-Match": f'"{version}"'})


def test_the_script_gets_the_test_alone_and_nothing_where_nothing_changed(viewer: Browser) -> None:
    job = sent()
    part = ask_again(viewer)
    text = part.content.decode()
    assert "It is on its way" in text
    assert "<h1" not in text
    version = re.search(r'data-live-version="(\w+)"', text)
    assert version is not None
    assert ask_again(viewer, version[1]).status_code == 304
    answered(job)
    assert ask_again(viewer, version[1]).status_code == 200


def test_the_script_keeps_n8n_out_of_it(viewer: Browser, settings: LazySettings) -> None:
    with stub_n8n() as n8n:
        settings.N8N_BASE_URL, settings.N8N_PUBLIC_API_KEY = n8n.url, KEY
        ask_again(viewer)
        assert n8n.calls == []
        viewer.get(CONNECT)
        assert n8n.calls != []


def test_the_script_asks_while_there_is_something_to_come(viewer: Browser) -> None:
    def seconds() -> str:
        found = re.search(r'data-live-seconds="(\d*)"', viewer.get(CONNECT).content.decode())
        assert found is not None
        return found[1]

    assert seconds() == ""
    job = sent()
    assert seconds() == "1"
    aged(job, 3600)  # nobody waits for it any more
    assert seconds() == ""
    returned(answered(sent()))
    assert seconds() == ""
