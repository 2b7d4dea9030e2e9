"""Migrations: the version before works on while they run, and after them until it is replaced."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    RemoveField,
    RenameField,
    RunSQL,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED
from django.utils import timezone

from accounting.management.commands.migrate import LOCK
from accounting.staff import log_action
from jobs.models import Heartbeat
from receipts.models import ApiKey
from receipts.services import create_api_key
from tests.support.installation import wait_for

NEED_A_STOP = {("jobs", "0003_proof")}  # docs/operations.md says so of each
# These let nobody write while they make an index (docs/operations.md); what comes later makes it concurrently
LOCK_TABLES = {
    ("jobs", "0004_hourly_figures"), ("jobs", "0006_list_indexes"),
    ("jobs", "0008_canary"), ("receipts", "0003_receipt_sha256"), ("receipts", "0004_files_by_name"),
}  # fmt: skip
LARGE = {"joblog", "jobevent", "receipt"}
OURS = ("receipts", "jobs")


def later_operations() -> list[tuple[str, str, Operation]]:
    """Return what each of our migrations does but the first of an app, and those that need a stop."""
    return [
        (app, name, operation)
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app in OURS and not migration.initial and (app, name) not in NEED_A_STOP
        for operation in migration.operations
    ]


def can_be_left_empty(field: object) -> bool:
    """Tell whether who does not know the column can write a row; Django's `default` is none of the database's."""
    return bool(getattr(field, "null", False)) or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


def test_what_the_version_before_writes_and_reads_stays_possible() -> None:
    for app, name, operation in later_operations():
        where = f"{app}.{name}: {operation.describe()}; give it null or db_default, or name it in NEED_A_STOP"
        assert not isinstance(operation, RemoveField | RenameField | RunSQL), where
        assert type(operation).__name__ not in ("DeleteModel", "RenameModel", "AlterModelTable"), where
        assert not isinstance(operation, AddField) or can_be_left_empty(operation.field), where


def lets_others_write(app: str, name: str, operation: Operation) -> bool:
    """Tell whether an index is made beside writers."""
    is_atomic = MigrationLoader(None).disk_migrations[app, name].atomic
    return type(operation).__name__ == "AddIndexBesideWriters" and not is_atomic


def test_no_other_migration_locks_a_large_table_for_as_long_as_an_index_of_it_takes() -> None:
    locking = {
        (app, name)
        for app, name, operation in later_operations()
        if isinstance(operation, AddIndex | AddConstraint) and operation.model_name_lower in LARGE
        and not lets_others_write(app, name, operation)
    }  # fmt: skip
    assert locking == LOCK_TABLES, "use AddIndexBesideWriters of jobs.0013, in a migration with atomic = False"


def test_there_is_something_to_be_looked_at() -> None:
    kinds = {type(operation) for *_, operation in later_operations()}
    assert {CreateModel, AlterField} <= kinds


@pytest.mark.django_db
def test_the_audits_chains_begin_only_once_everybody_else_has_stopped() -> None:
    migration = importlib.import_module("jobs.migrations.0003_proof")
    beat = Heartbeat.objects.create(name="till:7", kind=Heartbeat.Kind.WORKER, at=timezone.now())
    editor = connection.schema_editor()
    with pytest.raises(CommandError, match="stop all processes"):
        migration.refuse_while_others_work(apps, editor)
    Heartbeat.objects.update(at=beat.at - timedelta(minutes=1))
    migration.refuse_while_others_work(apps, editor)


@pytest.mark.django_db
def test_keys_whose_id_held_their_hash_are_known_by_their_prefix_and_open_the_same_door() -> None:
    key = create_api_key(client_name="Bakery", key_name="till")
    former = ApiKey.objects.get()
    ApiKey.objects.update(id=f"{former.prefix}.{former.hashed_key}")
    staff = User.objects.create(username="kim")
    log_action(staff, ApiKey.objects.get(), "Added.")
    importlib.import_module("receipts.migrations.0006_keys_by_prefix").name_by_prefix(apps, connection.schema_editor())
    assert ApiKey.objects.get_from_key(key).pk == former.prefix
    assert LogEntry.objects.get().object_id == former.prefix


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="on SQLite: test_no_database.py")
def test_who_comes_second_to_postgresql_waits_too() -> None:
    said = StringIO()

    def migrate() -> None:
        try:
            call_command("migrate", "jobs", stdout=said)
        finally:
            connection.close()

    with connection.cursor() as cursor, ThreadPoolExecutor(1) as other:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        second = other.submit(migrate)
        wait_for(lambda: "waiting for its end" in said.getvalue(), "the second to wait", seconds=10)
        assert not second.done()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        second.result(timeout=30)
    assert "No migrations to apply." in said.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="PostgreSQL makes indexes beside writers")
def test_an_index_that_broke_off_is_made_anew_however_long_a_transaction_is_waited_for() -> None:
    def make_index() -> tuple[str, str, bool]:
        """Make it where one is left that is not whole; return the time-outs that stay, and whether it is whole now."""
        loader = MigrationLoader(connection)
        state = loader.project_state(("jobs", "0013_jobs_of_a_receipt"))
        (operation,) = loader.disk_migrations["jobs", "0013_jobs_of_a_receipt"].operations
        try:
            with connection.schema_editor(atomic=False) as editor, connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'; SET statement_timeout = '150ms'")
                cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
                operation.database_forwards("jobs", editor, state, state)
                cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name])
                (is_whole,) = cursor.fetchone()
                cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
                return *cursor.fetchone(), is_whole
        finally:
            connection.close()

    def has_waited() -> bool:
        cursor.execute("SELECT 1 FROM pg_locks WHERE clock_timestamp() > waitstart + interval '200 ms'")
        return cursor.fetchone() is not None

    name = "job_newest_of_receipt"
    with ThreadPoolExecutor(1) as other, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT 1")  # from here on it sees the database as it is now, as a back-up does
        made = other.submit(make_index)
        wait_for(lambda: made.done() or has_waited(), "the index to be waited for", seconds=10)
    assert made.result(timeout=30) == ("100ms", "150ms", True)
