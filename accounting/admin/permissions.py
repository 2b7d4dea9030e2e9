"""Permissions by plain names: Django's begin with its apps, which the sidebar does not name."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from accounting.admin_site.sections import SECTIONS
from accounting.roles import label

OTHER = "Behind the pages"  # models that have none
NAMES = {"django_rq.admin": "Can view queue"}  # where a library's says nothing


def plain_name(permission: Permission) -> str:
    """Return what it permits, behind the section that the model has in the sidebar."""
    model = ContentType.objects.get_for_id(permission.content_type_id).model_class()  # which asks once for each
    name = model.__name__ if model else ""
    section = next((section for section, models in SECTIONS.items() if name in models), OTHER)
    return f"{section} | {NAMES.get(label(permission), permission.name)}"


def plain_names(permissions: Iterable[Permission]) -> str:
    """Return those of many, a line each."""
    return "\n".join(sorted(map(plain_name, permissions)))


def name_plainly(field: Any) -> None:
    """Offer the permissions of a form's field by plain names, section by section."""
    field.label_from_instance = plain_name
    field.choices = sorted(field.choices, key=lambda choice: str(choice[1]))
