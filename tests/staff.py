"""Browsers of people who work in the admin."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client as Browser


def staff(*permissions: str, name: str = "anna") -> Browser:
    """Return the browser of a staff member with these permissions, each written as `app.codename`."""
    user, _ = User.objects.get_or_create(username=name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = Browser()
    browser.force_login(user)
    return browser


def auditor() -> Browser:
    """Return that of somebody who may see everything and change nothing."""
    return staff("jobs.view_joblog", "jobs.view_jobevent", "receipts.view_receipt", "receipts.view_client")


def operator() -> Browser:
    """Return that of somebody who may also change jobs."""
    return staff("jobs.view_joblog", "jobs.operate_joblog", "receipts.view_receipt")


def words_of(answer: Any) -> str:
    """Return a page as it is read, without its elements."""
    text: str = answer.content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))
