"""Debian's Chromium, and what a page must never do in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from .scene import PASSWORD

PATIENCE_MILLISECONDS = 30_000
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
FLAGS = [
    "--no-sandbox",  # CI runs as root, in a container, and visits nobody but us
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI || event.sample}`))"""


def find_chromium() -> str:
    """Return the path of a Chromium, what the environment's `CHROMIUM` names first; "" where there is none."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    return path if Path(path).is_file() else ""


@contextmanager
def running_chromium(path: str) -> Iterator[Browser]:
    """Run a Chromium without a window for as long as the block lasts."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody at a browser, who notes what a page must not do.

    That is: an error in the console, something that the content policy forbids, a request to anybody else.
    """

    browser: Browser
    url: str
    faults: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, name: str = "", **options: Any) -> Page:
        """Open a browser of one's own, and log in where a name is given.

        Args:
            options: what Playwright's `new_context` takes: viewport, color_scheme, java_script_enabled.
        """
        context = self.browser.new_context(base_url=self.url, **({"viewport": DESK} | options))
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self.faults.append(f"{error.page and error.page.url}: {error.error}"))
        context.on("request", self._note_request)
        self._contexts.append(context)
        page = context.new_page()
        if name:
            log_in(page, name)
        return page

    def forgive(self, words: str, *, times: int = 1) -> None:
        """Forget the faults with these words, which the test wanted: there must be so many."""
        wanted = [fault for fault in self.faults if words in fault]
        assert len(wanted) == times
        for fault in wanted:
            self.faults.remove(fault)

    def leave(self) -> None:
        """Close all that was opened."""
        while self._contexts:
            self._contexts.pop().close()

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _is_own_status(message):
            self.faults.append(f"{message.location['url']}: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.faults.append(f"{request.frame.url} asks for {request.url}")


def _is_own_status(message: ConsoleMessage) -> bool:
    """Tell whether Chromium only says that the page itself was answered with an error, as some tests want it to be."""
    page = message.page
    own = page is not None and message.location["url"] == page.url
    return own and message.text.startswith("Failed to load resource")


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Go to the log-in, and log in."""
    page.goto("/admin/login/")
    fill_in_log_in(page, name, password)


def fill_in_log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form that is shown, and send it."""
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
