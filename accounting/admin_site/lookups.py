"""What a list of the admin may be narrowed by in its address: that which links of ours lead to, and nothing else.

Django takes every lookup of a list's own columns: a regular expression, which on SQLite keeps the whole process busy
without end, or the beginning of a value that nobody is shown, which tells it letter by letter.
"""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup, DisallowedModelAdminToField
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db import DataError
from django.http import HttpRequest

# As much as the fields for it take. Of 50,000 bytes SQLite makes no pattern (sqlite.org/limits.html); a letter may have
# some 30, where JSON holds it in parts.
LONGEST_SEARCH = 1000
TERM = "term"  # of a list that is chosen from while one writes (Django's AutocompleteJsonView)
OF_A_FIELD = ("", "__exact", "__id__exact", "__isnull", "__gte", "__lt")  # those of all filters that Django has

# A filter by the year 99999, by a number that no column can hold, or by what no link has; a column that no row of
# another table is known by: Django lets these out.
MEANINGLESS = (
    ValueError,
    OverflowError,
    DataError,
    ValidationError,
    DisallowedModelAdminLookup,
    DisallowedModelAdminToField,
)


def lookup_allowed(model_admin: "ModelAdmin[Any]", lookup: str, value: str, request: HttpRequest) -> bool:
    """Tell whether one of the list's filters may have made it; `OperationsSite` gives it to each list."""
    return any(lookup in _lookups_of(entry) for entry in model_admin.get_list_filter(request))


def is_search_too_long(request: HttpRequest) -> bool:
    """Tell whether a list is to be searched for what is longer than anything in it."""
    return any(len(request.GET.get(name, "")) > LONGEST_SEARCH for name in (SEARCH_VAR, TERM))


def _lookups_of(entry: Any) -> list[str]:
    """Return what a filter links to: one of our own names it, one of a field is that, or a pair that begins so."""
    if isinstance(entry, type):
        return list(getattr(entry, "parameter_names", [getattr(entry, "parameter_name", "")]))
    path = entry if isinstance(entry, str) else entry[0]
    return [f"{path}{suffix}" for suffix in OF_A_FIELD]
