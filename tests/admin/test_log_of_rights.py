"""The log says who was given which right, and from whom it was taken."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client as Browser

from tests.support.staff import member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"


def logged(browser: Browser, address: str, **form: Any) -> str:
    """Send a form; return what the log says of it."""
    assert browser.post(address, form).status_code == 302
    return LogEntry.objects.order_by("-pk")[0].get_change_message()


def groups(*names: str) -> list[int]:
    return [Group.objects.get(name=name).pk for name in names]


def permission(codename: str) -> int:
    return Permission.objects.get(codename=codename).pk


def test_giving_a_role_and_taking_it_read_differently_and_name_it(admin_client: Browser) -> None:
    user = member("Auditor")
    address, let_in = f"{USERS}{user.pk}/change/", {"is_active": "on", "is_staff": "on"}
    both = groups("Auditor", "Administrator")
    assert logged(admin_client, address, groups=both, **let_in) == "Groups: + Administrator."
    assert logged(admin_client, address, groups=groups("Auditor"), **let_in) == "Groups: − Administrator."
    said = logged(admin_client, address, groups=groups("Operator"), **let_in)
    assert said == "Groups: + Operator, − Auditor."


def test_what_lets_somebody_in_is_on_or_off(admin_client: Browser) -> None:
    address = f"{USERS}{User.objects.create_user('anna', is_staff=True).pk}/change/"
    assert logged(admin_client, address, is_active="on") == "Staff status: off."
    assert logged(admin_client, address) == "Active: off."
    assert logged(admin_client, address, is_active="on", is_superuser="on") == "Active: on. Superuser status: on."


def test_a_permission_of_a_users_own_is_named_plainly(admin_client: Browser) -> None:
    address = f"{USERS}{User.objects.create_user('anna').pk}/change/"
    said = logged(admin_client, address, is_active="on", user_permissions=[permission("view_seal")])
    assert said == "User permissions: + Audit | Can view seal."


def test_a_permission_given_to_a_group_or_taken_from_it_is_named(admin_client: Browser) -> None:
    seals, jobs = permission("view_seal"), permission("view_joblog")
    said = logged(admin_client, f"{GROUPS}add/", name="Readers", permissions=[seals])
    assert said == "Added. Permissions: + Audit | Can view seal."
    address = f"{GROUPS}{Group.objects.get(name='Readers').pk}/change/"
    said = logged(admin_client, address, name="Writers", permissions=[jobs])
    assert said == "Changed Name. Permissions: + Receipt operations | Can view job, − Audit | Can view seal."


def test_of_a_person_the_log_keeps_no_more_than_what_changed(admin_client: Browser) -> None:
    user = User.objects.create_user("anna")
    address, changed = f"{USERS}{user.pk}/change/", {"first_name": "Anna", "email": "anna@example.com"}
    said = logged(admin_client, address, is_active="on", is_staff="on", **changed)
    assert said == "Changed First name and Email address. Staff status: on."
    assert logged(admin_client, address, is_active="on", is_staff="on") == "Changed First name and Email address."
    new = dict.fromkeys(("password1", "password2"), "chosen-by-the-boss")
    assert logged(admin_client, f"{USERS}{user.pk}/password/", usable_password="true", **new) == "Changed password."
