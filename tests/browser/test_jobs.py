"""What staff do with jobs, from where they find them to where they end."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.installation import WORKER, Installation

from .chromium import Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

IS_WRITTEN_FORWARDS = """link => {
  const [text, range] = [link.firstChild, document.createRange()];
  const left = at => {
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    return range.getBoundingClientRect().left;
  };
  return left(0) < left(3);
}"""
NOTE_THAT_IT_STAYS = "window.stays = true"


@pytest.fixture(scope="module", autouse=True)
def _worker(service: Installation) -> None:
    service.start(*WORKER)


@pytest.fixture
def jobs(fill: Fill) -> list[str]:
    """Return the ids of three jobs that have just failed."""
    ids: list[str] = fill("failed")
    return ids


def find(page: Page, words: str) -> Locator:
    """Search the list of jobs as somebody at a keyboard does, and return the rows."""
    page.goto("/admin/jobs/joblog/")
    page.locator("#searchbar").fill(words)
    page.locator("#searchbar").press("Enter")
    expect(page).to_have_url(re.compile("q="))
    return page.locator("#result_list tbody tr")


def retry(page: Page, reason: str) -> None:
    """Retry the job whose page is open."""
    page.locator("summary", has_text="Retry").click()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Retry", exact=True).click()


def badge(page: Page) -> Locator:
    return page.locator("h1 .badge")


def test_the_operations_page_leads_to_what_failed(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    attention = page.get_by_role("region", name="Needs attention")
    expect(attention).to_contain_text("The workflow")
    attention.locator("h3 a").first.click()
    expect(page.locator("#result_list tbody tr").first).to_contain_text("Failure")


@pytest.mark.parametrize("digits", [8, 31])
def test_a_job_is_found_by_the_beginning_of_its_id(visitor: Visitor, jobs: list[str], digits: int) -> None:
    page = visitor.open("audrey")
    rows = find(page, jobs[0].replace("-", "")[:digits])
    expect(rows).to_have_count(1)
    rows.get_by_role("link").first.click()
    expect(page.locator(".job-id")).to_have_text(jobs[0])


def test_an_id_in_full_opens_its_job_and_one_step_back_is_where_it_was_asked_for(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("audrey")
    page.goto("/admin/")
    page.get_by_label("Where is the receipt?").fill(jobs[0])
    page.get_by_label("Where is the receipt?").press("Enter")
    expect(page.locator(".job-id")).to_have_text(jobs[0])
    page.go_back()
    expect(page.get_by_label("Where is the receipt?")).to_be_visible()


def test_one_click_copies_the_id_that_one_is_asked_for(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("audrey", permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/admin/jobs/joblog/{jobs[0]}/change/")
    page.get_by_role("button", name="Copy the job's id").click()
    expect(page.get_by_role("button", name="Copied the job's id")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == jobs[0]
    expect(page.get_by_role("button", name="Copy the job's id")).to_be_visible()


def test_no_button_to_copy_is_shown_where_it_would_do_nothing(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("audrey", java_script_enabled=False)
    page.goto(f"/admin/jobs/joblog/{jobs[0]}/change/")
    expect(page.locator("button.copy").first).to_be_hidden()


def test_a_job_is_found_by_its_files_name(visitor: Visitor, service: Installation) -> None:
    service.upload(4711)
    page = visitor.open("audrey")
    expect(find(page, "receipt.j").first).to_contain_text("receipt.jpg")
    expect(find(page, "no such file")).to_have_count(0)
    expect(page.get_by_text("No job is as you ask.")).to_be_visible()


def test_a_retried_job_turns_to_success_before_ones_eyes(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    page.goto(f"/admin/jobs/joblog/{jobs[0]}/change/")
    expect(badge(page)).to_have_text("Failure")
    retry(page, "Notion is back")
    expect(page.locator(".timeline")).to_contain_text("Notion is back")
    page.evaluate(NOTE_THAT_IT_STAYS)
    expect(badge(page)).to_have_text("Success")
    expect(page.locator(".timeline li").last).to_contain_text("Succeeded")
    assert page.evaluate("window.stays")  # it was not loaded anew
    assert page.title().startswith("Success")


def test_a_page_says_that_it_waits_while_a_reason_is_written(visitor: Visitor, fill: Fill) -> None:
    page = visitor.open("oscar")
    page.goto(f"/admin/jobs/joblog/{fill('taken')}/change/")
    note = page.get_by_text("Not refreshed while a reason is being written.")
    page.locator("summary", has_text="Send again").click()
    expect(note).to_be_hidden()
    page.get_by_label("Reason").fill("No callback came")
    expect(note).to_be_visible()
    page.get_by_label("Reason").fill("")
    page.get_by_label("Reason").blur()
    expect(note).to_be_hidden()


def test_the_list_refreshes_itself_and_keeps_what_is_ticked(
    visitor: Visitor, service: Installation, jobs: list[str]
) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/")
    page.evaluate(NOTE_THAT_IT_STAYS)
    box = page.locator(f"tr[data-key='{jobs[0]}'] .action-select")
    box.check()
    job_id = service.upload(4712).json()["job_id"]
    row = page.locator(f"tr[data-key='{job_id}']")
    expect(row.locator(".badge")).to_have_text("Success")
    assert page.evaluate("window.stays")
    expect(box).to_be_checked()


def test_many_are_retried_at_once_for_one_reason(visitor: Visitor, service: Installation, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/?status__exact=failure")
    for job_id in jobs[:2]:
        page.locator(f"tr[data-key='{job_id}'] .action-select").check()
    expect(page.locator(".action-counter")).to_contain_text("2 of")
    page.get_by_label("Action:").select_option("retry_selected")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("You chose 2 jobs")).to_be_visible()
    page.get_by_label("Reason").fill("Notion is back")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator(".messagelist")).to_contain_text("Retried: 2 of 2 jobs.")
    for job_id in jobs[:2]:
        service.wait_for_status(job_id, "success")
    assert service.job(jobs[2])["status"] == "failure"


def test_what_is_pressed_twice_is_sent_once_and_again_only_by_whoever_goes_back_to_it(
    visitor: Visitor, jobs: list[str]
) -> None:
    page = visitor.open("oscar")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.is_navigation_request() else None)
    page.goto(f"/admin/jobs/joblog/{jobs[0]}/change/")
    page.route("**/retry/", lambda route: route.fulfill(status=204))  # the page stays, as while an answer is awaited
    under_way = page.get_by_text("Under way…")
    button = page.get_by_role("button", name="Retry", exact=True)
    retry(page, "Notion is back")
    expect(under_way).to_be_visible()
    button.click()
    assert sent.count("POST") == 1
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    expect(under_way).to_be_hidden()
    page.unroute("**/retry/")
    button.click()
    expect(page.locator(".messagelist")).to_contain_text("Retried: ")


def test_without_script_pages_are_read_and_a_job_is_retried(
    visitor: Visitor, service: Installation, jobs: list[str]
) -> None:
    page = visitor.open("oscar", java_script_enabled=False)
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    find(page, jobs[1][:8]).get_by_role("link").first.click()
    retry(page, "without script")
    expect(page.locator(".timeline")).to_contain_text("without script")
    service.wait_for_status(jobs[1], "success")
    page.reload()
    expect(badge(page)).to_have_text("Success")


@pytest.mark.parametrize("look", [{"color_scheme": "dark"}, {"color_scheme": "light"}])
def test_the_look_is_as_dark_as_the_system_asks_for(visitor: Visitor, look: dict[str, Any]) -> None:
    page = visitor.open("audrey", **look)
    for address in ("/admin/", "/admin/jobs/joblog/"):
        page.goto(address)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
        assert (brightness < 80) == (look["color_scheme"] == "dark"), colour


def test_what_was_read_turns_no_words_round_but_its_own(visitor: Visitor, service: Installation) -> None:
    job_id = service.upload(1).json()["job_id"]
    service.call_back(job_id, message="Filed.\u202e", notion_page_url="https://www.notion.so/0123")
    page = visitor.open("audrey")
    page.goto(f"/admin/jobs/joblog/{job_id}/change/")
    link = page.get_by_role("link", name="Open the page in Notion")
    assert link.evaluate(IS_WRITTEN_FORWARDS)
