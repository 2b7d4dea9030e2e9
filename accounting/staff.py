"""Who of staff asks, and the log of what they did, which `accounting.admin.log` shows."""

from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest


def staff_of(request: HttpRequest) -> User:
    """Return who is logged in; the admin lets nobody else so far."""
    return cast(User, request.user)


def log_action(
    user: User | AnonymousUser,
    what: Model | str,
    message: str,
    *,
    flag: int = CHANGE,
    model: type[Model] | None = None,
    key: str | None = None,
) -> LogEntry:
    """Write down what was done, and to what.

    Args:
        what: the row, or the name of what is none.
        flag: ADDITION, where it is new.
        model: what a thing that is no row is listed with.
        key: what such a thing is found by.
    """
    if isinstance(what, Model):
        model, key = type(what), str(what.pk)
    return LogEntry.objects.create(
        user_id=str(user.pk),
        content_type=ContentType.objects.get_for_model(model) if model else None,
        object_id=key,
        object_repr=str(what)[:200],
        action_flag=flag,
        change_message=message,
    )
