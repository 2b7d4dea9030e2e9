"""A search that cannot show all that fits shows the newest, and says so wherever that matters."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.utils import timezone

from jobs import search
from jobs.models import JobLog
from tests.factories import JobFactory, ReceiptFactory
from tests.support.job_lists import LIST, many
from tests.support.staff import operator

pytestmark = pytest.mark.django_db

SENTENCE = "Only the newest 200 that fit are found."
OLDER = "There may be older ones: only the newest "


@pytest.fixture
def browser() -> Browser:
    return operator()


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are looked for among the newest two only, and three are found at the most."""
    monkeypatch.setattr(search, "RECENT", 2)
    monkeypatch.setattr(search, "FOUND", 3)


def page(browser: Browser, **query: str) -> str:
    text: str = browser.get(LIST, query).content.decode()
    return text


def exported(browser: Browser, query: str) -> list[str]:
    answer: Any = browser.post(f"{LIST}export/?{query}")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    return [row["job_id"] for row in csv.DictReader(lines)]


def ids(jobs: list[JobLog]) -> list[str]:
    return [str(job.pk) for job in jobs]


def old(*names: str, **fields: Any) -> list[JobLog]:
    """Make jobs of these names, the newest first, and two others that came later."""
    receipt, now = ReceiptFactory.create(), timezone.now()
    JobFactory.create_batch(2, receipt=receipt, filename="other.jpg")
    return [
        JobFactory.create(receipt=receipt, filename=name, created_at=now - timedelta(days=day), **fields)
        for day, name in enumerate(names, 1)
    ]


def test_more_than_it_shows_are_not_cut_without_a_word(browser: Browser) -> None:
    jobs = many(201, result_message="Filed as Markt")
    assert SENTENCE in page(browser, q="markt")
    assert exported(browser, "q=markt") == ids(jobs[:200])
    last = browser.get(f"{LIST}?q=markt&p=older~{jobs[149].created_at.isoformat().replace('+', '%2B')}~{jobs[149].pk}")
    assert SENTENCE in last.content.decode()
    JobLog.objects.filter(pk=jobs[0].pk).update(result_message="")
    assert SENTENCE not in page(browser, q="markt")
    assert exported(browser, "q=markt") == ids(jobs[1:])


def test_of_many_names_that_begin_so_the_newest_are_shown_without_a_gap(browser: Browser) -> None:
    jobs = many(401)
    assert exported(browser, "q=many") == ids(jobs[:200])
    assert SENTENCE in page(browser, q="many")


@pytest.mark.usefixtures("_few")
def test_so_they_are_of_old_names(browser: Browser) -> None:
    jobs = old("IMG_41", "IMG_49", "IMG_45", "IMG_40")
    assert exported(browser, "q=IMG_4") == ids(jobs[:3])
    assert SENTENCE in page(browser, q="IMG_4")
    assert exported(browser, "q=IMG_40") == ids(jobs[3:])
    assert SENTENCE not in page(browser, q="IMG_40")


@pytest.mark.usefixtures("_few")
def test_filters_narrow_before_the_cut(browser: Browser) -> None:
    failed = old("IMG_47", "IMG_48", "IMG_49", failure=True)
    old("IMG_41", "IMG_42", "IMG_43", "IMG_44")
    assert exported(browser, "q=IMG_4&status__exact=failure") == ids(failed)
    assert SENTENCE not in page(browser, q="IMG_4", status__exact="failure")


@pytest.mark.usefixtures("_few")
def test_words_that_are_not_sought_among_older_jobs_are_not_answered_as_if_they_were(browser: Browser) -> None:
    [job] = old("lunch.jpg", result_message="Filed as Markt")
    answer = page(browser, q="markt")
    assert "No job is as you ask." in answer
    assert OLDER in answer
    assert OLDER in page(browser, q="other")  # two of them are found
    narrowed = page(browser, q="markt", on=f"{job.created_at:%Y-%m-%d}")
    assert str(job.pk) in narrowed
    assert 'class="left-out"' not in narrowed  # all that the day has were looked through
    assert 'class="left-out"' not in page(browser, q=str(job.pk)[:8])  # an id is sought among all


def test_of_a_receipt_with_more_jobs_than_are_looked_up_it_is_said(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_UP", 3)
    jobs = many(4)
    sha256 = jobs[0].receipt.sha256
    assert "Others may fit, too: it has more than " in page(browser, q=sha256)
    monkeypatch.setattr(search, "LOOKED_UP", 4)
    assert "Others may fit" not in page(browser, q=sha256)


@pytest.mark.usefixtures("_few")
def test_old_names_too_many_to_put_in_order_are_left_out_and_that_is_said(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_UP", 3)
    jobs = old("IMG_41", "IMG_49", "IMG_45", "IMG_40")
    assert exported(browser, "q=IMG_4") == []
    assert "There may be older ones" in page(browser, q="IMG_4")
    day = f"{jobs[3].created_at:%Y-%m-%d}"
    assert exported(browser, f"q=IMG_4&on={day}") == ids(jobs[3:])  # of so few, all are looked through
    assert "There may be older ones" not in page(browser, q="IMG_4", on=day)


def test_a_receipts_jobs_are_narrowed_before_the_cut_and_the_newest_of_them_shown(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FOUND", 3)
    jobs = many(5)
    sha256 = jobs[0].receipt.sha256
    failed = JobFactory.create(receipt=jobs[0].receipt, failure=True, created_at=jobs[-1].created_at)
    assert exported(browser, f"q={sha256}") == ids(jobs[:3])
    assert SENTENCE in page(browser, q=sha256)
    assert exported(browser, f"q={sha256}&status__exact=failure") == ids([failed])


def test_the_log_says_of_an_export_that_it_is_not_all(browser: Browser) -> None:
    many(201)
    for query in ("q=many", "status__exact=queued"):
        exported(browser, query)
    messages = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(messages) == [
        'export: as CSV, not all that fit, filters: q="many"', 'export: as CSV, filters: status__exact="queued"',
    ]  # fmt: skip


@pytest.mark.usefixtures("_few")
def test_the_log_and_the_files_name_say_so_where_older_jobs_were_not_looked_through(browser: Browser) -> None:
    old("lunch.jpg")
    name = browser.post(f"{LIST}export/?q=markt")["Content-Disposition"]
    assert "not all that fit" in LogEntry.objects.earliest("pk").change_message
    assert "jobs-not-all-" in name


def test_the_name_of_an_exported_file_says_that_it_is_not_all(browser: Browser) -> None:
    jobs = many(201)
    queries = ("q=many", f"q={jobs[0].pk}", "status__exact=queued")
    names = [browser.post(f"{LIST}export/?{query}")["Content-Disposition"] for query in queries]
    assert [name.startswith('attachment; filename="jobs-not-all-2') for name in names] == [True, False, False]
    assert all(name.startswith('attachment; filename="jobs-2') for name in names[1:])


def test_nothing_that_is_done_with_what_was_found_speaks_of_all(browser: Browser) -> None:
    jobs = many(201)
    assert "All that the filters leave are selected" in page(browser)
    assert "All jobs that the filters leave" in page(browser)
    found = page(browser, q="many")
    assert "that the filters leave" not in found
    assert "All that were found are selected" in found
    chosen = {"action": "cancel_selected", "_selected_action": str(jobs[0].pk)}
    assert SENTENCE in browser.post(f"{LIST}?q=many", chosen | {"select_across": "1"}).content.decode()
    assert SENTENCE not in browser.post(f"{LIST}?q=many", chosen).content.decode()
