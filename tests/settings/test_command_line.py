"""Commands in a pipe, or with an output that takes nothing."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.environments import PROJECT, settings_of
from tests.support.migrated import migrated_database
from tests.support.servers import SETTINGS


@pytest.mark.parametrize("command", ["help", "check --list-tags"])
def test_a_command_whose_reader_has_left_ends_without_a_word(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=PROJECT,
        env=settings_of(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert done.returncode == 141  # 128 and the number of SIGPIPE, as shells have it
    assert "Traceback" not in done.stderr
    assert "BrokenPipeError" not in done.stderr


def test_a_command_that_is_interrupted_while_it_loads_ends_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "django.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=PROJECT,
        env=settings_of(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("output", ["/dev/full", "&-"])
def test_a_key_that_cannot_be_printed_is_not_made(tmp_path: Path, output: str) -> None:
    done = _with_output(output, "create_api_key", "Bakery", url=migrated_database("", tmp_path).url)
    assert (done.returncode, done.stderr) == (1, "CommandError: The key cannot be printed, so none was made.\n")
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        assert database.execute("SELECT name FROM receipts_client").fetchall() == [("Shop",)]


def test_an_audit_whose_lines_cannot_be_written_does_not_end_as_one_that_found_something(tmp_path: Path) -> None:
    done = _with_output("/dev/full", "verify_audit", url=migrated_database("", tmp_path).url)
    assert done.stderr == "Standard output cannot be written (No space left on device).\n"
    assert done.returncode == 74


def test_an_audit_whose_lines_nobody_wants_goes_on_without_them(tmp_path: Path) -> None:
    done = _with_output("&-", "verify_audit", url=migrated_database("", tmp_path).url)
    assert (done.returncode, done.stderr) == (0, "")


def _with_output(output: str, *command: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output a shell has led there."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" >{output}', "sh", sys.executable, "manage.py", *command],
        cwd=PROJECT,
        env=os.environ | SETTINGS | {"DATABASE_URL": url},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
