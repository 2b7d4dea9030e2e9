"""A list of the admin is narrowed by what its own filters link to, and by nothing else that an address may hold."""

import logging
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse

from jobs.models import JobEvent, JobLog, Seal
from receipts.models import ApiKey, Client, Receipt
from tests.factories import JobFactory

pytestmark = pytest.mark.django_db

REGEX = "^[0-9a-f]+!$"  # with a nest of repetitions, it would keep SQLite's process busy without end


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


@pytest.mark.parametrize(
    ("model", "lookup", "value"),
    [
        (JobLog, "chain_head__regex", REGEX),
        (JobLog, "client__name__iregex", REGEX),
        (JobLog, "status__regex", REGEX),
        (JobLog, "attempts__range", "9" * 21),
        (JobLog, "result__contains", "x"),
        (JobEvent, "facts__contains", "x"),
        (JobEvent, "detail__x__contains", "x"),
        (ApiKey, "id__startswith", "p"),
        (ApiKey, "pk__startswith", "p"),
        (ApiKey, "hashed_key__startswith", "p"),  # or its hash would be learned letter by letter
        (ApiKey, "pk__gte", "p"),
        (ApiKey, "client__keys__hashed_key__startswith", "p"),
        (Client, "keys__id__startswith", "p"),
        (Receipt, "sha256__regex", REGEX),
        (Seal, "digest__regex", REGEX),
        (LogEntry, "change_message__regex", REGEX),
        (LogEntry, "user__password__startswith", "p"),
        (User, "username__regex", REGEX),
        (User, "password__startswith", "p"),
        (Group, "name__regex", REGEX),
    ],
)
def test_a_lookup_that_no_filter_links_to_is_not_asked(
    admin_client: Browser, model: type[Model], lookup: str, value: str
) -> None:
    JobFactory.create()
    answer = admin_client.get(list_of(model), {lookup: value})
    assert (answer.status_code, answer["Location"]) == (302, list_of(model))
    assert "cannot be understood; everything is shown" in admin_client.get(list_of(model)).content.decode()


@pytest.mark.parametrize("model", [JobLog, JobEvent, Seal, Receipt, ApiKey, Client, LogEntry, User, Group])
def test_nor_is_a_column_by_which_no_other_table_knows_its_rows(
    admin_client: Browser, model: type[Model], caplog: pytest.LogCaptureFixture
) -> None:
    answer = admin_client.get(list_of(model), {"_to_field": "planted"})
    assert (answer.status_code, answer["Location"]) == (302, list_of(model))
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]
    assert "planted" not in caplog.text


def test_so_it_is_of_a_list_that_is_exported(admin_client: Browser) -> None:
    answer = admin_client.post(reverse("admin:jobs_joblog_export") + "?chain_head__regex=x")
    assert (answer.status_code, answer["Location"]) == (302, list_of(JobLog))


def test_every_list_of_the_site_takes_what_its_filters_link_to(admin_user: User) -> None:
    admin.autodiscover()
    JobFactory.create_batch(2)  # of two clients, and two users: one alone is nothing to choose from
    User.objects.create_user("otto")
    request = RequestFactory().get("/")
    request.user = admin_user
    narrowed = {model: linked for model, page in admin.site._registry.items() if (linked := links_of(page, request))}
    assert {JobLog, JobEvent, Receipt, ApiKey, LogEntry, User} <= set(narrowed)
    for model, links in narrowed.items():
        page = admin.site.get_model_admin(model)
        assert [link for link in links if not page.lookup_allowed(link, "1", request)] == []


def links_of(page: Any, request: Any) -> list[str]:
    """Return the names that the filters of a list have in its address, as they say themselves."""
    if not page.get_list_filter(request):
        return []
    filters = page.get_changelist_instance(request).get_filters(request)[0]
    return [name for each in filters for name in each.expected_parameters()]
