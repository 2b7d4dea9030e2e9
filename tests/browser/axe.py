"""What axe-core says of a page: https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .chromium import DESK, PHONE

COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}


def violations_in_every_look(page: Page) -> list[str]:
    """Return what axe finds on an open page: by day at a desk, in the dark, and on a phone."""
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {violation}" for violation in violations(page, COLOURS)]
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    found += [f"phone: {violation}" for violation in violations(page)]
    page.set_viewport_size(DESK)
    return found


def violations(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """Return what axe finds, each with the elements that it concerns."""
    results = Axe().run(page, options=options or {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{result['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for result in results
        for node in result["nodes"]
    ]
