"""The admin's door."""

import pytest
from playwright.sync_api import expect

from .chromium import Visitor, log_in

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
