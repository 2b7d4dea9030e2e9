"""The jobs' list: what each row says, what narrows it, and its pages."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import JobLog
from tests.factories import JobFactory, job_in
from tests.support.job_lists import LIST, jobs_at, many, shown
from tests.support.staff import auditor, staff

pytestmark = pytest.mark.django_db

PAGE = 50


@pytest.fixture
def browser() -> Browser:
    return auditor()


# -- a row


def test_a_row_says_what_happens_next_and_when(browser: Browser) -> None:
    due = timezone.now().replace(microsecond=0) + timedelta(days=3)
    JobFactory.create(processing=True, due_at=due)
    text = browser.get(LIST).content.decode()
    assert "Fails unless N8N calls back" in text
    assert f'datetime="{due.isoformat()}" title="{due:%Y-%m-%d %H:%M:%S} UTC"' in text


def test_a_row_says_its_age_in_words_and_exactly_on_hover(browser: Browser) -> None:
    at = timezone.now() - timedelta(hours=5, minutes=3)
    jobs_at(at)
    text = browser.get(LIST).content.decode()
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC">5\xa0hours ago</time>' in text


def test_a_row_says_the_time_of_day_too_for_whoever_cannot_hover(browser: Browser) -> None:
    at = timezone.now() - timedelta(hours=5, minutes=3)
    JobFactory.create(created_at=at)
    JobFactory.create(success=True, created_at=at, completed_at=at + timedelta(seconds=90))
    text = browser.get(LIST).content.decode()
    assert f'<span class="why">{at:%H:%M}</span>' in text
    assert f'<span class="why">{at:%H:%M} · took 90 s</span>' in text


def test_a_row_that_is_older_than_a_day_says_which_day_and_when(browser: Browser) -> None:
    at = timezone.now() - timedelta(days=100)
    jobs_at(at)
    text = browser.get(LIST).content.decode()
    assert f">{at:%-d %b %Y %H:%M}</time>" in text
    assert "ago</time>" not in text


@pytest.mark.parametrize(
    ("took", "words"),
    [(1.25, "1.2 s"), (600, "10 min"), (7199, "120 min"), (7200, "2 h"), (47 * 3600, "47 h"), (292 * 3600, "12 d")],
)
def test_a_row_says_how_long_it_took_in_the_unit_that_one_would_say_it_in(
    browser: Browser, took: float, words: str
) -> None:
    end = timezone.now()
    JobFactory.create(success=True, created_at=end - timedelta(seconds=took), completed_at=end)
    assert f"took {words}<" in browser.get(LIST).content.decode()


@pytest.mark.parametrize("status", JobLog.Status)
def test_a_status_is_a_word_and_not_a_colour_alone(browser: Browser, status: JobLog.Status) -> None:
    job_in(status)
    assert f'<span class="badge badge-{status}">{status.label}</span>' in browser.get(LIST).content.decode()


def test_a_row_leads_to_notion_and_nowhere_else(browser: Browser) -> None:
    JobFactory.create(success=True, notion_page_url="https://www.notion.so/0123")
    JobFactory.create(success=True, notion_page_url="javascript:alert(1)")
    text = browser.get(LIST).content.decode()
    assert text.count('rel="noopener noreferrer"') == 1
    assert "javascript:" not in text


def test_what_was_read_from_receipts_is_not_read_for_a_list(browser: Browser) -> None:
    JobFactory.create(success=True, result={"total": 12.5})
    with CaptureQueriesContext(connection) as captured:
        assert len(shown(browser.get(LIST))) == 1
    assert not [query for query in captured if '"jobs_joblog"."result"' in query["sql"]]


READ = {"vendor": "Old Mill", "date": "2026-11-03", "total": 25.8, "currency": "EUR", "category": "Food"}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (READ, "Old Mill · 2026-11-03 · 25.80 EUR"),
        ({"vendor": "Old Mill", "total": 12}, "Old Mill · 12"),
        ({"vendor": "<b>Old Mill</b>", "total": None}, "&lt;b&gt;Old Mill&lt;/b&gt;"),
        ({"vendor": "Old Mill" * 200, "total": {"net": 1}}, f"{('Old Mill' * 8)[:59]}…"),
        ({"merchant": "Old Mill", "total_amount": 25.8, "currency": "EUR"}, "Old Mill · 25.80 EUR"),
        ({"receipt": {"store": "Old Mill", "date": "2026-11-03", "gross": 7}}, "Old Mill · 2026-11-03 · 7"),
        ({"data": {"supplier": "Old Mill", "amount": "7,00"}, "total": None}, "Old Mill · 7,00"),
        ({"vendor": {"id": 7}, "shop": "Old Mill"}, "Old Mill"),
        ({"vendor": "Old Mill\u202e\u2067", "total": 12}, "Old Mill · 12"),
        ({"vendor": "متجر Old Mill", "date": "2026-11-03", "total": 7}, "متجر Old Mill · 2026-11-03 · 7"),
        ({"vendor": "9" * 5000, "total": "25.8", "receipt": {"shop": "Old Mill"}}, f"{'9' * 59}… · 25.8"),
        ({"vendor": "[" * 100_000, "total": "1e9", "shop": "Old Mill"}, f"{'[' * 59}… · 1e9"),
    ],
    ids=["as ours", "without currency", "markup", "too much", "other names", "below receipt", "below data", "deeper",
         "written backwards", "in Arabic", "like a number", "like JSON"],
)  # fmt: skip
def test_what_a_search_finds_is_known_again_by_what_was_read(browser: Browser, result: Any, words: str) -> None:
    JobFactory.create(success=True, result=result)
    apart = " · ".join(f"<bdi>{part}</bdi>" for part in words.split(" · "))  # so that none turns another round
    assert f'<span class="read">{apart}</span>' in browser.get(LIST, {"q": "old mill"}).content.decode()
    assert 'class="read"' not in browser.get(LIST).content.decode()


@pytest.mark.parametrize("result", [None, ["jpg"], "jpg", {"in": "jpg"}, {"vendor": True, "total": ["jpg"]}], ids=str)
def test_a_search_says_nothing_of_what_it_does_not_know(browser: Browser, result: Any) -> None:
    JobFactory.create(success=True, result=result)
    answer = browser.get(LIST, {"q": "jpg"})
    assert len(shown(answer)) == 1
    assert 'class="read"' not in answer.content.decode()


def test_pictures_are_for_those_who_may_see_receipts(browser: Browser) -> None:
    address = f"/admin/receipts/receipt/{JobFactory.create().receipt_id}/thumbnail/"
    other = staff("jobs.view_joblog", name="berta")
    assert f'src="{address}"' in browser.get(LIST).content.decode()
    assert address not in other.get(LIST).content.decode()


def test_a_search_that_the_filters_left_nothing_of_leads_to_one_without_them(browser: Browser) -> None:
    JobFactory.create(filename="a&b.jpg")
    link = f'href="{LIST}?q=a%26b">Search without the filters</a>'
    assert link in browser.get(LIST, {"q": "a&b", "status__exact": "success"}).content.decode()
    assert "Search without" not in browser.get(LIST, {"q": "nowhere"}).content.decode()


def test_a_list_of_nothing_leads_whoever_may_upload_to_where_one_does(browser: Browser) -> None:
    assert "There is no job yet.</p>" in browser.get(LIST).content.decode()
    uploader = staff("jobs.view_joblog", "jobs.add_joblog", name="berta")
    assert 'href="/admin/jobs/joblog/add/">Upload the first receipt</a>' in uploader.get(LIST).content.decode()


# -- what narrows it


@pytest.mark.parametrize(
    ("progress", "found"), [("open", {"late", "early"}), ("overdue", {"late"}), ("ended", {"over"}), ("x", None)]
)
def test_jobs_can_be_narrowed_by_their_progress(browser: Browser, progress: str, found: set[str] | None) -> None:
    now = timezone.now()
    JobFactory.create(filename="late", due_at=now - timedelta(hours=1))
    JobFactory.create(filename="early", due_at=now + timedelta(hours=1))
    JobFactory.create(filename="over", success=True)
    names = {job.filename for job in shown(browser.get(LIST, {"progress": progress}))}
    assert names == (found or {"late", "early", "over"})


def test_what_a_group_that_needs_attention_led_to_is_a_filter_that_one_sees_and_can_clear(browser: Browser) -> None:
    JobFactory.create()
    waits = JobFactory.create(last_error="n8n_unauthorized")
    assert "By last try" not in browser.get(LIST).content.decode()
    one = browser.get(LIST, {"last_error__exact": "n8n_unauthorized"})
    assert shown(one) == [waits]
    assert "By last try" in one.content.decode()
    waits.delete()
    none = browser.get(LIST, {"last_error__exact": "n8n_unauthorized"}).content.decode()
    assert "There is no job yet" not in none
    assert re.search(r'<a href="\?">[^<]*Clear all filters</a>', none)


# -- its pages


def test_pages_go_to_the_oldest_and_back_without_missing_or_repeating_a_row(browser: Browser) -> None:
    rows = many(2 * PAGE + 7)
    JobLog.objects.update(created_at=timezone.now())  # all at once, so that only their keys tell them apart
    first = browser.get(LIST)
    second = browser.get(LIST + first.context["cl"].older)
    third = browser.get(LIST + second.context["cl"].older)
    seen = [job.pk for answer in (first, second, third) for job in shown(answer)]
    assert len(seen) == len(set(seen)) == len(rows)
    assert third.context["cl"].older == ""
    back = browser.get(LIST + third.context["cl"].newer)
    assert shown(back) == shown(second)
    top = browser.get(LIST + back.context["cl"].newer)
    assert (shown(top), top.context["cl"].newer) == (shown(first), "")


def test_a_page_shows_the_same_rows_while_new_ones_come_in(browser: Browser) -> None:
    many(PAGE + 5)
    older = browser.get(LIST).context["cl"].older
    before = shown(browser.get(LIST + older))
    JobFactory.create()
    assert shown(browser.get(LIST + older)) == before


@pytest.mark.parametrize(
    "page", ["2", "older~", "older~x~y", "newer~2025-01-01T00:00:00~1", "x~2025-01-01T00:00:00Z~1"]
)
def test_a_page_that_means_nothing_is_the_first(browser: Browser, page: str) -> None:
    job = JobFactory.create()
    assert shown(browser.get(LIST, {"p": page})) == [job]


def test_a_page_may_begin_at_a_moment_with_any_offset(browser: Browser) -> None:
    job = JobFactory.create()
    page = f"older~2300-01-01T00:00:00+23:23~{uuid4()}"  # PostgreSQL takes no such offset
    assert shown(browser.get(LIST, {"p": page})) == [job]


# -- alive


def ask(browser: Browser, version: str, **query: str) -> Any:
    return browser.get(LIST, query, headers={"X-Live": "1", "If-None-Match": f'"{version}"'})


@pytest.fixture
def _a_minute_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr("jobs.live.timezone.now", lambda: now)


@pytest.mark.usefixtures("_a_minute_that_lasts")
def test_what_has_not_changed_is_not_sent_again(browser: Browser) -> None:
    job = JobFactory.create()
    version = browser.get(LIST).context["version"]
    assert ask(browser, version).status_code == 304
    JobLog.objects.filter(pk=job.pk).update(attempts=1)
    changed = ask(browser, version)
    assert changed.status_code == 200
    assert changed.context["version"] != version


def test_what_has_changed_is_sent_without_the_page_around_it(browser: Browser) -> None:
    JobFactory.create(filename="lunch.jpg")
    text = ask(browser, "another").content.decode()
    assert "lunch.jpg" in text
    assert "<html" not in text


def test_a_question_keeps_no_session_alive_and_takes_no_message(browser: Browser) -> None:
    expires = browser.session.get_expiry_date()
    answer = ask(browser, "another")
    assert "sessionid" not in answer.cookies
    assert browser.session.get_expiry_date() - expires < timedelta(minutes=1)
    assert Browser().get(LIST, headers={"X-Live": "1"}).status_code == 302


def test_an_older_page_is_only_asked_again_while_something_on_it_is_open(browser: Browser) -> None:
    many(PAGE)
    ended = JobFactory.create(success=True, created_at=timezone.now() - timedelta(days=1))
    first = browser.get(LIST)
    older = browser.get(LIST + first.context["cl"].older)
    assert (first.context["is_live"], shown(older), older.context["is_live"]) == (True, [ended], False)
