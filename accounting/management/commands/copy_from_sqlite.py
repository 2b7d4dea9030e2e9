"""`manage.py copy_from_sqlite`: take every row over into PostgreSQL, to the microsecond, which the audit looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from accounting.outages import code_of, migrations
from accounting.terminal.progress import say
from receipts.models import Client, Receipt

SOURCE = "copied_from"
BATCH = 500


class Command(BaseCommand):
    """Copies a SQLite database into an empty PostgreSQL one; all of it, or nothing."""

    help = "Copy every row of a SQLite database, of this version and no longer in use, into an empty PostgreSQL."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where the rows are."""
        parser.add_argument("file", type=Path, help="the database of SQLite, as var/db.sqlite3; it is only read")

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy.

        Raises:
            CommandError: the rows cannot come from there, or not go where `DATABASE_URL` says; nothing was copied.
            DatabaseError: PostgreSQL cannot be reached.
        """
        if connection.vendor != "postgresql":
            raise CommandError("DATABASE_URL names no PostgreSQL: set it to the one that is to have the rows.")
        connection.ensure_connection()
        with _opened(options["file"]) as source, transaction.atomic(), transaction.atomic(using=SOURCE):
            _refuse_another_version(source)
            _keep_others_out()
            _refuse_what_is_in_use()
            _empty()
            rows = sum(map(_copy, _tables()))
            _go_on_counting()
        say(self.stdout, f"{rows} rows are copied. Now let manage.py verify_audit look at them.")


@contextmanager
def _opened(file: Path) -> Iterator[BaseDatabaseWrapper]:
    """Lend a connection that writes nothing to the file."""
    if not file.is_file():
        raise CommandError(f"There is no file {file}.")
    own = connection.settings_dict
    connections.settings[SOURCE] = own | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{file.resolve().as_uri()}?mode=ro",
        "OPTIONS": {},
    }
    try:
        yield connections[SOURCE]
    except DatabaseError as error:
        code = code_of(error)
        why = f" ({code}): look up its code in docs/operations.md" if code else ""
        raise CommandError(f"Nothing was copied{why}; --traceback shows what was said.") from error
    finally:
        connections[SOURCE].close()
        del connections[SOURCE], connections.settings[SOURCE]


def _refuse_another_version(source: BaseDatabaseWrapper) -> None:
    theirs, ours = map(_applied_migrations, (source, connection))
    if not theirs:
        raise CommandError("The file is no database of this service.")
    if theirs != ours or _columns(source) - _columns(connection):  # those would be left behind
        raise CommandError("The two have not the same migrations: run this version's `manage.py migrate` on both.")


def _applied_migrations(database: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """Return those that this version has; a database remembers others for ever, as those that were renamed."""
    return set(MigrationRecorder(database).applied_migrations()).intersection(migrations())


def _columns(database: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """Return each table's columns, but for what SQLite keeps for itself (sqlite.org/fileformat2.html section 2.6)."""
    with database.cursor() as cursor:
        tables = [name for name in database.introspection.table_names(cursor) if not name.startswith("sqlite_")]
        described = {table: database.introspection.get_table_description(cursor, table) for table in tables}
    return {(table, column.name) for table, columns in described.items() for column in columns}


def _refuse_what_is_in_use() -> None:
    for model in (Receipt, Client, get_user_model()):
        if model._base_manager.exists():
            raise CommandError("There are rows already where DATABASE_URL leads: only an empty database is filled.")


def _tables() -> list[type[Model]]:
    """Return the models of all tables, those between two others among them."""
    models = apps.get_models(include_auto_created=True)
    return [model for model in models if model._meta.managed and not model._meta.proxy]


def _keep_others_out() -> None:
    """Lock all tables: what a process that was started too early writes would be deleted unseen."""
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {_all_names()}")


def _empty() -> None:
    """Delete what migrations wrote, as kinds of content and roles: in the file it may be under other numbers."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {_all_names()}")


def _all_names() -> str:
    return ", ".join(connection.ops.quote_name(model._meta.db_table) for model in _tables())


def _copy(model: type[Model]) -> int:
    """Copy one table past everything that would write a value of its own; return how many rows it has."""
    fields = model._meta.concrete_fields
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    rows = model._base_manager.using(SOURCE).order_by("pk").values_list(*(field.attname for field in fields))
    statement = f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor:  # Django lets psycopg's own errors out
        with cursor.copy(statement) as copy:
            for row in rows.iterator(BATCH):
                copy.write_row(
                    [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]
                )
        return int(cursor.rowcount)


def _go_on_counting() -> None:
    """Let keys that the database makes begin behind those that were copied."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), _tables()):
            cursor.execute(statement)
