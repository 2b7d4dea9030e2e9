"""The page that connects N8N, from nothing to a test that has gone there and back."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.sandbox import Behaviour, running_sandbox
from tests.support.installation import WORKER, Installation
from tests.support.stub_n8n import KEY, StubN8N, stub_n8n

from .axe import violations_in_every_look
from .chromium import PHONE, Visitor

pytestmark = pytest.mark.browser

CONNECT = "/admin/connect/"
NOTE_THAT_IT_STAYS = "window.stays = true"


@pytest.fixture(scope="module")
def n8n() -> Iterator[StubN8N]:
    """Return what answers as N8N's public API; receipts go to a sandbox."""
    with stub_n8n() as n8n:
        yield n8n


@pytest.fixture(scope="module")
def service(chromium: Browser, n8n: StubN8N, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation with a worker, that knows N8N's public API; tests call back when they have seen enough."""
    own = {"N8N_BASE_URL": n8n.url, "N8N_PUBLIC_API_KEY": KEY, "CALLBACK_TIMEOUT_SECONDS": "900"}
    with (
        running_sandbox(behaviour=Behaviour.SILENT) as sandbox,
        Installation(tmp_path_factory.mktemp("connecting"), f"{sandbox.url}/webhook/receipts", **own) as service,
    ):
        service.start_web()
        service.start(*WORKER)
        yield service


def press_test(page: Page) -> str:
    """Press the button; return the id of the job that came of it."""
    page.get_by_role("button", name="Test").click()
    page.wait_for_url("**/connect/#test")
    address = page.get_by_role("link", name="Its timeline").get_attribute("href")
    assert address is not None
    return address.split("/")[-3]


def test_who_logs_in_first_is_led_to_the_page(visitor: Visitor) -> None:
    page = visitor.open("ada")
    page.get_by_role("region", name="Nothing yet").get_by_role("link", name="Connect N8N").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect N8N")


def test_the_workflows_are_installed_by_a_button_and_one_of_them_takes_receipts(visitor: Visitor, n8n: StubN8N) -> None:
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    page = visitor.open("ada")
    page.goto(CONNECT)
    page.get_by_role("radio", name="Receipts: to Notion, without AI").check()
    page.get_by_role("button", name="Install").click()
    expect(page.locator(".messagelist")).to_contain_text("The webhook answers.")
    row = page.locator("#workflows li", has_text="Receipts: to Notion, without AI")
    expect(row).to_contain_text("takes receipts")
    expect(row.get_by_role("radio")).to_be_checked()
    expect(page.get_by_role("heading", name="Put the workflows into N8N")).to_contain_text("done")
    assert "Receipts: to Notion, without AI" in n8n.active()


def test_each_step_of_the_test_is_shown_as_it_happens(visitor: Visitor, service: Installation) -> None:
    page = visitor.open("oscar")
    page.goto(CONNECT)
    job_id = press_test(page)
    page.evaluate(NOTE_THAT_IT_STAYS)
    expect(page.locator(".stages .came")).to_have_count(4)
    # which of the two it says goes by the seconds that this machine took so far
    expect(page.locator(".verdict")).to_have_text(re.compile(r"It is on its way …|It waits\."))
    expect(page.locator(".stages .ahead")).to_have_text("Called back")
    service.call_back(job_id)
    expect(page.locator(".verdict-good")).to_contain_text("It works: to N8N and back in")
    expect(page.locator(".stages .came")).to_have_count(5)
    assert page.evaluate("window.stays")  # it was not loaded anew


def test_without_script_the_page_is_refreshed_to_see_the_next_step(visitor: Visitor, service: Installation) -> None:
    page = visitor.open("oscar", java_script_enabled=False)
    page.goto(CONNECT)
    service.call_back(press_test(page))
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator(".verdict-good")).to_contain_text("It works")


def test_an_auditor_sees_all_and_presses_nothing(visitor: Visitor) -> None:
    page = visitor.open("audrey")
    page.goto(CONNECT)
    expect(page.locator("#workflows")).to_contain_text("Receipts: report failures")
    expect(page.locator("#content-main").get_by_role("button")).to_have_count(0)
    expect(page.locator("#content-main form")).to_have_count(0)


def test_a_workflow_is_downloaded_for_who_imports_it_by_hand(visitor: Visitor) -> None:
    page = visitor.open("ada")
    page.goto(CONNECT)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download receipt-to-notion.json").click()
    assert download.value.suggested_filename == "receipt-to-notion.json"


@pytest.mark.timeout(300)
def test_axe_finds_nothing_before_and_after_a_test(visitor: Visitor, service: Installation) -> None:
    page = visitor.open("ada", bypass_csp=True)
    page.goto(CONNECT)
    assert violations_in_every_look(page) == []
    job_id = press_test(page)
    assert violations_in_every_look(page) == []
    service.call_back(job_id)
    expect(page.locator(".verdict-good")).to_be_visible()
    assert violations_in_every_look(page) == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
