"""Many receipts at once, each with its progress and what became of it."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID
from tests.support.installation import Installation, wait_for
from tests.support.pictures import heic, pdf

from .chromium import Visitor, log_in

pytestmark = pytest.mark.browser

UPLOADS = "**/admin/jobs/joblog/add/file/"


def file(name: str, kind: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


def photograph(number: int, name: str = "photo.jpg") -> FilePayload:
    return file(name, "image/jpeg", draw_receipt(number, size=(600, 900)))


def begin(page: Page, *files: FilePayload) -> None:
    """Choose the files and send them off."""
    page.goto("/admin/jobs/joblog/add/")
    page.locator("#other-database").fill(DATABASE_ID)
    page.locator("#files").set_input_files(list(files))
    page.locator("#upload input[type=submit]").click()


def test_each_file_is_told_what_became_of_it(visitor: Visitor, service: Installation) -> None:
    service.upload_bytes(photograph(1)["buffer"])
    page = visitor.open("oscar")
    begin(
        page,
        photograph(2, "lunch.jpg"),
        file("iphone.heic", "image/heic", heic(3)),
        file("invoice.pdf", "application/pdf", pdf()),
        file("notes.jpg", "image/jpeg", b"Dear diary"),
        photograph(2, "lunch again.jpg"),
    )
    expect(page.locator("#summary")).to_have_text("3 taken in, 1 already there, 1 refused")
    said = {name: page.locator("li.file", has_text=name).locator(".said") for name in ("iphone", "invoice", "notes")}
    expect(said["iphone"]).to_contain_text("Taken in:")
    expect(said["invoice"]).to_contain_text("Taken in:")
    expect(said["notes"]).to_contain_text("Refused:")
    visitor.forgive("status of 415")  # the refusal, in the browser's own words
    said["iphone"].get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("iphone.heic")
    expect(page.locator(".timeline")).to_contain_text("oscar")


def test_a_file_that_is_too_large_is_refused_before_it_is_sent_in_a_sentence_like_the_others(visitor: Visitor) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/add/")
    page.locator("#upload").evaluate("form => { form.dataset.mostBytes = 10 }")
    page.locator("#files").set_input_files([photograph(16)])
    expect(page.locator(".said")).to_have_text("Refused: The file is larger than 10 MB.")


def test_what_broke_off_is_sent_again_and_taken_in_once(visitor: Visitor, service: Installation) -> None:
    page = visitor.open("oscar")
    page.route(UPLOADS, lambda route: route.abort("connectionreset"), times=1)
    begin(page, photograph(11, "tunnel.jpg"))
    expect(page.locator("#summary")).to_have_text("1 broke off")
    visitor.forgive("ERR_CONNECTION_RESET")
    page.get_by_role("button", name="Try tunnel.jpg again").click()
    expect(page.locator("#summary")).to_have_text("1 taken in")
    assert service.query("SELECT count(*) FROM jobs_joblog WHERE filename = 'tunnel.jpg'") == [(1,)]


def test_whoever_was_logged_out_logs_in_elsewhere_and_goes_on_with_the_files_that_were_chosen(visitor: Visitor) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/add/")
    page.context.clear_cookies()
    page.locator("#other-database").fill(DATABASE_ID)
    page.locator("#files").set_input_files([photograph(61, "one.jpg"), photograph(62, "two.jpg")])
    page.locator("#upload input[type=submit]").click()
    expect(page.locator("#summary")).to_have_text("2 refused")
    expect(page.locator(".said").first).to_have_text(
        "Refused: You are no longer logged in: log in in another tab, then try again."
    )
    log_in(page.context.new_page(), "oscar")
    page.locator("#upload input[type=submit]").click()
    expect(page.locator("#summary")).to_have_text("2 taken in")
    visitor.forgive("status of 403", times=4)  # each is refused before and after that, in the browser's own words


def test_whoever_sends_files_off_by_keyboard_stays_at_the_button(visitor: Visitor) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/add/")
    page.locator("#other-database").fill(DATABASE_ID)
    page.locator("#files").set_input_files([photograph(17)])
    button = page.locator("#upload input[type=submit]")
    button.press("Enter")
    expect(page.locator("#summary")).to_have_text("1 taken in")
    expect(button).to_be_focused()


def test_a_mistyped_database_is_mended_once_for_all_files(visitor: Visitor) -> None:
    page = visitor.open("oscar")
    page.goto("/admin/jobs/joblog/add/")
    page.locator("#other-database").fill("not a database")
    page.locator("#files").set_input_files([photograph(14, "one.jpg"), photograph(15, "two.jpg")])
    button = page.locator("#upload input[type=submit]")
    button.click()
    expect(page.locator("#summary")).to_have_text("2 refused")
    visitor.forgive("status of 400", times=2)
    page.locator("#other-database").fill(DATABASE_ID)
    expect(button).to_have_value("Try again: 2 files")
    button.click()
    expect(page.locator("#summary")).to_have_text("2 taken in")


def test_progress_is_shown_while_a_file_is_under_way(visitor: Visitor) -> None:
    page = visitor.open("oscar")
    slow = page.context.new_cdp_session(page)
    begin_slowly = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 30_000}
    page.goto("/admin/jobs/joblog/add/")
    slow.send("Network.enable")
    slow.send("Network.emulateNetworkConditions", begin_slowly)
    page.locator("#other-database").fill(DATABASE_ID)
    page.locator("#files").set_input_files([photograph(12)])
    page.locator("#upload input[type=submit]").click()
    bar = page.locator("li.file progress")
    expect(bar).to_be_visible()
    wait_for(lambda: 0 < bar.evaluate("bar => bar.value") < 1, "a bar on its way")
    expect(page.locator("#summary")).to_have_text("1 taken in")
    expect(bar).to_be_hidden()


def test_without_script_the_form_does_the_work(visitor: Visitor) -> None:
    page = visitor.open("oscar", java_script_enabled=False)
    begin(page, photograph(13, "plain.jpg"), file("notes.txt", "text/plain", b"Dear diary"))
    outcomes = page.get_by_role("region", name="What became of the files")
    expect(outcomes.locator("li", has_text="plain.jpg")).to_contain_text("Taken in:")
    expect(outcomes.locator("li", has_text="notes.txt")).to_contain_text("Refused:")
