"""What came of a receipt, as its job's page shows it: what the workflow read, and the page in Notion."""

import pytest
from django.test import Client as Browser

from tests.factories import JobFactory
from tests.support.job_pages import page, text_of
from tests.support.staff import auditor

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Browser:
    return auditor()


def test_what_the_workflow_read_is_shown_however_deep(browser: Browser) -> None:
    result = {
        "vendor": "Trattoria",
        "paid": True,
        "lines": [{"what": "Soup", "price": "4.50"}, {"what": "Tea"}],
        "taxes": [{"rate": 19, "on": ["Soup"]}],
        "tip": None,
    }
    text = text_of(browser, JobFactory.create(success=True, result=result)).replace("\n", "")
    for part in (
        "<dt>vendor</dt><dd>Trattoria</dd>",
        "<dt>paid</dt><dd>yes</dd>",
        '<th scope="col">what</th><th scope="col">price</th>',
        "<td>Soup</td><td>4.50</td>",
        "<td>Tea</td><td>–</td>",
        "<dt>rate</dt><dd>19</dd>",
        "<dd>–</dd>",
    ):
        assert part in text


def test_amounts_have_their_cents_and_other_numbers_stay_as_they_were_read(browser: Browser) -> None:
    lines = [{"item": "Soup", "unit_price": 4.5, "quantity": 1.5}]
    amounts = {"total": 25.8, "tax": 4.0, "vat": 6.5, "net": 1.125, "amount": "3.5", "gross": 26}
    read = {**amounts, "tax_rate": 7.7, "lines": lines}
    text = text_of(browser, JobFactory.create(success=True, result=read)).replace("\n", "")
    as_shown = {"total": "25.80", "tax": "4.00", "vat": "6.50", "net": "1.125", "amount": "3.5", "gross": "26"}
    for name, shown in {**as_shown, "tax rate": "7.7"}.items():
        assert f"<dt>{name}</dt><dd>{shown}</dd>" in text
    assert "<td>4.50</td>" in text
    assert "<td>1.5</td>" in text  # PostgreSQL has an order of its own for what JSON names


def test_of_very_much_that_the_workflow_read_the_beginning_is_shown(browser: Browser) -> None:
    result = {"vendor": "Trattoria", "numbers": [*range(60_000)], "nothing": [[] for _ in range(60_000)]}
    text = text_of(browser, JobFactory.create(success=True, result=result)).replace("\n", "")
    assert "<dt>vendor</dt><dd>Trattoria</dd>" in text
    assert "Only the first 500 values are shown" in text
    assert text.count("<dd>") < 600


def test_a_page_begins_with_what_one_reads_aloud(browser: Browser) -> None:
    job = JobFactory.create(success=True, result={"vendor": "Trattoria", "total": 25.8, "currency": "EUR"})
    heading = browser.get(page(job)).content.decode().partition('class="verbs"')[0]
    assert "<bdi>Trattoria</bdi> · <bdi>25.80 EUR</bdi></p>" in heading


def test_a_filed_job_begins_with_the_way_to_its_page_in_notion(browser: Browser) -> None:
    text = text_of(browser, JobFactory.create(success=True, result_message="Filed as lunch."))
    said, _, rest = text.partition("Filed as lunch.")[2].partition("Timeline")
    assert 'href="https://www.notion.so/0123' in said
    assert "Filed as lunch." not in rest


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://www.notion.so/x",
        "https://",
        "x",
        "https://[",
        "data:x",
        "https://notion.so:x@evil.test/",
    ],
)
def test_only_an_https_address_is_a_link(browser: Browser, address: str) -> None:
    text = text_of(browser, JobFactory.create(success=True, notion_page_url=address))
    assert f'href="{address}"' not in text
    assert "https://www.notion.so/0123" in text_of(browser, JobFactory.create(success=True))
