"""Lists of the admin that cost the same however long the table is: nothing is counted, and pages begin at a row."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest

from accounting.clock import moment_in

OLDER, NEWER = "older", "newer"


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """The row at which a page begins, and the way that it goes from there; `at` is None in a list ordered by key."""

    way: str
    at: datetime | None
    key: Any

    @classmethod
    def read(cls, text: str, model: type[Model], *, timed: bool) -> Self | None:
        """Return the cursor that `str` wrote, or None where it means nothing."""
        way, _, rest = text.partition("~")
        time, _, written = rest.partition("~")
        at = moment_in(time)
        try:
            key = model._meta.pk.to_python(written)
        except (ValueError, ValidationError, OverflowError):
            return None
        is_whole = way in (OLDER, NEWER) and timed == bool(at)
        return cls(way=way, at=at, key=key) if is_whole else None

    def __str__(self) -> str:
        return f"{self.way}~{self.at.isoformat() if self.at else ''}~{self.key}"

    def beyond(self, field: str) -> Q:
        """Return the condition of the rows beyond it; the first part of it alone leads an index to them."""
        than = "lt" if self.way == OLDER else "gt"
        by_key = Q(**{f"pk__{than}": self.key})
        if self.at is None:
            return by_key
        return Q(**{f"{field}__{than}e": self.at}) & (Q(**{f"{field}__{than}": self.at}) | by_key)


class CursorChangeList(ChangeList):
    """Newest first, without a number of pages: one row more than a page is read, and says whether there is another.

    A page is asked for by its cursor (`?p=older~time~key`), so that it costs what the first one does, and shows the
    same rows while new ones come in.
    """

    newer = older = ""  # what leads to the next pages, empty where there is none

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(self.opts.verbose_name_plural).capitalize()

    @property
    def time_field(self) -> str:
        """The column of the order, as the `CursorAdmin` has it; "" where that is the order of keys."""
        admin: Any = self.model_admin
        return str(admin.time_field)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        """Return the one order that an index has, whatever the address asks for."""
        return [f"-{self.time_field}", "-pk"] if self.time_field else ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read one page."""
        cursor = Cursor.read(request.GET.get(PAGE_VAR, ""), self.model, timed=bool(self.time_field))
        rows, more = self._read(cursor)
        if cursor and cursor.way == NEWER and not more:
            cursor = None  # it is the first page, and should be full
            rows, more = self._read(None)
        is_followed = more or (cursor is not None and cursor.way == NEWER)
        self.newer = self._beyond(NEWER, rows[0]) if rows and cursor else ""
        self.older = self._beyond(OLDER, rows[-1]) if rows and is_followed else ""
        self.result_list = rows
        self.result_count = len(rows)
        self.full_result_count = self.result_count  # so that no page speaks of "50 results" of more
        self.show_full_result_count = self.show_all = self.can_show_all = False
        self.show_admin_actions = True
        self.multi_page = bool(self.newer or self.older)

    @property
    def is_newest(self) -> bool:
        """Whether new rows would turn up here."""
        return not self.newer

    @property
    def first(self) -> str:
        """The query string of the newest page."""
        return self.get_query_string()

    @property
    def without_search(self) -> str:
        """The query string of all rows that the filters leave."""
        return self.get_query_string(remove=[SEARCH_VAR])

    def _read(self, cursor: Cursor | None) -> tuple[list[Any], bool]:
        """Return the rows of a page, newest first, and whether there are more that way."""
        rows = self.queryset.filter(cursor.beyond(self.time_field)) if cursor else self.queryset
        is_backwards = cursor is not None and cursor.way == NEWER
        read = list((rows.reverse() if is_backwards else rows)[: self.list_per_page + 1])
        page, more = read[: self.list_per_page], len(read) > self.list_per_page
        return (page[::-1] if is_backwards else page), more

    def _beyond(self, way: str, row: Any) -> str:
        """Return the query string of the page beyond that row."""
        at = getattr(row, self.time_field) if self.time_field else None
        return self.get_query_string({PAGE_VAR: str(Cursor(way=way, at=at, key=row.pk))})
