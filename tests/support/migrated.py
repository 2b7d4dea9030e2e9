"""Databases that are migrated: one is made once by each process of the tests, and copied wherever one is wanted."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psycopg

from .postgres import name_of
from .servers import SETTINGS


class Migrated(NamedTuple):
    """A migrated database whose one row is the client "Shop".

    Attributes:
        url: its address, as `DATABASE_URL` has it.
        key: the client's API key.
    """

    url: str
    key: str


def migrated_database(server: str, folder: Path) -> Migrated:
    """Return a new one in that PostgreSQL server, or of SQLite in the folder where there is none."""
    template = _template(server)
    if server:
        return template._replace(url=create_postgres_database(server, like=name_of(template.url)))
    shutil.copy(template.url.removeprefix("sqlite:///"), folder / "db.sqlite3")
    return template._replace(url=f"sqlite:///{folder}/db.sqlite3")


def manage(env: Mapping[str, str], *command: str) -> str:
    """Run a management command that has to end well, and return what it prints."""
    done = subprocess.run([sys.executable, "manage.py", *command], env=env, capture_output=True, check=True)
    return done.stdout.decode()


@cache
def _template(server: str) -> Migrated:
    folder = Path(os.environ["MEDIA_ROOT"]).parent  # of this test run, and removed with it
    url = create_postgres_database(server) if server else f"sqlite:///{folder}/template.sqlite3"
    env = os.environ | SETTINGS | {"DATABASE_URL": url}
    manage(env, "migrate", "--verbosity", "0")
    return Migrated(url=url, key=manage(env, "create_api_key", "Shop").strip())


def create_postgres_database(server: str, like: str = "template1") -> str:
    """Create a database in that server, like the one of that name; return its address."""
    name = f"installation_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    return server.replace("/postgres?", f"/{name}?")
