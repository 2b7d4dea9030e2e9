"""What a finger reaches on a tablet."""

import pytest

from .chromium import Visitor

pytestmark = pytest.mark.browser

BEYOND_ITS_ROW = """element =>
    element.getBoundingClientRect().right - element.closest('.form-row').getBoundingClientRect().right"""


@pytest.mark.parametrize("width", [768, 820, 900, 1024])
@pytest.mark.parametrize("address", ["/admin/auth/user/2/change/", "/admin/auth/group/add/"])
def test_what_was_chosen_can_be_taken_back(visitor: Visitor, width: int, address: str) -> None:
    page = visitor.open("root", viewport={"width": width, "height": 1100}, has_touch=True)
    page.goto(address)
    for chosen in page.locator(".selector-chosen").all():
        assert chosen.evaluate(BEYOND_ITS_ROW) <= 0
