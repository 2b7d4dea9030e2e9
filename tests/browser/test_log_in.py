"""The admin's door."""

import re

import pytest
from playwright.sync_api import Page, expect

from .chromium import Visitor, fill_in_log_in, log_in
from .conftest import Fill

pytestmark = pytest.mark.browser


def test_whoever_knows_the_password_comes_to_the_operations_page(visitor: Visitor) -> None:
    page = visitor.open("root")
    expect(page).to_have_url(f"{visitor.url}/admin/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto("/admin/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_wrong_password_is_told_and_opens_nothing(visitor: Visitor) -> None:
    page = visitor.open()
    log_in(page, "audrey", "not hers")
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    page.goto("/admin/jobs/joblog/")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


REASON = "Notion's access was renewed, see the ticket"
KEPT = "Object.keys(sessionStorage).filter(name => name.startsWith('reason'))"


def send_in_vain(page: Page, button: str) -> None:
    """Send a form with a reason after the session has ended."""
    page.get_by_label("Reason").fill(REASON)
    page.context.clear_cookies(name=re.compile("session"))
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text("Nothing was done: you were no longer logged in.")).to_be_visible()


def test_whoever_was_logged_out_over_a_form_finds_the_reason_in_it_after_the_log_in(
    visitor: Visitor, fill: Fill
) -> None:
    job = fill("failed")[0]
    page = visitor.open("oscar")
    page.goto(f"/admin/jobs/joblog/{job}/change/")
    page.locator("summary", has_text="Retry").click()
    send_in_vain(page, "Retry")
    fill_in_log_in(page, "oscar", "not his")
    fill_in_log_in(page, "oscar")
    expect(page.get_by_label("Reason")).to_have_value(REASON)
    expect(page.get_by_label("Reason")).to_be_focused()
    page.reload()
    expect(page.locator("[name=reason]")).to_have_value("")


def test_a_reason_for_many_jobs_is_there_once_they_are_chosen_again(visitor: Visitor, fill: Fill) -> None:
    job = fill("failed")[0]
    page = visitor.open("oscar")

    def choose() -> None:
        page.locator(f"tr[data-key='{job}'] .action-select").check()
        page.get_by_label("Action:").select_option("retry_selected")
        page.get_by_role("button", name="Go").click()

    page.goto("/admin/jobs/joblog/?status__exact=failure")
    choose()
    send_in_vain(page, "Do it")
    fill_in_log_in(page, "oscar")
    choose()
    expect(page.get_by_label("Reason")).to_have_value(REASON)


def test_nobody_else_finds_a_reason_and_a_form_that_was_sent_leaves_none(visitor: Visitor, fill: Fill) -> None:
    job, other = fill("failed")[:2]
    page = visitor.open("oscar")
    page.goto(f"/admin/jobs/joblog/{job}/change/")
    page.locator("summary", has_text="Retry").click()
    send_in_vain(page, "Retry")
    fill_in_log_in(page, "ada")
    expect(page.locator("[name=reason]")).to_have_value("")
    assert page.evaluate(KEPT) == []
    page.goto(f"/admin/jobs/joblog/{other}/change/")
    page.locator("summary", has_text="Retry").click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Retried: ")).to_be_visible()
    assert page.evaluate(KEPT) == []
