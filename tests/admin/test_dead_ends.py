"""No page leads whoever has one permission alone to where he may not go."""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import resolve
from redis import Redis

from accounting.roles import ADMINISTRATOR
from accounting.staff import log_action
from jobs.models import JobLog
from receipts.models import Client
from tests.support.admin_pages import every_page
from tests.support.staff import staff
from tests.support.uploads import picture

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DEEP = 2
ALIKE = 2  # so many pages are visited that differ in their row only


def test_no_link_that_one_permission_shows_is_refused(redis: Redis) -> None:
    every_page(redis)
    for model in (JobLog, Client, Group):
        log_action(User.objects.earliest("pk"), model._default_manager.earliest("pk"), "changed")
    refused = {
        permission: found
        for permission in sorted(ADMINISTRATOR)
        if (found := sorted(refused_below("/admin/", staff(permission, name=permission))))
    }
    assert refused == {}


def test_who_only_uploads_is_told_of_the_job_without_being_led_to_it() -> None:
    browser = staff("jobs.add_joblog")
    form = {"file": picture(), "notion_database_id": "0" * 32}
    assert browser.post("/admin/jobs/joblog/add/file/", form).json()["address"] == ""
    text = browser.post("/admin/jobs/joblog/add/", form | {"file": picture()}).content.decode()
    job = JobLog.objects.get()
    assert str(job) in text
    assert f"{job.pk}/change/" not in text


def refused_below(start: str, browser: Browser) -> Iterator[str]:
    """Visit what a page leads to, and what that leads to; yield what is answered 403, and from where it was led to."""
    visited: Counter[str] = Counter()
    led_to = {start: "the browser"}
    for _ in range(DEEP + 1):
        further: dict[str, str] = {}
        for address, page in led_to.items():
            view = resolve(address).view_name
            visited[view] += 1
            if visited[view] > ALIKE:
                continue
            answer = browser.get(address)
            if answer.status_code == 403:
                yield f"{page} → {address}"
            elif not answer.streaming:
                further |= dict.fromkeys(links_of(address, answer.content.decode(errors="replace")), address)
        led_to = further


def links_of(page: str, text: str) -> set[str]:
    """Return the addresses within the admin that a page leads to; what they ask for changes nobody's rights."""
    found = re.findall(r'(?:href|data-ajax--url)="([^"]*)"', text)
    paths = {urlsplit(urljoin(page, unescape(link))).path for link in found}
    return {path for path in paths if path.startswith("/admin/") and path != "/admin/logout/"}
