"""A database backend: Django's own for PostgreSQL, but that our promises rest on no setting of the server's.

A session which may only be read is not kept. It was begun while the server was a standby, or with another server that
is one; it answers every look whether it lives, and so would be kept after there is a server to write to, for as long as
the process.

Whatever the server, the database or the role is set to, a commit is on the disk before anybody hears of it, and each
statement sees what was committed before it: who has waited for a row's lock sees what the one before him has done.
Nobody waits for ever for the lock of a machine that fell silent, unless `options` in `DATABASE_URL` says so.

What it raises names what was broken, and quotes no row.
"""

from types import TracebackType
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import Error

# "local" asks no standby to wait for, of which whoever said "off" may have some (PostgreSQL 18, section 19.5.1). The
# time-outs come in no start-up parameter: an `options` of somebody's own replaces ours, and a PgBouncer takes none.
SETTINGS = """
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'local' ELSE setting END, false)
FROM current_setting('synchronous_commit') AS setting;

SELECT set_config(name, bound, false)
FROM (VALUES ('lock_timeout', '15s'), ('idle_in_transaction_session_timeout', '30s')) AS bounds (name, bound)
JOIN pg_settings USING (name)
WHERE source <> 'client'
"""
DATA_EXCEPTION = "22"  # a class of errors whose first line, too, quotes the value (PostgreSQL 18, appendix A)


class ErrorsWithoutValues(DatabaseErrorWrapper):
    """Makes Django's errors of psycopg's, and leaves out of both what a row or a statement's values hold.

    It goes by PostgreSQL's fields, for the words between them are in the server's language. Here, and not where lines
    are written: RQ keeps a failed ring's traceback in Redis, and a command prints its own.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Error) and error.diag.message_primary:  # else the server has not said it
            error.args = (_without_values(error),)
        super().__exit__(kind, error, traceback)


def _without_values(error: Error) -> str:
    """Return which rule was broken, without DETAIL ("Failing row contains"), CONTEXT and the statement's LINE."""
    code = error.diag.sqlstate or ""
    sentence = "data exception" if code.startswith(DATA_EXCEPTION) else error.diag.message_primary
    return f"{sentence} ({code})"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is looked at before each request, and made anew where nothing can be written by it."""

    @cached_property
    def wrap_database_errors(self) -> ErrorsWithoutValues:
        """What all that is asked of the connection goes through."""
        return ErrorsWithoutValues(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Begin a session."""
        connection = super().get_new_connection(conn_params)
        connection.execute(SETTINGS)
        connection.commit()
        return connection

    def is_usable(self) -> bool:
        """Tell whether the connection lives, and takes writes (PostgreSQL 18, section 19.11.1)."""
        if self.connection is None:
            return False
        try:
            with self.connection.cursor() as cursor:
                return bool(cursor.execute("SHOW transaction_read_only").fetchone() == ("off",))
        except Error:
            return False

    def is_read_only(self) -> bool:
        """Tell whether PostgreSQL takes no writes: it is a standby, or an operator has said so."""
        with self.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            return bool(cursor.fetchone() == ("on",))
