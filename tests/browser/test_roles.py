"""Each role sees what it may do, and nothing that it may not."""

import pytest
from playwright.sync_api import expect

from tests.support.installation import Installation

from .chromium import Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

QUEUE = "/admin/django_rq/dashboard/queues/0/"


@pytest.fixture(scope="module")
def job(service: Installation, fill: Fill) -> str:
    """Return the address of the page of a job that failed."""
    return f"/admin/jobs/joblog/{fill('failed')[0]}/change/"


def test_an_auditor_reads_all_and_finds_nothing_to_press(visitor: Visitor, job: str) -> None:
    page = visitor.open("audrey")
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    expect(page.locator("details.operate")).to_have_count(0)
    page.goto("/admin/jobs/joblog/")
    expect(page.locator("#result_list tbody tr").first).to_be_visible()
    expect(page.locator(".action-select")).to_have_count(0)
    expect(page.get_by_role("link", name="Upload receipts")).to_have_count(0)
    page.goto(job)
    expect(page.locator(".timeline li").first).to_be_visible()
    expect(page.locator("details.operate")).to_have_count(0)


def test_an_operator_may_retry_and_upload(visitor: Visitor, job: str) -> None:
    page = visitor.open("oscar")
    expect(page.locator("details.operate").first).to_be_visible()
    page.goto("/admin/jobs/joblog/")
    expect(page.locator(".action-select").first).to_be_visible()
    expect(page.get_by_role("link", name="Upload receipts").first).to_be_visible()
    page.goto(job)
    expect(page.locator("summary", has_text="Retry")).to_be_visible()


@pytest.mark.parametrize(("name", "may"), [("ada", True), ("oscar", False)])
def test_only_an_administrator_may_empty_the_queue(visitor: Visitor, job: str, name: str, *, may: bool) -> None:
    page = visitor.open(name)
    page.goto(QUEUE)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("a[href$='/empty/']")).to_have_count(int(may))
