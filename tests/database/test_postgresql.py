"""How long a session with PostgreSQL waits is said by the service, unless `DATABASE_URL` says otherwise."""

from typing import Any

import pytest
from django.db import connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="its own settings: --database=postgresql"),
]


def time_outs(options: str) -> tuple[str, str]:
    """Return those of a new session, where `DATABASE_URL` has these `options`; none is what a PgBouncer passes on."""
    beside: Any = connection.copy()
    beside.settings_dict["OPTIONS"] |= {"options": options} if options else {}
    try:
        with beside.cursor() as cursor:
            cursor.execute("""
                SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')
            """)
            lock, idle = cursor.fetchone()
            return lock, idle
    finally:
        beside.close()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", ("15s", "30s")),
        ("-c statement_timeout=1min", ("15s", "30s")),
        ("-c lock_timeout=1s", ("1s", "30s")),
        ("-c lock_timeout=0 -c idle_in_transaction_session_timeout=1min", ("0", "1min")),
    ],
)
def test_nobody_waits_for_ever_unless_database_url_says_so(options: str, found: tuple[str, str]) -> None:
    assert time_outs(options) == found


def test_nor_for_as_long_as_the_database_is_set_to() -> None:
    setting = f'ALTER DATABASE "{connection.settings_dict["NAME"]}" %s idle_in_transaction_session_timeout'
    with connection.cursor() as cursor:
        cursor.execute((setting % "SET") + " = '1d'")
        try:
            assert time_outs("") == ("15s", "30s")
        finally:
            cursor.execute(setting % "RESET")
