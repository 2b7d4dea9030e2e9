"""Reads settings from the environment; a missing or impossible value is one sentence with the cure."""

import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

from . import addresses, values
from .dotenv import read_dotenv
from .strength import weakness
from .values import split

T = TypeVar("T")

ALIKE = 0.9  # a letter too many or too few, or two that are swapped
ANYBODYS = {"DATABASE", "LOG", "REDIS", "SECRET", "WEB"}  # first words of names that are other software's as well
QUOTES = ("'", '"')  # half a pair, or one that nobody takes off: `docker run --env-file` hands it on
COMMENT = re.compile(r"(?:^|\s)#\s|\s#")
HOSTS_CURE = "host names without https:// and port, such as receipts.example.com or [::1]"
GENERATE = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


class Environment:
    """The process' environment, and a `.env` file below it (what the environment says wins)."""

    def __init__(self, dotenv: Path) -> None:
        self._asked: set[str] = set()
        self._in_file: list[str] = []
        if os.path.lexists(dotenv):  # whatever it is: a folder, or a link to nothing, was meant to be read
            content = read_dotenv(dotenv)
            self._in_file = [line.removeprefix("export ").partition("=")[0] for line in content.splitlines() if line]
            environ.Env.read_env(StringIO(content))

    def misspelt(self) -> dict[str, str]:
        """Return names that nobody has asked for, each with the one that it was probably meant to be.

        Those in the file are all for us; of the others, which supervisors hand on, those whose first word is ours.
        """
        ours = tuple(f"{word}_" for word in {name.partition("_")[0] for name in self._asked} - ANYBODYS)
        around = [name for name, value in os.environ.items() if value and name.startswith(ours)]
        unknown = [name for name in self._in_file + around if name not in self._asked]
        near = {name: get_close_matches(name.upper(), self._asked, n=1, cutoff=ALIKE) for name in unknown}
        return {name: found[0] for name, found in near.items() if found}

    def text(self, key: str, default: str | None = None, *, cure: str = "") -> str:
        """Return the value of `key`; without a default the key is required, and `cure` says what to set."""
        self._asked.add(key)
        # not through django-environ, which takes a value that begins with $ for another variable's name
        value = os.environ.get(key, "").strip()
        if COMMENT.search(value):
            raise ImproperlyConfigured(f"{key} has a comment behind its value: give that a line of its own.")
        if value.startswith(QUOTES):
            raise ImproperlyConfigured(
                f"{key} begins with a quote: take it away, and the one at the end, if there is one."
            )
        if value:
            return value
        if default is None:
            raise ImproperlyConfigured(f"{key} is missing: {cure}.")
        return default

    def secret(self, key: str, *, purpose: str) -> str:
        """Return a secret; one that can be guessed, or that an example shows, is refused."""
        value = self.text(key, cure=f"set it to {purpose}; {GENERATE} makes one")
        _refuse_weak(key, value)
        return value

    def key_made_elsewhere(self, key: str, *, where: str) -> str:
        """Return a secret that somebody else makes; "" where none is set. One that cannot be theirs is refused."""
        value = self.text(key, "")
        if value and (reason := weakness(value)):
            raise ImproperlyConfigured(f"{key} {reason}: copy the whole of it from where it is made, {where}.")
        return value

    def folder(self, key: str, default: str) -> str:
        """Return the path of a folder; ~ is refused: only shells know whose home it is; a folder ~ would be made."""
        expected = "a path that begins with / or with the name of a folder beside manage.py, and not with ~"
        return self._cast(key, default, values.folder, expected)

    def secrets(self, key: str, default: list[str] | None = None, *, purpose: str = "") -> list[str]:
        """Return a comma-separated list of secrets, so that one can be replaced while the old one still counts."""
        cure = f"set it to {purpose}"
        found = split(self.text(key, None if default is None else ",".join(default), cure=cure))
        if not found and default is None:
            raise ImproperlyConfigured(f"{key} is missing: {cure}.")
        for value in found:
            _refuse_weak(key, value)
        return found

    def flag(self, key: str, default: bool) -> bool:
        """Return a yes or no."""
        return self._cast(key, str(default), values.flag, "true or false")

    def number(self, key: str, default: int, *, minimum: int = 1, maximum: int = 10**9) -> int:
        """Return a whole number between `minimum` and `maximum`."""
        expected = f"a whole number from {minimum} to {maximum}"
        return self._cast(key, str(default), values.whole_number(minimum, maximum), expected)

    def numbers(self, key: str, default: list[int]) -> list[int]:
        """Return a comma-separated list of whole numbers."""
        joined = ",".join(map(str, default))
        return self._cast(key, joined, values.whole_numbers, "whole numbers with commas between them")

    def names(self, key: str, default: list[str]) -> list[str]:
        """Return a comma-separated list of words."""
        return split(self.text(key, ",".join(default)))

    def form_origins(self, key: str, default: list[str]) -> list[str]:
        """Return a comma-separated list of origins, as browsers write them."""
        expected = "schemes and hosts without a path, such as https://receipts.example.com or https://*.example.com"
        return self._cast(key, ",".join(default), lambda value: [*map(addresses.form_origin, split(value))], expected)

    def hosts(self, key: str, default: list[str]) -> list[str]:
        """Return a comma-separated list of host names."""
        return self._cast(key, ",".join(default), values.hosts, HOSTS_CURE)

    def networks(self, key: str, default: list[str]) -> list[str]:
        """Return a comma-separated list of IP addresses and networks."""
        expected = "addresses or networks with commas between them, such as 10.0.0.5,192.168.0.0/16"
        return self._cast(key, ",".join(default), values.networks, expected)

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """Return one of `choices`, whatever the case it was written in."""
        by_name = {choice.lower(): choice for choice in choices}
        expected = f"one of {', '.join(choices)}"
        return self._cast(key, default, lambda value: by_name[value.lower()], expected)

    def rate(self, key: str, default: str) -> str:
        """Return how often something may happen, as in 600/minute, or "" where the word `none` sets no limit."""
        expected = (
            f"at most 99999 a second, minute, hour or day, such as {default}, or to {values.UNLIMITED} for no limit"
        )
        return self._cast(key, default, values.rate, expected)

    def origin(self, key: str, *, cure: str) -> str:
        """Return an http(s) address that names a scheme and a host, perhaps a port, and no path."""
        expected = "a scheme, a host and no path, such as https://receipts.example.com"
        return self._cast(key, None, addresses.origin, expected, cure=cure)

    def base_url(self, key: str, default: str) -> str:
        """Return an http(s) address that paths can be put behind, without a slash at its end; "" where none is set."""
        expected = "an address without ?, # and @, such as http://web:8000"
        return self._cast(key, default, lambda value: addresses.base_url(value) if value else "", expected)

    def url(self, key: str, *, cure: str) -> str:
        """Return an absolute http(s) address without a user and without a slash at its end."""
        expected = "an address without user and password, such as https://n8n.example.com/…"
        return self._cast(key, None, addresses.url_without_user, expected, cure=cure)

    def redis(self, key: str, default: str) -> str:
        """Return the address of a Redis or Valkey."""
        expected = "a Redis URL such as redis://host:6379/0 or rediss://host:6379/0, its ssl_ca_certs to a file in PEM"
        return self._cast(key, default, addresses.redis_url, expected)

    def region(self, key: str, default: str) -> str:
        """Return the name of a region of an S3 storage."""
        expected = "a region's name, of letters, digits and dashes, such as eu-central-1"
        return self._cast(key, default, values.region, expected)

    def bucket(self, key: str) -> str:
        """Return a bucket's name; "" where none is set."""
        expected = "a bucket's name, of letters, digits, dots and dashes, such as receipts"
        return self._cast(key, "", values.bucket, expected)

    def authority(self, key: str) -> str:
        """Return the path of a file with certificates to trust; "" where none is set."""
        expected = "a file in PEM with the certificates to trust, which this user may read"
        return self._cast(key, "", addresses.authority, expected)

    def dsn(self, key: str) -> str:
        """Return where errors are reported to; "" where nobody asks for it."""
        expected = "the DSN that Sentry shows, such as https://key@sentry.example.com/1"
        return self._cast(key, "", addresses.dsn, expected)

    def database(self, key: str, default: str) -> dict[str, Any]:
        """Return Django's settings of the database that the URL in `key` names."""
        example = "postgresql://user:password@host:5432/name or sqlite:///var/db.sqlite3"
        slashes = "four slashes for a path that begins with /, and no ~"
        expected = f"a database URL such as {example} ({slashes}; behind a ? what libpq knows)"
        return self._cast(key, default, values.database, expected)

    def _cast(self, key: str, default: str | None, convert: Callable[[str], T], expected: str, *, cure: str = "") -> T:
        """Return the value of `key` as `convert` reads it.

        Args:
            default: None where the key is required.
            expected: what it is to be set to, where it cannot be understood.
            cure: what to set, where it is required and missing.
        """
        try:
            return convert(self.text(key, default, cure=cure))
        except (ValueError, KeyError):
            # the value stays out of the message: it may be a secret
            raise ImproperlyConfigured(f"{key} cannot be understood: set it to {expected}.") from None


def make_folder(key: str, folder: Path) -> None:
    """Make a folder for nobody else to look into, unless it is there.

    Args:
        key: of the setting that names it.

    Raises:
        ImproperlyConfigured: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImproperlyConfigured(f"{key} names a folder that cannot be made ({reason}): set it to another.") from None


def _refuse_weak(key: str, value: str) -> None:
    if reason := weakness(value):
        raise ImproperlyConfigured(f"{key} {reason}: {GENERATE} makes a good one.")
