"""What every test here watches for would be found."""

import pytest
from playwright.sync_api import Browser

from tests.support.installation import Installation, wait_for

from .chromium import Visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('oh')", "oh"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))", "policy: script-src"),
        ("new Image().src = 'http://127.0.0.1:9/pixel.png'", "policy: img-src"),
        ("location.href = 'http://127.0.0.1:9/'", "asks for http://127.0.0.1:9/"),
    ],
)
def test_a_fault_is_noted(chromium: Browser, service: Installation, script: str, fault: str) -> None:
    visitor = Visitor(chromium, service.url)
    page = visitor.open()
    page.goto("/admin/login/")
    page.evaluate(f"() => {{ {script} }}")

    def is_noted() -> bool:
        page.wait_for_timeout(50)  # Playwright tells what happens while somebody waits
        return any(fault in noted for noted in visitor.faults)

    wait_for(is_noted, fault)
    visitor.leave()
