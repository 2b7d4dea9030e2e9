"""Nobody becomes more than he is: what administrators may give, and to whom."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client as Browser

from accounting.roles import ROLES
from tests.support.staff import browser_of, member, permissions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"


@pytest.fixture
def administrator() -> User:
    """Return an administrator, who is no superuser."""
    return member("Administrator", "boss")


def changed(browser: Browser, user: User, **form: Any) -> User:
    """Send the form of a user's page, as its page would with these values; return the user as he is then."""
    fields = {"is_active": "on", "is_staff": "on", "groups": [group.pk for group in user.groups.all()]}
    browser.post(f"{USERS}{user.pk}/change/", fields | form)
    return User.objects.get(pk=user.pk)


def test_an_administrator_does_not_make_anybody_a_superuser(administrator: User) -> None:
    browser, other = browser_of(administrator), member("Operator")
    every = [permission.pk for permission in Permission.objects.all()]
    for user in (administrator, other):
        after = changed(browser, user, is_superuser="on", user_permissions=every, first_name="Anna")
        assert (after.first_name, after.is_superuser, after.user_permissions.count()) == ("Anna", False, 0)


def test_an_administrator_makes_people_members_of_roles_and_of_nothing_more_than_he_is(administrator: User) -> None:
    browser, other = browser_of(administrator), member("Auditor")
    mighty = Group.objects.create(name="Mighty")
    mighty.permissions.add(Permission.objects.get(codename="delete_user"))
    operators = Group.objects.get(name="Operator")
    assert list(changed(browser, other, groups=[mighty.pk]).groups.values_list("name", flat=True)) == ["Auditor"]
    assert list(changed(browser, other, groups=[operators.pk]).groups.values_list("name", flat=True)) == ["Operator"]


def test_whoever_an_administrator_adds_may_log_in_and_sees_nothing_before_he_has_a_role(administrator: User) -> None:
    browser, password = browser_of(administrator), "chosen-by-the-boss"
    browser.post(f"{USERS}add/", {"username": "nina", "password1": password, "password2": password})
    colleague = Browser()
    answer = colleague.post("/admin/login/", {"username": "nina", "password": password}, follow=True)
    assert "You have no permission to view or change anything." in answer.content.decode()
    nina = User.objects.get(username="nina")
    assert (nina.is_superuser, nina.get_all_permissions()) == (False, set())
    changed(browser, nina, groups=[Group.objects.get(name="Auditor").pk])
    assert colleague.get("/admin/jobs/joblog/").status_code == 200


def test_pages_with_passwords_speak_of_no_other_way_to_log_in(administrator: User) -> None:
    browser, other = browser_of(administrator), User.objects.create_user("nina", password="a-password-of-ninas")
    texts = [browser.get(f"{USERS}{page}/").content.decode() for page in ("add", f"{other.pk}/password")]
    assert ["Single Sign-On" in text for text in texts] == [False, False]
    assert "until somebody sets a new one" in texts[1]


def test_an_administrator_takes_over_nobody_who_may_more(administrator: User) -> None:
    browser = browser_of(administrator)
    superuser = User.objects.create_superuser("root")
    mighty = User.objects.create_user("mighty", is_staff=True, is_active=False)
    mighty.user_permissions.add(Permission.objects.get(codename="delete_user"))
    new = {"password1": "chosen-by-the-boss", "password2": "chosen-by-the-boss", "usable_password": "true"}
    for user in (superuser, mighty):
        assert browser.get(f"{USERS}{user.pk}/change/").status_code == 200  # to look at
        assert browser.post(f"{USERS}{user.pk}/change/", {"is_active": "on"}).status_code == 403
        assert browser.post(f"{USERS}{user.pk}/password/", new).status_code == 403
        assert User.objects.get(pk=user.pk).password == user.password
    assert browser.post(f"{USERS}{member('Operator').pk}/password/", new).status_code == 302


def test_an_administrator_makes_groups_of_what_he_may_himself(administrator: User) -> None:
    browser = browser_of(administrator)
    beyond, own = (Permission.objects.get(codename=name) for name in ("delete_user", "view_joblog"))
    browser.post(f"{GROUPS}add/", {"name": "Readers", "permissions": [beyond.pk]})
    assert not Group.objects.filter(name="Readers").exists()
    browser.post(f"{GROUPS}add/", {"name": "Readers", "permissions": [own.pk]})
    assert permissions("Readers") == {"jobs.view_joblog"}


@pytest.mark.parametrize("name", ROLES)
def test_nobody_changes_or_deletes_a_role(admin_client: Browser, name: str) -> None:
    group = Group.objects.get(name=name)
    assert admin_client.post(f"{GROUPS}{group.pk}/change/", {"name": "Other"}).status_code == 403
    assert admin_client.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(group.pk)], "post": "yes"}
    admin_client.post(GROUPS, chosen)
    assert permissions(name) == ROLES[name]


def test_not_even_a_superuser_deletes_a_user_or_gives_him_another_name(admin_client: Browser) -> None:
    user = member("Operator")
    assert admin_client.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post(USERS, {"action": "delete_selected", "_selected_action": [str(user.pk)], "post": "yes"})
    after = changed(admin_client, user, username="somebody-else", first_name="Anna")
    assert (after.username, after.first_name) == ("anna", "Anna")


def test_a_superuser_makes_superusers(admin_client: Browser) -> None:
    assert changed(admin_client, member("Operator"), is_superuser="on").is_superuser


def test_nobody_without_the_right_to_change_it_is_shown_a_passwords_digest() -> None:
    user = member("Auditor")
    user.set_password("a-password-of-hers")
    user.save()
    browser = browser_of(user)
    text = browser.get(f"{USERS}{user.pk}/change/").content.decode()
    assert "anna" in text
    assert not any(part in text for part in ("pbkdf2", "salt", *user.password.split("$")[2:]))


def test_nobody_takes_from_himself_what_lets_him_in(admin_client: Browser, admin_user: User) -> None:
    other = User.objects.create_user("bert", is_staff=True)
    for user in (admin_user, other):
        admin_client.post(f"{USERS}{user.pk}/change/", {"first_name": "changed"})
        user.refresh_from_db()
    assert admin_user.first_name == "changed"
    assert (admin_user.is_active, admin_user.is_staff, admin_user.is_superuser) == (True, True, True)
    assert (other.is_active, other.is_staff) == (False, False)
