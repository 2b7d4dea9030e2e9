"""The log of what staff did, and the seals: lists that cost the same however long they are."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounting.admin import base
from jobs.models import JobLog, Seal
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db

LOG = "/admin/admin/logentry/"


def logged(user: User, job: JobLog, *messages: str) -> None:
    for message in messages:
        LogEntry.objects.log_actions(user.pk, [job], CHANGE, message, single_object=True)


def shown(browser: Browser, **query: str) -> list[str]:
    return [entry.get_change_message() for entry in browser.get(LOG, query).context["cl"].result_list]


def test_the_newest_is_first(admin_client: Browser, admin_user: User) -> None:
    logged(admin_user, JobFactory.create(), "retry: one", "cancel: two")
    assert shown(admin_client) == ["cancel: two", "retry: one"]


def test_its_times_are_written_as_everywhere_else(admin_client: Browser, admin_user: User) -> None:
    logged(admin_user, JobFactory.create(), "retry: again")
    at = LogEntry.objects.get().action_time
    assert f">{at:%-d %b %Y %H:%M:%S}</a>" in admin_client.get(LOG).content.decode()


def test_it_is_found_by_words_and_by_the_row_and_by_who_did_it(admin_client: Browser, admin_user: User) -> None:
    job = JobFactory.create()
    logged(admin_user, job, "retry: N8N was down")
    logged(User.objects.create_user("otto"), JobFactory.create(), "cancel: a mistake")
    assert shown(admin_client, q="n8n was") == shown(admin_client, q=str(job.pk)) == ["retry: N8N was down"]
    assert shown(admin_client, q="otto") == ["cancel: a mistake"]


def test_words_are_sought_among_the_newest_only(
    admin_client: Browser, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(admin_user, JobFactory.create(), "retry: old", "retry: new")
    monkeypatch.setattr(base, "RECENT", 1)
    assert shown(admin_client, q="retry") == ["retry: new"]


@pytest.mark.parametrize("address", [LOG, f"{LOG}?q=retry", "/admin/jobs/seal/"])
def test_nothing_is_counted(admin_client: Browser, admin_user: User, address: str) -> None:
    logged(admin_user, JobFactory.create(), "retry: one")
    Seal.objects.create(number=1, hour=timezone.now(), last_event=1, events=1, jobs=1, digest="0" * 64)
    with CaptureQueriesContext(connection) as captured:
        assert len(admin_client.get(address).context["cl"].result_list) == 1
    assert [query["sql"] for query in captured if "COUNT(" in query["sql"]] == []
