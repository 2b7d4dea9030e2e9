"""What a database says of why it cannot be used comes down to a code, which holds no name and no password."""

import os
import sqlite3

import psycopg
import pytest
from django.db import OperationalError
from django.db.migrations.exceptions import MigrationSchemaMissing

from accounting.management.commands.migrate import failure
from accounting.outages import code_of, error_fields, unreachable


def error_with(cause: Exception) -> OperationalError:
    error = OperationalError("in Django's words")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('FATAL:  password authentication failed for user "anna"', "28P01"),
        ("fe_sendauth: no password supplied", "28P01"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.5", user "anna", database "x", no encryption', "28000"),
        ('FATAL:  Peer authentication failed for user "anna"', "28000"),
        ("FATAL:  sorry, too many clients already", "53300"),
        ('FATAL:  permission denied for database "x"', "42501"),
        ("FATAL:  the database system is starting up", "57P03"),
        ('root certificate file "/nope" does not exist', "08001"),
        ("SSL error: certificate verify failed", "08001"),
        ("server does not support SSL, but SSL was required", "08001"),
        ("Connection refused", ""),
        ("connection timeout expired", ""),
    ],
)
def test_what_it_says_to_whom_it_does_not_let_in_has_a_code(said: str, code: str) -> None:
    error = error_with(psycopg.OperationalError(f'connection failed: connection to "db", port 5432 failed: {said}'))
    assert code_of(error) == code
    assert error_fields(error) == {"error": "OperationalError"} | ({"code": code} if code else {})


@pytest.mark.parametrize("option", ["foo=bar", "connect_timeout=soon", "sslmode=nonsense"])
def test_an_option_that_there_is_none_of_has_a_code(option: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        psycopg.connect(f"host=127.0.0.1 port=1 {option}")
    assert code_of(error_with(refused.value)) == "08001"


@pytest.mark.parametrize(
    ("cause", "code"),
    [(psycopg.errors.DiskFull("no room"), "53100"), (psycopg.errors.DeadlockDetected(), "40P01"), (ValueError(), "")],
)
def test_an_error_that_has_a_code_keeps_it(cause: Exception, code: str) -> None:
    assert code_of(error_with(cause)) == code


def test_who_may_make_no_tables_is_told_the_code_of_that() -> None:
    refused = MigrationSchemaMissing("in Django's words")
    refused.__context__ = error_with(psycopg.errors.InsufficientPrivilege())
    assert failure(refused).startswith("The database cannot be migrated (42501): look up its code in docs/")


def test_sqlite_calls_its_errors_by_name() -> None:
    with pytest.raises(sqlite3.OperationalError) as refused:
        sqlite3.connect("/nowhere/db.sqlite3")
    assert "(SQLITE_CANTOPEN): look at DATABASE_URL" in unreachable(error_with(refused.value))


@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="a server says it: --database=postgresql")
@pytest.mark.parametrize(
    ("who", "database", "options", "code"),
    [
        ("postgres", "there_is_none", "", "3D000"),
        ("there_is_none", "postgres", "", "28000"),
        ("pg_monitor", "postgres", "", "28000"),  # which may not log in
        ("postgres", "postgres", "-c there_is_none=1", "42704"),
        ("postgres", "postgres", "-c lock_timeout=soon", "22023"),
    ],
)
@pytest.mark.usefixtures("db")
def test_a_real_server_says_what_is_known(who: str, database: str, options: str, code: str) -> None:
    server = os.environ["TEST_POSTGRES_URL"]
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(server, user=who, dbname=database, options=options)
    assert code_of(error_with(refused.value)) == code
