"""The days that the jobs' list is narrowed by."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client as Browser
from django.utils import timezone

from jobs.admin.filters import Period

from .job_lists import LIST, jobs_at, shown
from .staff import auditor

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
    december, february = Period("2024-12"), Period("2024-02")
    assert december.end == datetime(2025, 1, 1, tzinfo=UTC)
    assert len(list(february.within())) == 29
