"""axe-core finds no violation on any page: in light, in dark, and on a phone, which no page is wider than."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from accounting.lockout import GUESSES_AT_ONE_NAME
from tests.security.test_content_policy import DOCS

from .axe import violations, violations_in_every_look
from .chromium import PHONE, Visitor, log_in
from .conftest import Fill

pytestmark = pytest.mark.browser

# its script writes a link into each button, h3 after h1, small links, and outside its main what it is about; no setting
# changes that
OF_SWAGGER_UI = ("nested-interactive", "heading-order", "region", "target-size")
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def addresses(fill: Fill) -> list[str]:
    """Return the address of every page of the admin: of the many that differ in their row only, the first."""
    pages: dict[str, list[str]] = fill("pages")
    alike = ("_history", "_delete", "_add")
    return [address for name, found in pages.items() for address in (found[:1] if name.endswith(alike) else found)]


def shown(page: Page, addresses: list[str]) -> Iterator[str]:
    """Visit the addresses at which a browser is shown a page, and one for each kind of error."""
    errors = set()
    for address in addresses:
        answer = page.request.get(address, max_redirects=0)
        is_page = answer.headers.get("content-type", "").startswith("text/html") and answer.status not in (302, 405)
        if is_page and answer.status not in errors:
            page.goto(address)
            yield address
        if answer.status >= 400:
            errors.add(answer.status)


@pytest.mark.timeout(900)
def test_axe_finds_nothing_on_any_page_of_the_admin(visitor: Visitor, addresses: list[str]) -> None:
    page = visitor.open("root", bypass_csp=True)  # axe-core writes styles
    found = [
        f"{address}: {violation}" for address in shown(page, addresses) for violation in violations_in_every_look(page)
    ]
    assert found == [], "\n\n".join(found)


@pytest.mark.timeout(300)
def test_every_page_is_quiet_and_no_wider_than_a_phone(visitor: Visitor, addresses: list[str]) -> None:
    page = visitor.open("root", viewport=PHONE)
    widths = {address: page.evaluate(WIDTH) for address in shown(page, addresses)}
    assert len(widths) > 40
    assert {address: width for address, width in widths.items() if width > PHONE["width"]} == {}


def test_axe_finds_nothing_in_the_list_of_jobs_on_the_smallest_phone(visitor: Visitor, addresses: list[str]) -> None:
    page = visitor.open("root", viewport={"width": 320, "height": 568}, bypass_csp=True)
    page.goto("/admin/jobs/joblog/")
    assert violations(page) == []


@pytest.mark.parametrize("address", ["/admin/login/", "/no-such-page"])
def test_axe_finds_nothing_for_whoever_is_not_logged_in(visitor: Visitor, address: str) -> None:
    page = visitor.open(bypass_csp=True)
    page.goto(address)
    assert violations_in_every_look(page) == []


def test_axe_finds_nothing_in_the_documents_of_the_api_but_what_swagger_ui_draws_itself(visitor: Visitor) -> None:
    page = visitor.open(bypass_csp=True)
    page.goto(DOCS)
    expect(page.locator(".opblock").first).to_be_visible()
    assert violations_in_every_look(page, known=OF_SWAGGER_UI) == []


def test_axe_finds_nothing_once_a_log_in_has_failed_nor_once_it_is_locked(visitor: Visitor) -> None:
    page = visitor.open(bypass_csp=True)
    log_in(page, "nobody", "wrong")
    assert violations_in_every_look(page) == []
    for _ in range(GUESSES_AT_ONE_NAME):
        log_in(page, "nobody", "wrong")
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    assert violations_in_every_look(page) == []


def test_axe_finds_nothing_on_the_page_of_a_forged_form(visitor: Visitor) -> None:
    page = visitor.open(bypass_csp=True)
    page.goto("/admin/login/")
    page.context.clear_cookies()
    page.get_by_role("button", name="Log in").evaluate("button => button.form.submit()")
    page.wait_for_load_state()
    expect(page.get_by_role("button", name="Log in")).to_have_count(0)
    assert violations_in_every_look(page) == []
