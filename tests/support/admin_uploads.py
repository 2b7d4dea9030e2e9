"""Uploads from the admin, as its page's script sends them."""

from typing import Any

from django.test import Client as Browser

from tests.factories import DATABASE_ID

from .uploads import picture

PAGE = "/admin/jobs/joblog/add/"
UPLOAD = f"{PAGE}file/"


def send(browser: Browser, number: int = 1, *, headers: dict[str, str] | None = None, **form: Any) -> Any:
    """Send one file, as the page's script does; a field that is None is left out."""
    fields = {"file": picture(number), "notion_database_id": DATABASE_ID} | form
    return browser.post(UPLOAD, {name: value for name, value in fields.items() if value is not None}, headers=headers)
