"""The list as CSV: complete, in pieces, harmless in a spreadsheet, and written down."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.admin import export
from jobs.models import JobLog
from tests.factories import JobFactory, ReceiptFactory
from tests.support.staff import auditor, staff

pytestmark = pytest.mark.django_db

EXPORT = "/admin/jobs/joblog/export/"


@pytest.fixture
def browser() -> Browser:
    return auditor()


def rows_of(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_it_has_a_row_for_each_job_that_the_filters_leave(browser: Browser) -> None:
    done = JobFactory.create(success=True, filename="Käse, “alt”.jpg", attempts=0)
    JobFactory.create()
    (row,) = rows_of(browser.post(f"{EXPORT}?status__exact=success"))
    assert list(row) == [*export.COLUMNS, "shop", "receipt_date", "total", "currency"]
    assert (row["job_id"], row["file"], row["client"]) == (str(done.pk), "Käse, “alt”.jpg", done.client.name)
    assert (row["attempts"], row["due_at"]) == ("0", "")
    assert row["created_at"] == f"{done.created_at:%Y-%m-%d %H:%M:%S}"  # what a spreadsheet takes for a time


def test_what_ended_by_a_clock_that_had_been_set_back_took_no_time(browser: Browser) -> None:
    now = timezone.now()
    JobFactory.create(success=True, created_at=now, completed_at=now - timedelta(seconds=5))
    (row,) = rows_of(browser.post(EXPORT))
    assert row["seconds"] == "0.0"


@pytest.mark.parametrize(
    ("result", "read"),
    [
        ({"vendor": "Käse", "date": "2026-03-09", "total": 23.4, "currency": "EUR"}, "Käse|2026-03-09|23.40|EUR"),
        ({"receipt": {"merchant": "=1+1", "gross": "9,90"}}, "'=1+1||9,90|"),
        ({"total": {"deep": 1}, "vendor": ["a"]}, "|||"),
        ({"vendor": "9" * 5000, "date": "2026", "total": "[" * 3000}, f"{'9' * 59}…|2026|{'[' * 59}…|"),
        (None, "|||"),
    ],
)
def test_it_says_of_which_shop_day_and_total_a_receipt_is(browser: Browser, result: Any, read: str) -> None:
    JobFactory.create(success=True, result=result)
    (row,) = rows_of(browser.post(EXPORT))
    assert "|".join(row[name] for name in ("shop", "receipt_date", "total", "currency")) == read


@pytest.mark.parametrize("query", ["on=2026-13", "needs_attention__exact=", "created_at__gte=zz", "foo=1"])
def test_a_filter_that_means_nothing_exports_nothing_and_is_told_of(browser: Browser, query: str) -> None:
    JobFactory.create()
    answer = browser.post(f"{EXPORT}?{query}", follow=True)
    assert answer.redirect_chain == [("/admin/jobs/joblog/", 302)]
    assert "Nothing was exported" in answer.content.decode()


@pytest.mark.parametrize(
    "evil",
    [
        "=1+1",
        "+1",
        "-1+1",
        "--1",
        "@SUM(A1)",
        "\ta",
        "\ra",
        "\na",
        "  =1",
        "＝1+1",
        '=HYPERLINK("x")',
        "-2+3+cmd|' /C calc'!A0",
    ],
)
def test_no_cell_is_a_formula(evil: str) -> None:
    assert export.escape_formula(evil) == f"'{evil}"


@pytest.mark.parametrize(
    ("evil", "harmless"),
    [
        ("a;=cmd|' /C calc'!A0;.jpg", "a;'=cmd|' /C calc'!A0;.jpg"),
        ("=1;@x", "'=1;'@x"),
        ("a; +1", "a;' +1"),
        ('a;"=1"', 'a;\'"=1"'),
        ("\n=1", "'\n'=1"),
        ("a\t-1", "a\t'-1"),
        ("a\r\n=1\n\n-1", "a\r\n'=1\n\n'-1"),
    ],
)
def test_no_part_of_a_cell_is_a_formula_where_it_is_split_at_other_signs_than_commas(evil: str, harmless: str) -> None:
    assert export.escape_formula(evil) == harmless


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lunch.jpg",
        "a=1",
        "a; b",
        "Tea - 2, milk; 3\n\n4",
        "a;;b",
        "-12.50",
        "-1.234,50",
        "1-2",
        "https://www.notion.so/0123",
        "'quoted",
    ],
)
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert export.escape_formula(text) == text


def test_a_formula_in_any_column_is_made_harmless(browser: Browser) -> None:
    JobFactory.create(success=True, filename="=A1", result_message="@x", notion_page_url="-A1", n8n_execution_id="+1")
    (row,) = rows_of(browser.post(EXPORT))
    assert [row[name] for name in ("file", "message", "notion_page_url", "n8n_execution_id")] == [
        "'=A1", "'@x", "'-A1", "'+1",
    ]  # fmt: skip


def test_it_comes_in_pieces_each_read_by_one_query(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 100)
    many(2050)
    answer: Any = browser.post(EXPORT)
    pieces = iter(answer.streaming_content)
    with CaptureQueriesContext(connection) as captured:
        next(pieces)
        assert len(captured) == 0
        next(pieces)
        assert len(captured) == 1
        lines = b"".join(pieces).count(b"\r\n")
    assert lines == 2050 - 100
    assert len(captured) == 22  # 20 full ones, the rest, and the look beyond


def test_jobs_of_one_moment_are_neither_lost_nor_repeated(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 7)
    many(50)
    ids = [row["job_id"] for row in rows_of(browser.post(EXPORT))]
    assert len(ids) == len(set(ids)) == 50


def many(number: int) -> None:
    receipt, now = ReceiptFactory.create(), timezone.now()
    JobLog.objects.bulk_create(
        JobLog(receipt=receipt, client=receipt.client, notion_database_id="x", due_at=now, created_at=now)
        for _ in range(number)
    )


def test_a_spreadsheet_knows_its_encoding_and_nobody_keeps_it(browser: Browser) -> None:
    answer: Any = browser.post(EXPORT)
    assert b"".join(answer.streaming_content).startswith(b"\xef\xbb\xbf")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="jobs-')
    assert "no-store" in answer["Cache-Control"]


def test_it_is_logged_who_took_what(browser: Browser) -> None:
    browser.post(f"{EXPORT}?status__exact=failure")
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.change_message) == ("anna", 'export: as CSV, filters: status__exact="failure"')


def test_the_log_has_the_filters_as_one_reads_and_searches_them(admin_client: Browser) -> None:
    admin_client.post(f"{EXPORT}?q=Gro%C3%9Fmarkt+a%26b&on=2026-05&p=x%00%E2%80%AE")
    (entry,) = admin_client.get("/admin/admin/logentry/", {"q": "Großmarkt"}).context["cl"].result_list
    assert entry.change_message == 'export: as CSV, filters: q="Großmarkt a&b", on="2026-05", p="x"'


def test_whoever_calls_up_its_address_is_led_to_the_list_and_takes_nothing_along(browser: Browser) -> None:
    answer = browser.get(f"{EXPORT}?status__exact=failure&q=a+b")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/jobs/joblog/?status__exact=failure&q=a+b")
    assert browser.get(EXPORT)["Location"] == "/admin/jobs/joblog/"
    assert not LogEntry.objects.exists()


def test_nobody_else_gets_it() -> None:
    assert staff("receipts.view_receipt", name="berta").post(EXPORT).status_code == 403
    assert Browser().post(EXPORT).status_code == 302
    assert not LogEntry.objects.exists()
