"""What lists of the admin need that Django's tags for them have not."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models.options import Options
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from accounting.admin_site import access

register = template.Library()


@register.filter
def may_open(request: HttpRequest, opts: "Options[Any]") -> bool:
    """Tell whether the user may open the pages of a model."""
    return access.may_open(request, opts.model)


@register.filter
def labelled(cells: Iterable[str], headers: Iterable[dict[str, Any]]) -> SafeString:
    """Return a row's cells, each with its column's heading, which stands beside it where there is no room for a table.

    Args:
        cells: as Django's `result_list` has them, from `<td` or `<th` on.
        headers: the columns', of the same tag.
    """
    return format_html_join("", "{}", ((_labelled(*pair),) for pair in zip(cells, headers, strict=False)))


@register.filter
def narrowed_by(changelist: ChangeList) -> str:
    """Return what a list is narrowed by in words, since paper shows neither its filters nor its search field."""
    search = [f"search: “{changelist.query}”"] if changelist.query else []
    used = [spec for spec in changelist.filter_specs if any(spec.used_parameters.values())]
    return "; ".join([*search, *(f"{spec.title}: {_chosen(spec, changelist)}" for spec in used)])


def _chosen(spec: ListFilter, changelist: ChangeList) -> str:
    """Return the choice by its name; what an address alone narrows by has none, such as yesterday's "today"."""
    choices: Iterable[Any] = spec.choices(changelist)
    named = [str(choice["display"]) for choice in choices if choice.get("selected")]
    return ", ".join(named or (f"{name}={value}" for name, value in spec.used_parameters.items()))


def _labelled(cell: str, header: dict[str, Any]) -> SafeString:
    # Django made the cell, and escaped what is in it
    tag, rest = SafeString(cell[:3]), SafeString(cell[3:])  # nosec B703
    if "action-checkbox" in header.get("class_attrib", ""):
        return tag + rest
    return format_html('{} data-label="{}"{}', tag, capfirst(header["text"]), rest)
