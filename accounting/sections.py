"""The admin's sections: what staff look for, by plain names, whichever app it comes from."""

from collections.abc import Iterator
from typing import Any

SECTIONS = {
    "Jobs": ["JobLog"],
    "Receipts": ["Receipt"],
    "Clients and keys": ["Client", "ApiKey"],
    "Queue": ["Dashboard"],
    "Access": ["User", "Group", "AccessAttempt"],
    "Audit": ["JobEvent", "Seal", "LogEntry"],
}


def in_sections(apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the models of Django's list of apps by section; what no section names stays with its app."""
    models = {model["object_name"]: model for app in apps for model in app["models"]}
    named = {name: [models[key] for key in keys if key in models] for name, keys in SECTIONS.items()}
    sections = [_section(name, found) for name, found in named.items() if found]
    return [*sections, *_others(apps)]


def _section(name: str, models: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "app_label": name.lower().replace(" ", "-"),
        "app_url": "",
        "has_module_perms": True,
        "models": models,
    }


def _others(apps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    in_a_section = {name for names in SECTIONS.values() for name in names}
    for app in apps:
        if left := [model for model in app["models"] if model["object_name"] not in in_a_section]:
            yield {**app, "models": left}
