"""The roles of staff: three groups, made after migrations, and what each lets somebody do."""

from typing import Any

import structlog
from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

logger = structlog.get_logger(__name__)

AUDITOR = frozenset(
    {
        "jobs.view_joblog",
        "jobs.view_jobevent",
        "jobs.view_seal",
        "receipts.view_receipt",
        "receipts.view_client",
        "receipts.view_apikey",
        "auth.view_user",
        "auth.view_group",
        "admin.view_logentry",
        "django_rq.admin",
    }
)
OPERATOR = AUDITOR | {"jobs.operate_joblog", "jobs.add_joblog"}
ADMINISTRATOR = OPERATOR | {
    "jobs.change_queue",
    "jobs.install_workflows",
    "receipts.add_client",
    "receipts.change_client",
    "receipts.add_apikey",
    "receipts.change_apikey",
    "auth.add_user",
    "auth.change_user",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
}
ROLES = {"Auditor": AUDITOR, "Operator": OPERATOR, "Administrator": ADMINISTRATOR}
APPS = frozenset(label.partition(".")[0] for label in ADMINISTRATOR)


def make_roles(sender: AppConfig, using: str, apps: Any = installed, **_: object) -> None:
    """Give the groups what an app has for them; a receiver of `post_migrate`, which comes once for each app.

    A role is what the table says, no more and no less: who relies on "an auditor changes nothing" need not look it up.
    What somebody added by hand is taken back, and said so; further groups are everybody's to make.
    """
    if sender.label not in APPS or "auth" not in apps.app_configs:
        return
    create_permissions(sender, verbosity=0, using=using, apps=apps)  # ours may be asked before Django's receiver
    own = Permission.objects.using(using).filter(content_type__app_label=sender.label)
    for name, labels in ROLES.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        _set(group, own, labels)


def _set(group: Group, own: QuerySet[Permission], labels: frozenset[str]) -> None:
    """Make the group's part of an app's permissions what it should be."""
    wanted = {permission for permission in own.select_related("content_type") if label(permission) in labels}
    present = set(group.permissions.filter(pk__in=own))
    group.permissions.add(*wanted - present)
    for permission in present - wanted:
        logger.warning("role_restored", role=group.name, taken_back=label(permission))
        group.permissions.remove(permission)


def label(permission: Permission) -> str:
    """Return the name by which code asks for a permission."""
    return f"{permission.content_type.app_label}.{permission.codename}"


def may_give(giver: User, permissions: QuerySet[Permission]) -> bool:
    """Tell whether somebody has all of these: nobody gives, or takes over, what he does not have."""
    given = {label(permission) for permission in permissions.select_related("content_type")}
    return given <= giver.get_all_permissions()  # every one, of a superuser


def permissions_of(user: User) -> QuerySet[Permission]:
    """Return what a user may do, or could do once he is active again."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct()
