"""What a printed page shows: what it is to prove, and nothing that can be pressed."""

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.support.installation import Installation

from .chromium import Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

JOBS = "/admin/jobs/joblog/"
A4: ViewportSize = {"width": 794, "height": 1123}
WIDTH = "element => element.offsetWidth"


@pytest.fixture(scope="module")
def jobs(fill: Fill) -> list[str]:
    """Return the ids of three jobs that have failed."""
    ids: list[str] = fill("failed")
    return ids


def test_on_paper_a_jobs_page_is_dark_on_white_and_without_what_can_be_pressed(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar", color_scheme="dark")
    page.goto(f"{JOBS}{jobs[0]}/change/")
    story = page.locator(".job")
    on_screen = story.evaluate(WIDTH)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    for away in ("#nav-sidebar", "#user-tools", ".breadcrumbs", ".verbs"):
        expect(page.locator(away)).to_be_hidden()
    assert story.evaluate(WIDTH) > on_screen


def test_on_paper_stands_what_was_said_to_n8n_and_as_of_when_for_whom_and_where(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar")
    page.goto(f"{JOBS}{jobs[0]}/change/")
    said = page.locator(".exchange .halves").first
    as_of = page.get_by_text("As of ")
    expect(said).to_be_hidden()
    expect(as_of).to_be_hidden()
    page.emulate_media(media="print")
    expect(said).to_be_visible()
    expect(as_of).to_contain_text(f"UTC, printed by oscar from {page.url}")


@pytest.mark.parametrize("address", [JOBS, "/admin/auth/group/"])
def test_on_paper_a_list_has_nothing_that_can_be_pressed(visitor: Visitor, jobs: list[str], address: str) -> None:
    page = visitor.open("root", viewport=A4)
    page.goto(address)
    expect(page.locator(".actions")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("#result_list")).to_be_visible()
    expect(page.locator(":is(input, select, button, #changelist-filter):visible")).to_have_count(0)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Not narrowed. As of"),
        (
            "?status__exact=failure&from=2026-01-01&q=receipt",
            "Narrowed by search: “receipt”; status: Failure; dates: from 2026-01-01. As of",
        ),
    ],
)
def test_on_paper_stands_what_a_list_is_narrowed_by_as_of_when_and_for_whom(
    visitor: Visitor, jobs: list[str], query: str, words: str
) -> None:
    page = visitor.open("oscar")
    page.goto(f"{JOBS}{query}")
    head = page.get_by_text("As of ")
    expect(head).to_be_hidden()
    page.emulate_media(media="print")
    expect(head).to_contain_text(words)
    expect(head).to_contain_text(f"UTC, printed by oscar from {page.url}")


def test_on_paper_stands_what_any_other_list_is_narrowed_by(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("root")
    page.goto("/admin/auth/user/?is_active__exact=1")
    page.emulate_media(media="print")
    expect(page.get_by_text("As of ")).to_contain_text("Narrowed by active: Yes. As of")


def test_on_paper_each_job_of_a_list_has_the_day_on_which_it_came(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    page.goto(JOBS)
    came = page.locator(".cell-created time").first
    assert "ago" in came.inner_text() or "now" in came.inner_text()
    page.emulate_media(media="print")
    words, title = came.evaluate("came => [getComputedStyle(came, '::after').content, came.title]")
    assert words == f'"{title}"'
    assert came.evaluate("came => came.dateTime.slice(0, 10)") in title


def test_on_paper_what_was_read_has_the_whole_width_and_as_many_sheets_as_it_takes(
    visitor: Visitor, service: Installation
) -> None:
    job_id = service.upload(4716).json()["job_id"]
    items = [{"name": "Schnitzel", "tax": {"rate": 7}} for _ in range(40)]
    service.call_back(job_id, data={"items": items}).raise_for_status()
    page = visitor.open("oscar", viewport=A4)
    page.goto(f"{JOBS}{job_id}/change/")
    page.emulate_media(media="print")
    read = page.get_by_role("region", name="What the workflow read")
    assert read.evaluate(WIDTH) == page.locator(".about").evaluate(WIDTH)
    assert read.evaluate("read => getComputedStyle(read).breakInside") == "auto"


def test_on_paper_the_operations_page_says_as_of_when_for_whom_and_where(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/")
    as_of = page.get_by_text("As of ")
    expect(as_of).to_be_hidden()
    page.emulate_media(media="print")
    expect(as_of).to_contain_text(f"UTC, printed by oscar from {page.url}")


def test_a_narrow_sheet_says_how_many_jobs_it_has(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar", viewport={"width": 718, "height": 1000})
    page.goto(JOBS)
    page.emulate_media(media="print")
    expect(page.locator(".shown")).to_have_css("clip-path", "none")
