"""What axe-core says of a page: https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md."""

from collections.abc import Container
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .chromium import DESK, PHONE

# `preload` would fetch what style sheets import, from beside the page instead of the sheet; `target-size`, which is of
# WCAG 2.2, is off unless it is asked for
EVERYTHING = {"resultTypes": ["violations"], "preload": False, "rules": {"target-size": {"enabled": True}}}
COLOURS = EVERYTHING | {"rules": {}, "runOnly": ["color-contrast", "link-in-text-block"]}


def violations_in_every_look(page: Page, known: Container[str] = ()) -> list[str]:
    """Return what axe finds on an open page: by day at a desk, in the dark, and on a phone.

    Args:
        known: rules that a third party's page breaks, and that we cannot mend.
    """
    found = violations(page, known=known)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {violation}" for violation in violations(page, COLOURS, known)]
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    found += [f"phone: {violation}" for violation in violations(page, known=known)]
    page.set_viewport_size(DESK)
    return found


def violations(page: Page, options: dict[str, Any] = EVERYTHING, known: Container[str] = ()) -> list[str]:
    """Return what axe finds, each with the elements that it concerns, once no colour is on its way to another."""
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})))")
    results = Axe().run(page, options=options).response["violations"]
    return [
        f"{result['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for result in results
        if result["id"] not in known
        for node in result["nodes"]
    ]
