"""The days that the jobs' list is narrowed by."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client as Browser
from django.utils import timezone

from jobs.admin.date_filters import CalendarPeriod
from tests.factories import JobFactory
from tests.support.job_lists import LIST, jobs_at, shown
from tests.support.staff import auditor

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Browser:
    return auditor()


def test_days_are_reached_by_year_and_month(browser: Browser) -> None:
    old, new, newest = jobs_at(
        datetime(2024, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 0, tzinfo=UTC),
        datetime(2025, 3, 9, 12, 0, tzinfo=UTC),
    )
    for period, found in (
        ("2024", [old]), ("2025", [newest, new]), ("2025-01", [new]), ("2025-03-09", [newest]), ("2025-03-08", []),
    ):  # fmt: skip
        assert shown(browser.get(LIST, {"on": period})) == found
    assert "?on=2025-03" in browser.get(LIST, {"on": "2025"}).content.decode()
    assert "?on=2025-03-09" in browser.get(LIST, {"on": "2025-03"}).content.decode()


def days_of(browser: Browser, query: str) -> list[str]:
    """Return the words of the drill-down by day."""
    (days,) = re.findall(r'<nav class="days".*?</nav>', browser.get(f"{LIST}{query}").content.decode(), re.DOTALL)
    return re.findall(r"<a [^>]*>(.*?)</a>", days)


def test_a_day_repeats_neither_its_month_nor_its_year_which_stand_beside_it(browser: Browser) -> None:
    jobs_at(datetime(2025, 3, 8, 12, tzinfo=UTC))
    assert days_of(browser, "") == ["8 Mar"]
    jobs_at(datetime(2025, 4, 1, 12, tzinfo=UTC))
    assert days_of(browser, "") == ["March", "April"]
    assert days_of(browser, "?on=2025") == ["‹ All dates", "2025", "March", "April"]
    assert days_of(browser, "?on=2025-04") == ["‹ 2025", "‹ All dates", "April 2025", "1 Apr"]
    assert days_of(browser, "?on=2025-04-01") == ["‹ April 2025", "‹ All dates", "1 April 2025"]


@pytest.mark.parametrize("absurd", ["2025-02-30", "0000", "9999", "2025-13", "x", "2025-01-01-01"])
def test_a_day_that_there_is_none_of_is_no_fault(browser: Browser, absurd: str) -> None:
    jobs_at(timezone.now())
    assert browser.get(LIST, {"on": absurd}, follow=True).status_code == 200


def test_a_month_ends_where_the_next_one_begins() -> None:
    december, february = CalendarPeriod("2024-12"), CalendarPeriod("2024-02")
    assert december.end == datetime(2025, 1, 1, tzinfo=UTC)
    assert len(list(february.within())) == 29


# -- from one day to another


@pytest.fixture
def march() -> list[Any]:
    """Return jobs of the 2nd, the 3rd, the 17th and the 18th of March, at the edges of those days."""
    days = ((2, 23, 59), (3, 0, 0), (17, 23, 59), (18, 0, 0))
    return list(jobs_at(*(datetime(2025, 3, day, hour, minute, tzinfo=UTC) for day, hour, minute in days)))


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ({"from": "2025-03-03", "to": "2025-03-17"}, [2, 1]),
        ({"from": "2025-03-17", "to": "2025-03-17"}, [2]),
        ({"from": "2025-03-17"}, [3, 2]),
        ({"to": "2025-03-02", "from": ""}, [0]),
        ({"from": "", "to": ""}, [3, 2, 1, 0]),
    ],
)
def test_the_list_is_narrowed_from_one_day_to_another_both_included(
    browser: Browser, march: list[Any], span: dict[str, str], found: list[int]
) -> None:
    assert shown(browser.get(LIST, span)) == [march[number] for number in found]


def form_of(browser: Browser, query: str) -> str:
    """Return the form for two days, as it stands above the list."""
    (form,) = re.findall(r'<form class="span".*?</form>', browser.get(f"{LIST}{query}").content.decode(), re.DOTALL)
    return unescape(form)


def test_the_form_shows_what_is_chosen_keeps_other_filters_and_tells_how_to_be_rid_of_it(browser: Browser) -> None:
    form = form_of(browser, "?from=2025-03-03&to=2025-03-17&status__exact=queued&q=lunch&on=2024&p=older~x~y")
    for part in ('name="from" value="2025-03-03"', 'name="to" value="2025-03-17"', 'name="q" value="lunch"'):
        assert part in form
    assert '<a href="?status__exact=queued&q=lunch&on=2024">Any date</a>' in form
    hidden = re.findall(r'type="hidden" name="(\w+)"', form)
    assert hidden == ["status__exact", "q"]  # two dates stand for the day, and the page begins elsewhere
    assert "Any date" not in form_of(browser, "")


def test_a_day_that_is_chosen_takes_the_place_of_the_two(browser: Browser, march: list[Any]) -> None:
    text = unescape(browser.get(LIST, {"from": "2025-03-03", "to": "2025-03-17"}).content.decode())
    assert 'href="?on=2025-03-02"' in text


@pytest.mark.parametrize("chosen", ["from=2025-03-03&to=2025-03-17", "on=2025-03"])
def test_today_takes_the_place_of_days_that_were_chosen_before(browser: Browser, march: list[Any], chosen: str) -> None:
    today = link_of(browser, f"?status__exact=queued&{chosen}", "Today")
    assert sorted(parse_qs(today.removeprefix("?"))) == ["created_at__gte", "created_at__lt", "status__exact"]


def test_a_day_takes_the_place_of_today(browser: Browser, march: list[Any]) -> None:
    today = link_of(browser, "", "Today")
    assert link_of(browser, today, "2 Mar") == "?on=2025-03-02"


@pytest.mark.parametrize(
    ("query", "is_any"), [("", True), ("?from=&to=", True), ("?to=2025-03-17", False), ("?on=2025-03", False)]
)
def test_any_date_is_what_is_chosen_where_no_day_is(browser: Browser, query: str, is_any: bool) -> None:
    (filters,) = re.findall(r"By created at(.*?)</details>", browser.get(f"{LIST}{query}").content.decode(), re.DOTALL)
    assert bool(re.search(r'class="selected">\s*<a [^>]*>\s*Any date', filters)) == is_any


def test_dates_that_are_left_empty_narrow_nothing_and_stand_in_no_title(browser: Browser) -> None:
    assert "<title>Jobs | Receipt automation" in browser.get(f"{LIST}?from=&to=").content.decode()
    assert "<title>Jobs, narrowed by dates: " in browser.get(f"{LIST}?from=&to=2025-03-17").content.decode()


def link_of(browser: Browser, query: str, label: str) -> str:
    """Return where a link of the list leads."""
    (link,) = re.findall(rf'<a href="([^"]*)"[^>]*>\s*{label}\s*</a>', browser.get(f"{LIST}{query}").content.decode())
    return unescape(link)


def test_a_first_day_after_the_last_is_told_in_words(browser: Browser, march: list[Any]) -> None:
    answer = browser.get(LIST, {"from": "2025-03-17", "to": "2025-03-03"})
    assert shown(answer) == []
    assert "The first day is after the last one" in answer.content.decode()
    assert "The first day" not in form_of(browser, "?from=2025-03-03&to=2025-03-17")


@pytest.mark.parametrize("absurd", ["2025-02-30", "2025-03", "x", "9999-12-31", "2025-03-03 "])
def test_a_last_day_that_there_is_none_of_is_no_fault(browser: Browser, absurd: str) -> None:
    jobs_at(timezone.now())
    answer = browser.get(LIST, {"to": absurd}, follow=True)
    assert "cannot be understood; everything is shown" in answer.content.decode()


def test_two_days_are_kept_by_the_next_page_and_by_the_export(browser: Browser, march: list[Any]) -> None:
    JobFactory.create_batch(51, receipt=march[0].receipt, created_at=datetime(2025, 3, 9, tzinfo=UTC))
    query = "from=2025-03-03&to=2025-03-17"
    text = unescape(browser.get(f"{LIST}?{query}").content.decode())
    (older,) = re.findall(r'<a href="([^"]+)" rel="next">', text)
    assert [job.created_at.day for job in shown(browser.get(f"{LIST}{older}"))] == [9, 9, 3]
    assert f'action="{LIST}export/?{query}"' in text
    exported = b"".join(browser.post(f"{LIST}export/?{query}"))
    assert exported.count(b"2025-03-") == 53
