"""The admin's sections: what staff look for, by plain names, whichever app it comes from."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.urls import reverse

SECTIONS = {
    "Receipt operations": ["JobLog", "Upload", "Receipt", "Dashboard"],
    "Clients and keys": ["Client", "ApiKey", "Documentation"],
    "N8N": ["Connect"],
    "Access": ["User", "Group", "AccessAttempt"],
    "Audit": ["JobEvent", "LogEntry", "Seal"],
}

Row = dict[str, Any]


def in_sections(apps: list[Row], path: str) -> list[Row]:
    """Return the models of Django's list of apps by section; what no section names stays with its app.

    Args:
        apps: as Django lists what the user may see.
        path: of the page that is shown; the row that it belongs to is marked as the current one.
    """
    models = {model["object_name"]: model for app in apps for model in app["models"]}
    rows = models | {page["object_name"]: page for page in _pages(models)}
    named = {name: [rows[key] for key in keys if _leads(rows.get(key, {}))] for name, keys in SECTIONS.items()}
    sections = [*(_section(name, found) for name, found in named.items() if found), *_others(apps)]
    _mark([row for section in sections for row in section["models"]], path)
    return sections


def _pages(models: dict[str, Row]) -> Iterator[Row]:
    """Return rows by plainer names, and pages that are no list of a model, for who may see the models beside them."""
    if queue := models.get("Dashboard"):
        yield {**queue, "name": "Queue"}
    jobs = models.get("JobLog")
    if jobs and jobs["admin_url"]:
        yield {"name": "Connect N8N", "object_name": "Connect", "admin_url": reverse("admin:connect")}
    if jobs and jobs["add_url"]:
        yield {**jobs, "add_url": None}
        yield {"name": "Upload receipts", "object_name": "Upload", "admin_url": jobs["add_url"]}
    if not models.keys().isdisjoint(["Client", "ApiKey"]):
        yield {"name": "API documentation", "object_name": "Documentation", "admin_url": reverse("docs")}


def _leads(row: Row) -> bool:
    """Tell whether there is anything behind it: not so of jobs, for who only uploads."""
    return bool(row.get("admin_url") or row.get("add_url"))


def _mark(rows: Iterable[Row], path: str) -> None:
    """Mark the one row whose address leads furthest towards the page."""
    above = [row for row in rows if row.get("admin_url") and path.startswith(row["admin_url"])]
    if above:
        max(above, key=lambda row: len(row["admin_url"]))["is_current"] = True


def _section(name: str, models: list[Row]) -> Row:
    return {
        "name": name,
        "app_label": name.lower().replace(" ", "-"),
        "app_url": "",
        "has_module_perms": True,
        "models": models,
    }


def _others(apps: list[Row]) -> Iterator[Row]:
    in_a_section = {name for names in SECTIONS.values() for name in names}
    for app in apps:
        if left := [model for model in app["models"] if model["object_name"] not in in_a_section]:
            yield {**app, "models": left}
