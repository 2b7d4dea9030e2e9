"""What our pages share."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import django_stubs_ext
from django.contrib import admin, messages
from django.contrib.admin import DateFieldListFilter, ShowFacets
from django.contrib.admin.utils import unquote
from django.db.models import Model, QuerySet
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import Truncator

from .change_list import CursorChangeList

# lets Django's classes say at run time, too, which model they are for; only pages need it, and a worker has none
django_stubs_ext.monkeypatch()

T = TypeVar("T", bound=Model)

ID_LETTERS = 60  # none of ours is longer
RECENT = 50_000  # so many are looked through for what no index knows


def in_utc(field: str, name: str) -> Callable[[admin.ModelAdmin[Any], Any], str]:
    """Return a column, or a fact of a page, of a time under a name that says whose hours they are."""

    @admin.display(description=f"{name} (UTC)", ordering=field)
    def time(model_admin: admin.ModelAdmin[Any], row: Any) -> str:
        at: datetime | None = getattr(row, field)
        return date_format(at, "DATETIME_FORMAT") if at else str(model_admin.get_empty_value_display())

    return time


class TimeFilter(DateFieldListFilter):
    """Today, this month and the like, of the time at which it happened or came."""

    def __init__(self, field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, *args, **kwargs)
        self.title = "time"


class ReadOnlyAdmin(admin.ModelAdmin[T]):
    """Shows rows to whoever may view them; nobody adds, changes or deletes one by hand."""

    change_form_template = "admin/read_only_form.html"
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: T | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: T | None = None) -> bool:
        """Refuse."""
        return False

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: "Options[T]", object_id: str
    ) -> HttpResponseRedirect:
        """Lead to the list; Django asks whether it was deleted, of rows that nobody can delete."""
        named = Truncator(unquote(object_id)).chars(ID_LETTERS)  # the caller's, who may make it up at any length
        sentence = f"There is no {opts.verbose_name} “{named}”: see whether its id is written wrongly."
        self.message_user(request, sentence, messages.WARNING)
        return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))


class CursorAdmin(ReadOnlyAdmin[T]):
    """Shows as many rows as there ever were, in the one order that an index has."""

    change_list_template = "admin/cursor_list.html"
    time_field = "created_at"  # of that order; "" for a list in the order of its keys
    sortable_by = ()
    show_facets = ShowFacets.NEVER  # they would count

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[CursorChangeList]:
        """Return the list that counts nothing."""
        return CursorChangeList


def among_newest(rows: QuerySet[T]) -> QuerySet[T]:
    """Return those of the rows that are among the newest of their table."""
    newest = rows.model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    return rows.filter(pk__gt=newest - RECENT)
