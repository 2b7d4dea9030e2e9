"""What began on SQLite goes on in PostgreSQL: every row is there as it was, and the audit holds."""

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.installation import wait_for
from tests.support.migrated import migrated_database
from tests.support.servers import SETTINGS

pytestmark = pytest.mark.processes

POSTGRESQL_ONLY = pytest.mark.skipif(
    "config.getoption('--database') == 'sqlite'", reason="a server takes the rows: --database=postgresql"
)


def manage(url: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a management command on the database at this address."""
    program = [sys.executable, "manage.py", *command]
    environment = os.environ | SETTINGS | {"DATABASE_URL": url, "DJANGO_SUPERUSER_PASSWORD": "made-up-0451"}
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=90, check=False)


def succeed(url: str, *command: str) -> str:
    """Run one that has to end well; return what it prints."""
    done = manage(url, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of SQLite with jobs, staff and a key in it."""
    url = migrated_database("", tmp_path_factory.mktemp("old")).url
    succeed(url, "make_history", "--jobs", "40", "--days", "2", "--force")
    succeed(url, "createsuperuser", "--no-input", "--username", "anna", "--email", "anna@example.com")
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """Return the address of a PostgreSQL database that is migrated and no more."""
    url = migrated_database(os.environ["TEST_POSTGRES_URL"], tmp_path).url
    with psycopg.connect(url) as new:
        new.execute("TRUNCATE receipts_client CASCADE")
    return url


def rows_of_each_table(file: Path, url: str) -> tuple[dict[str, int], dict[str, int]]:
    """Count them, there and here."""
    with closing(sqlite3.connect(file)) as old, psycopg.connect(url) as new:
        names = [name for (name,) in new.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        counts = {name: f'SELECT count(*) FROM "{name}"' for name in names}  # noqa: S608 # the tables' own names
        return (
            {name: old.execute(count).fetchone()[0] for name, count in counts.items()},
            {name: new.execute(count.encode()).fetchall()[0][0] for name, count in counts.items()},
        )


@POSTGRESQL_ONLY
def test_every_row_is_taken_over_the_audit_holds_and_keys_go_on_behind_them(file: Path, empty: str) -> None:
    with closing(sqlite3.connect(file)) as old:
        (job,) = old.execute("SELECT job_id FROM jobs_joblog LIMIT 1").fetchone()
        (at,) = old.execute("SELECT created_at FROM jobs_joblog WHERE job_id = ?", [job]).fetchone()
    told = succeed(empty, "copy_from_sqlite", str(file))
    before, after = rows_of_each_table(file, empty)
    assert after == before
    assert told.startswith(f"{sum(before.values()) - before['django_migrations']} rows are copied.")
    assert "Jobs: 40 looked at, 0 broken" in succeed(empty, "verify_audit", "--no-files")
    with psycopg.connect(empty) as new:
        query = "SELECT (created_at AT TIME ZONE 'UTC')::text FROM jobs_joblog WHERE job_id = %s"
        assert new.execute(query, [job]).fetchone() == (at.rstrip("0"),)
    succeed(empty, "create_api_key", "Another shop")  # under a number of its own


@POSTGRESQL_ONLY
def test_a_database_with_rows_another_version_and_what_is_none_are_refused_and_nothing_is_copied(
    file: Path, empty: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("This is no database, and longer than the head of one would have to be." * 20)
    assert "SQLITE_NOTADB" in manage(empty, "copy_from_sqlite", str(tmp_path / "text")).stderr
    assert "There is no file" in manage(empty, "copy_from_sqlite", str(tmp_path / "none")).stderr
    with psycopg.connect(empty, autocommit=True) as new:
        new.execute("UPDATE django_migrations SET name = name || '_of_another'")
        assert "have not the same migrations" in manage(empty, "copy_from_sqlite", str(file)).stderr
        assert new.execute("SELECT count(*) FROM jobs_joblog").fetchone() == (0,)
        new.execute("UPDATE django_migrations SET name = replace(name, '_of_another', '')")
    succeed(empty, "create_api_key", "Shop")
    assert "only an empty database is filled" in manage(empty, "copy_from_sqlite", str(file)).stderr


@POSTGRESQL_ONLY
def test_a_migration_that_has_another_name_now_keeps_nobody_from_copying(
    file: Path, empty: str, tmp_path: Path
) -> None:
    older = shutil.copy(file, tmp_path / "db.sqlite3")
    with closing(sqlite3.connect(older)) as old:
        old.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('jobs', '0005_of_old', datetime())")
        old.commit()
    assert "rows are copied" in succeed(empty, "copy_from_sqlite", str(older))


@POSTGRESQL_ONLY
@pytest.mark.parametrize("change", ["ALTER TABLE jobs_joblog ADD COLUMN mood text", "CREATE TABLE jobs_mood (id int)"])
def test_what_only_another_version_knows_is_not_left_behind(
    change: str, file: Path, empty: str, tmp_path: Path
) -> None:
    newer = shutil.copy(file, tmp_path / "db.sqlite3")
    with closing(sqlite3.connect(newer)) as old:
        old.execute(change)
        old.commit()
    assert "have not the same migrations" in manage(empty, "copy_from_sqlite", str(newer)).stderr


@POSTGRESQL_ONLY
def test_a_row_that_postgresql_does_not_take_is_told_in_a_sentence_and_nothing_is_copied(
    file: Path, empty: str, tmp_path: Path
) -> None:
    odd = shutil.copy(file, tmp_path / "db.sqlite3")
    with closing(sqlite3.connect(odd)) as old:
        old.execute("UPDATE auth_user SET first_name = ?", ["x" * 500])  # SQLite bounds no text
        old.commit()
    done = manage(empty, "copy_from_sqlite", str(odd))
    assert done.stderr.startswith("CommandError: Nothing was copied (22001): look up its code")
    with psycopg.connect(empty) as new:
        assert new.execute("SELECT count(*) FROM receipts_client").fetchone() == (0,)


@POSTGRESQL_ONLY
def test_what_is_written_while_it_looks_whether_there_is_anything_stays(file: Path, empty: str) -> None:
    with psycopg.connect(empty) as new, ThreadPoolExecutor(1) as pool:
        new.execute("INSERT INTO receipts_client (name, created_at) VALUES ('Shop', now())")
        copying = pool.submit(manage, empty, "copy_from_sqlite", str(file))
        waiting = (
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        wait_for(lambda: new.execute(waiting).fetchone() == (True,), "the copy to wait for the row")
        new.commit()
        assert "only an empty database is filled" in copying.result().stderr
        assert new.execute("SELECT name FROM receipts_client").fetchall() == [("Shop",)]


def test_it_is_refused_while_the_setting_still_names_sqlite(tmp_path: Path) -> None:
    done = manage(f"sqlite:///{tmp_path}/db.sqlite3", "copy_from_sqlite", "any")
    assert (
        done.stderr == "CommandError: DATABASE_URL names no PostgreSQL: set it to the one that is to have the rows.\n"
    )
