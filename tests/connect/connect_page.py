"""Visits to the page "Connect N8N", and what those may do who come."""

from django.test import Client as Browser

from tests.support.staff import words_of

from .installs import TRY

CONNECT = "/admin/connect/"
SEE = "jobs.view_joblog"
TEST = (SEE, "jobs.operate_joblog")
INSTALL = (*TEST, "jobs.install_workflows")


def page_text(browser: Browser) -> str:
    """Return the page as it is read, without its elements."""
    return words_of(browser.get(CONNECT))


def install(browser: Browser, activate: str = TRY, **form: object) -> str:
    """Press the button that installs; return the page that comes then."""
    return words_of(browser.post(f"{CONNECT}install/", {"activate": activate, **form}, follow=True))
