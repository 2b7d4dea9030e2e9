"""What the files in deploy/ say, read for tests."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

DEPLOY = Path("deploy")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
UNITS = sorted((DEPLOY / "systemd").glob("receipts*.*"))


def names_in(text: str) -> set[str]:
    """Return the names of the variables that a text (a compose file, a Caddyfile) takes from outside."""
    return set(re.findall(r"\$\{([A-Z0-9_]+)", text)) | set(re.findall(r"\{\$([A-Z0-9_]+)", text))


def settings_explained() -> set[str]:
    """Return the names of the settings that .env.example explains."""
    return set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", Path(".env.example").read_text(), re.MULTILINE))


def environment_of(service: str) -> dict[str, str]:
    """Return what the compose file sets for a service."""
    return cast(dict[str, str], SERVICES[service].get("environment", {}))


def passed_on(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a service's processes have in their environment, where `.env` holds this."""
    from_file = env if SERVICES[service].get("env_file") == ".env" else {}
    return {**from_file, **{name: interpolated(text, env) for name, text in environment_of(service).items()}}


def interpolated(text: str, env: Mapping[str, str]) -> str:
    """Replace ${NAME}, ${NAME:-default} and ${NAME:?reason}, from the innermost on, as compose does."""
    while match := re.search(r"\$\{(\w+)(?::([-?])([^{}]*))?\}", text):
        name, sign, otherwise = match.groups()
        text = text.replace(match[0], env.get(name) or (otherwise if sign == "-" else ""))
    return text


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration such as 150s or ${NAME:-150s}, as it is unless set otherwise."""
    return int(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", duration).removesuffix("s"))


def metrics_listed() -> dict[str, str]:
    """Return the kinds of the metrics by name, as the table in deploy/README.md lists them."""
    table = (DEPLOY / "README.md").read_text()
    return dict(re.findall(r"^\| `(receipts_\w+)[^`]*` \| (\w+) \|", table, re.MULTILINE))
