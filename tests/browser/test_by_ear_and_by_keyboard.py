"""What a screen reader is told, and how one comes by keyboard to where one wants to be."""

import re

import pytest
from playwright.sync_api import Page, expect

from .chromium import Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

JOBS = "/admin/jobs/joblog/"
STANDS_BEFORE = "(one, other) => Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING)"


@pytest.fixture(scope="module")
def jobs(fill: Fill) -> list[str]:
    """Return the ids of three jobs that have failed."""
    ids: list[str] = fill("failed")
    return ids


def find(page: Page, words: str) -> None:
    page.goto(JOBS)
    page.locator("#searchbar").fill(words)
    page.locator("#searchbar").press("Enter")


def test_a_lists_title_says_what_it_is_narrowed_by(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("root")
    find(page, "no such receipt")
    expect(page).to_have_title("Jobs, narrowed by search: “no such receipt” | Receipt automation")
    page.goto("/admin/auth/user/?is_active__exact=1")
    expect(page).to_have_title(re.compile("^Users, narrowed by active: Yes "))
    page.goto(JOBS)
    expect(page).to_have_title("Jobs | Receipt automation")


@pytest.mark.parametrize("address", [JOBS, "/admin/jobs/jobevent/"])
def test_a_list_says_how_much_it_shows_before_its_rows_and_once(
    visitor: Visitor, jobs: list[str], address: str
) -> None:
    page = visitor.open("root")
    page.goto(address)
    number = page.get_by_text(re.compile(r"^\d+ shown"))
    expect(number).to_have_count(1)
    table = page.locator("#result_list").element_handle()
    assert number.evaluate(STANDS_BEFORE, table)


def test_by_keyboard_one_comes_to_the_filters_without_passing_all_jobs(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("oscar")
    page.goto(JOBS)
    link = page.get_by_role("link", name="Filter", exact=True)
    assert link.evaluate("link => getComputedStyle(link).clipPath") != "none"
    assert link.evaluate(STANDS_BEFORE, page.locator("#result_list").element_handle())
    link.focus()
    assert link.evaluate("link => getComputedStyle(link).clipPath") == "none"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#changelist-filter :focus")).to_have_count(1)


def test_what_a_page_will_say_has_its_place_before_there_are_words(visitor: Visitor, jobs: list[str]) -> None:
    page = visitor.open("root")
    for address in (JOBS, f"{JOBS}{jobs[0]}/change/", "/admin/connect/"):
        page.goto(address)
        note = page.get_by_role("status").and_(page.locator("[data-live-note]"))
        expect(note).to_have_text("")
        assert note.evaluate("note => note.offsetHeight") == 0
