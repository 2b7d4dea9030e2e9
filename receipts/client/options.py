"""What the client is told on its command line, or in the environment."""

import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from accounting.terminal.argument_types import seconds, whole_number
from receipts.notion import parse_database_id

from .files import is_looked_into
from .refusals import Misused

NEEDED = {
    "url": ("RECEIPTS_URL", "--url"),
    "api_key": ("RECEIPTS_API_KEY", "--api-key"),
    "database": ("RECEIPTS_DATABASE", "--database"),
}
WANTED = {
    "--url": "give an address such as https://receipts.example.com",
    "--api-key": "give the key as it was shown: letters, digits and a dot",
    "--database": "give 32 hex digits, a dashed UUID, or the database's address in Notion",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to upload, where to, and how."""

    paths: list[Path]
    url: str
    api_key: str
    database: str
    parallel: int
    wait: float
    patience: float
    retry_failed: bool
    done: Path | None
    as_json: bool


def add_options(parser: ArgumentParser) -> None:
    """Declare them; none needs to hold a secret."""
    parser.add_argument("paths", nargs="+", type=_path, metavar="FOLDER|FILE", help="pictures, or folders of pictures")
    parser.add_argument("--url", help="the service's address (or RECEIPTS_URL)")
    parser.add_argument(
        "--api-key", help="better in RECEIPTS_API_KEY: whoever is on this machine can read a command line"
    )
    parser.add_argument("--database", help="the Notion database's id or address (or RECEIPTS_DATABASE)")
    parser.add_argument("--parallel", type=whole_number(1, 32), default=4, help="uploads at once (4)")
    parser.add_argument("--no-wait", action="store_true", help="end when all is uploaded, whatever becomes of it")
    parser.add_argument("--wait", type=seconds(0, 604_800), default=1800, help="seconds to wait for results (1800)")
    parser.add_argument("--patience", type=seconds(0, 86_400), default=300, help="seconds to try each upload for (300)")
    parser.add_argument("--retry-failed", action="store_true", help="upload again what has failed before")
    parser.add_argument("--done", type=_path, metavar="FOLDER", help="move what is filed into this folder")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, one for each file")


def read_options(values: dict[str, Any]) -> Options:
    """Return what was told, with what the environment says where nothing was.

    Raises:
        Misused: something is missing, or means nothing.
    """
    needed = {name: values[name] or os.environ.get(variable, "") for name, (variable, _) in NEEDED.items()}
    for name, (variable, option) in NEEDED.items():
        if not needed[name]:
            raise Misused(f"{variable} is missing: set it, or {option}.")
    if values["done"] and is_looked_into(values["done"], values["paths"]):
        raise Misused("--done is looked into for pictures, too: give it a folder outside of those.")
    return Options(
        paths=values["paths"],
        url=_parse_option("--url", _address, needed["url"]),
        api_key=_parse_option("--api-key", _key, needed["api_key"]),
        database=_parse_option("--database", parse_database_id, needed["database"]),
        parallel=values["parallel"],
        wait=0.0 if values["no_wait"] else values["wait"],
        patience=values["patience"],
        retry_failed=values["retry_failed"],
        done=values["done"],
        as_json=values["json"],
    )


def _path(text: str) -> Path:
    if not text.strip():  # a path of nothing is the folder that one is in
        raise ArgumentTypeError("it takes a file or folder, and this is empty; write . for the folder that you are in")
    return Path(text)


def _parse_option(option: str, read: Callable[[str], str], text: str) -> str:
    try:
        return read(text)
    except (ValueError, ArgumentTypeError):
        raise Misused(f"{option} cannot be understood: {WANTED[option]}.") from None


def _address(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(text)
    return text.strip().rstrip("/").removesuffix("/api/v1")


def _key(text: str) -> str:
    if not text.strip().isascii() or not text.strip().isprintable():
        raise ValueError
    return text.strip()
