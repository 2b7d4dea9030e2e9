"""Values that settings may hold besides addresses; whatever cannot be understood is a `ValueError`."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import environ

RATE = re.compile(r"[1-9][0-9]{0,4}/(second|minute|hour|day)")
UNLIMITED = "none"
ALLOWED_HOST = re.compile(r"\*|\.?[\w.-]+|\[[0-9A-Fa-f:.]+\]")
# as boto3 has it: other storages are less strict than Amazon, whose access points have an ARN
BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}|arn:aws\S+")
REGION = re.compile(r"[A-Za-z0-9_-]+")  # it becomes a part of a host's name
IN_MEMORY = ":memory:"
OURS_TO_SAY = {"ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_HEALTH_CHECKS", "CONN_MAX_AGE"}  # Django's, of a connection
YES, NO = ("true", "on", "ok", "y", "yes", "1"), ("false", "off", "n", "no", "0")


def split(joined: str) -> list[str]:
    """Return the words between commas."""
    return [item.strip() for item in joined.split(",") if item.strip()]


def flag(word: str) -> bool:
    """Return a yes or no, whatever the case it was written in."""
    if word.lower() not in YES + NO:
        raise ValueError
    return word.lower() in YES


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return what reads a whole number between the two."""

    def convert(value: str) -> int:
        number = int(value)
        if not minimum <= number <= maximum:
            raise ValueError
        return number

    return convert


def whole_numbers(joined: str) -> list[int]:
    """Return whole numbers that are not negative."""
    return list(map(whole_number(0, 10**9), split(joined)))


def hosts(joined: str) -> list[str]:
    """Return names of hosts, without schemes and ports."""
    names = split(joined)
    if not names or not all(ALLOWED_HOST.fullmatch(name) for name in names):
        raise ValueError
    return names


def networks(joined: str) -> list[str]:
    """Return IP addresses as the networks that they are, and networks."""
    return [str(ip_network(item, strict=False)) for item in split(joined)]


def rate(value: str) -> str:
    """Return how often something may happen; "" for no limit."""
    value = value.lower()
    if value == UNLIMITED:
        return ""
    if not RATE.fullmatch(value):
        raise ValueError  # limits would take the first of several, and none as a limit of nought
    return value


def bucket(name: str) -> str:
    """Return a bucket's name, or ""."""
    if name and not BUCKET.fullmatch(name):
        raise ValueError
    return name


def region(name: str) -> str:
    """Return the name of a region."""
    if not REGION.fullmatch(name):
        raise ValueError
    return name


def folder(path: str) -> str:
    """Return the path of a folder, none of which is left to a shell to find."""
    if path.startswith("~"):
        raise ValueError
    return path


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of a database of one of the two kinds that we use."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres", "sqlite"):
        raise ValueError  # django-environ would warn of it, with the password
    if parts.scheme == "sqlite" and parts.query:
        raise ValueError  # its options are ours, and no others would be heeded
    if parts.scheme == "sqlite" and parts.netloc not in ("", IN_MEMORY):
        raise ValueError  # a slash is missing: it would be another file
    if parts.netloc != IN_MEMORY and not parts.path.strip("/"):
        raise ValueError
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if OURS_TO_SAY & config.keys():
        raise ValueError
    if parts.scheme == "sqlite":
        folder(config["NAME"])
    return config
