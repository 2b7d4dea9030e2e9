"""Browsers of people who work in the admin."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.test import Client as Browser

from accounting.roles import label


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


def member(role: str, name: str = "anna") -> User:
    """Return a staff member who has the role."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def browser_of(user: User, **options: Any) -> Browser:
    """Return the browser in which somebody has logged in."""
    browser = Browser(**options)
    browser.force_login(user)
    return browser


def permissions(group: str) -> set[str]:
    """Return what the group may do, each written as `app.codename`."""
    rows: QuerySet[Permission] = Group.objects.get(name=group).permissions.select_related("content_type")
    return {label(permission) for permission in rows}


def words_of(answer: Any) -> str:
    """Return a page as it is read, without its elements."""
    text: str = answer.content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))
