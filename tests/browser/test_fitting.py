"""What fits where it stands: on a phone, and in the card around it."""

import pytest
from playwright.sync_api import Locator

from .chromium import PHONE, Visitor
from .conftest import Fill

pytestmark = pytest.mark.browser

JOBS = "/admin/jobs/joblog/"


@pytest.fixture(scope="module")
def jobs(fill: Fill) -> list[str]:
    """Return the ids of three jobs that have failed."""
    ids: list[str] = fill("failed")
    return ids


def width_of(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["width"]


@pytest.mark.parametrize("query", ["", "?q=receipt"])
def test_one_sees_on_a_phone_what_one_searches_for(visitor: Visitor, jobs: list[str], query: str) -> None:
    page = visitor.open("oscar", viewport=PHONE)
    page.goto(f"{JOBS}{query}")
    assert width_of(page.locator("#searchbar")) > 200
