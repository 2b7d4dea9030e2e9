"""A database away or not migrated, a setting missing: commands say so in one sentence."""

import fcntl
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.outages import closed_port
from tests.support.servers import SETTINGS

pytestmark = [pytest.mark.processes, pytest.mark.any_database]  # each process is told of one


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port on which nobody listens."""
    with closed_port() as port:
        yield port


def stderr_of(*command: str, database: str, code: int = 1, **further: str) -> str:
    """Return what a command says that ends with this code."""
    environment = os.environ | SETTINGS | {"DATABASE_URL": database} | further
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    return done.stderr


@pytest.mark.parametrize("command", [("create_api_key", "Shop"), ("canary",), ("migrate",)])
def test_where_it_is_away_a_command_says_where_to_look(command: tuple[str, ...], port: int) -> None:
    stderr = stderr_of(*command, database=f"postgresql://anna@127.0.0.1:{port}/receipts")
    assert stderr == "manage.py: The database cannot be reached: look at DATABASE_URL, and whether it runs.\n"


def test_an_audit_says_by_its_code_that_nothing_is_known_to_be_broken(port: int) -> None:
    stderr = stderr_of("verify_audit", database=f"postgresql://anna@127.0.0.1:{port}/receipts", code=2)
    away = "The database cannot be reached: look at DATABASE_URL, and whether it runs. Not all was looked at."
    assert stderr == f"CommandError: {away}\n"


def test_nor_is_anything_known_of_an_empty_database(tmp_path: Path) -> None:
    stderr = stderr_of("verify_audit", database=f"sqlite:///{tmp_path}/empty.sqlite3", code=2)
    assert stderr.endswith("migrations: run `manage.py migrate`. Not all was looked at.\n")


def test_where_sqlite_cannot_open_it_a_command_says_what_sqlite_calls_that(tmp_path: Path) -> None:
    stderr = stderr_of("create_api_key", "Shop", database=f"sqlite:///{tmp_path}")  # a folder
    assert stderr == (
        "manage.py: The database cannot be reached (SQLITE_CANTOPEN): look at DATABASE_URL, and whether it runs.\n"
    )


@pytest.mark.parametrize("command", [("canary",), ("create_api_key", "Shop"), ("purge_receipts",)])
def test_where_it_is_empty_a_command_says_what_to_run(command: tuple[str, ...], tmp_path: Path) -> None:
    stderr = stderr_of(*command, database=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert re.match(r"(manage\.py|CommandError): The database lacks \d+ migrations: run `manage\.py migrate`\.", stderr)


def test_of_several_that_migrate_at_once_none_fails(tmp_path: Path) -> None:
    environment = os.environ | SETTINGS | {"DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    command = [sys.executable, "manage.py", "migrate", "--no-input"]
    several = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[1] for process in several]
    assert [process.returncode for process in several] == [0, 0, 0], said


def test_who_comes_second_says_that_it_waits_and_waits(tmp_path: Path) -> None:
    environment = os.environ | SETTINGS | {"DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as one that migrates
    command = [sys.executable, "manage.py", "migrate", "--no-input"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        assert second.stdout.readline() == "Another process migrates this database: waiting for its end.\n"
        os.close(folder)
        assert "Applying jobs." in second.communicate(timeout=60)[0]
    assert second.returncode == 0


def test_where_a_migration_fails_nobody_is_told_to_migrate(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE django_content_type (something_else)")  # which the first migration wants to make
    stderr = stderr_of("migrate", database=f"sqlite:///{file}")
    assert stderr.splitlines()[-1].startswith("CommandError: The database cannot be migrated (SQLITE_ERROR): look up ")


def test_what_it_said_can_be_had(port: int) -> None:
    stderr = stderr_of("canary", "--traceback", database=f"postgresql://anna@127.0.0.1:{port}/receipts")
    assert "Traceback" in stderr


def test_on_sqlite_nobody_loads_the_driver_of_postgresql(tmp_path: Path) -> None:
    stderr = stderr_of("serve", database=f"sqlite:///{tmp_path}/empty.sqlite3", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}
    assert "rest_framework.compat" in loaded
    assert "psycopg" not in loaded


@pytest.mark.parametrize("command", ["check", "makemigrations", "help"])
def test_where_a_setting_is_missing_every_command_says_which(command: str) -> None:
    stderr = stderr_of(command, database="sqlite://:memory:", SECRET_KEY="")
    assert stderr.startswith("manage.py: SECRET_KEY is missing: set it to ")
    assert stderr.count("\n") == 1
