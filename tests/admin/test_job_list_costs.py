"""The jobs' list costs the same however long the table is."""

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from tests.factories import ClientFactory, JobFactory
from tests.support.job_lists import LIST, many
from tests.support.staff import auditor

pytestmark = pytest.mark.django_db

PAGE = 50


@pytest.fixture
def browser() -> Browser:
    return auditor()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status__exact": "queued"},
        {"progress": "overdue"},
        {"on": "2025"},
        {"_facets": "1"},
        {"o": "1"},
        {"q": "jpg"},
    ],
    ids=str,
)
def test_it_counts_nothing_and_asks_as_often_for_one_row_as_for_a_page(browser: Browser, query: dict[str, str]) -> None:
    JobFactory.create()
    few = queries_of(browser, query)
    for _ in range(5):
        JobFactory.create(client=ClientFactory.create())
    many(PAGE)
    lots = queries_of(browser, query)
    assert len(lots) == len(few) <= 14
    assert [sql for sql in lots if "COUNT(" in sql or "DISTINCT" in sql] == []


def queries_of(browser: Browser, query: dict[str, str]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(LIST, query).status_code in (200, 302)
    return [one["sql"] for one in captured]


def test_the_many_failure_codes_are_folded_until_one_is_chosen(browser: Browser) -> None:
    JobFactory.create(failure=True)
    fold = '<details data-filter-title="failure code"'
    assert f"{fold}>" in browser.get(LIST).content.decode()
    assert f"{fold} open>" in browser.get(LIST, {"failure_code__exact": "callback_timeout"}).content.decode()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "job_newest"),
        ({"status__exact": "failure"}, "job_newest_by_status"),
        ({"failure_code__exact": "n8n_rejected"}, "job_newest_by_code"),
        ({"needs_attention__exact": "1"}, "job_newest_needy"),
        ({"client__id__exact": "1"}, "job_newest_by_client"),
        ({"client__id__exact": "1", "status__exact": "queued"}, "job_newest_by_client_state"),
        ({"progress": "open"}, "job_newest_open"),
        ({"on": "2025-03"}, "job_newest"),
        ({"q": "0123abcd-4567-89ab-cdef-0123456789ab"}, "job_newest_by_database"),
    ],
    ids=str,
)
def test_each_filter_has_an_index_that_gives_its_rows_in_order(
    browser: Browser, query: dict[str, str], index: str
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans by what is in the table, and reads a small one whole")
    JobFactory.create_batch(2)  # of two clients: Django offers no choice of one
    listing = browser.get(LIST, query).context["cl"].queryset[:PAGE]
    plan = listing.explain()
    assert f"INDEX {index} " in plan or f"INDEX {index}\n" in plan, plan
    assert "SCAN jobs_joblog\n" not in plan
