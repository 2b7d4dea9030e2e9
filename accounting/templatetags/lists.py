"""What lists of the admin need that Django's tags for them have not."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

register = template.Library()


@register.filter
def labelled(cells: Iterable[str], headers: Iterable[dict[str, Any]]) -> SafeString:
    """Return a row's cells, each with its column's heading, which stands beside it where there is no room for a table.

    Args:
        cells: as Django's `result_list` has them, from `<td` or `<th` on.
        headers: the columns', of the same tag.
    """
    return format_html_join("", "{}", ((_labelled(*pair),) for pair in zip(cells, headers, strict=False)))


def _labelled(cell: str, header: dict[str, Any]) -> SafeString:
    # Django made the cell, and escaped what is in it
    tag, rest = SafeString(cell[:3]), SafeString(cell[3:])  # nosec B703
    if "action-checkbox" in header.get("class_attrib", ""):
        return tag + rest
    return format_html('{} data-label="{}"{}', tag, capfirst(header["text"]), rest)
