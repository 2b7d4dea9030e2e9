"""A database backend: Django's own for PostgreSQL, but that our promises rest on no setting of the server's.

A session which may only be read is not kept. It was begun while the server was a standby, or with another server that
is one; it answers every look whether it lives, and so would be kept after there is a server to write to, for as long as
the process.

Whatever the server, the database or the role is set to, a commit is on the disk before anybody hears of it, and each
statement sees what was committed before it: who has waited for a row's lock sees what the one before him has done.
Nobody waits for ever for the lock of a machine that fell silent, unless `options` in `DATABASE_URL` says so.

A commit that was to wait for a standby, and was told not to, is one of which nobody knows, as where the connection
broke: PostgreSQL calls it done, and only warns that a fail-over may lose it.

What it raises names what was broken, and quotes no row.
"""

from functools import partial
from types import TracebackType
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import Error
from psycopg.errors import Diagnostic

# "local" asks no standby to wait for, of which whoever said "off" may have some (PostgreSQL 18, section 19.5.1). The
# time-outs come in no start-up parameter: an `options` of somebody's own replaces ours, and a PgBouncer takes none.
# Warnings are heard whatever somebody has set: one is all that tells of a commit that no standby has.
SETTINGS = """
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'local' ELSE setting END, false),
       set_config('client_min_messages', 'warning', false)
FROM current_setting('synchronous_commit') AS setting;

SELECT set_config(name, bound, false)
FROM (VALUES ('lock_timeout', '15s'), ('idle_in_transaction_session_timeout', '30s')) AS bounds (name, bound)
JOIN pg_settings USING (name)
WHERE source <> 'client'
"""
# Whether a commit in this database has waited for a standby for long; a role sees its own (the view's page says so)
HELD_UP = r"""
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'SyncRep' AND query_start < clock_timestamp() - interval '5 s'
      AND query ~* '^\s*commit'  -- of another statement that is a transaction by itself, its own work counts in this
)
"""
# The "routine" of the warning ("Error and Notice Message Fields"): its words are in the server's language, and its code
# is that of any warning
WAIT_FOR_STANDBY = "SyncRepWaitForLSN"
DATA_EXCEPTION = "22"  # a class of errors whose first line, too, quotes the value (PostgreSQL 18, appendix A)


class ErrorsWithoutValues(DatabaseErrorWrapper):
    """Makes Django's errors of psycopg's, and leaves out of both what a row or a statement's values hold.

    Makes one, too, of a commit of which the server has warned.

    It goes by PostgreSQL's fields, for the words between them are in the server's language. Here, and not where lines
    are written: RQ keeps a failed ring's traceback in Redis, and a command prints its own.
    """

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Error) and error.diag.message_primary:  # else the server has not said it
            error.args = (_without_values(error),)
        super().__exit__(kind, error, traceback)
        if kind is None:
            self.wrapper.refuse_half_a_commit()


def _without_values(error: Error) -> str:
    """Return which rule was broken, without DETAIL ("Failing row contains"), CONTEXT and the statement's LINE."""
    code = error.diag.sqlstate or ""
    sentence = "data exception" if code.startswith(DATA_EXCEPTION) else error.diag.message_primary
    return f"{sentence} ({code})"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is looked at before each request, and made anew where nothing can be written by it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._half_commits = list[Diagnostic]()  # what this connection was told of commits that no standby may have

    @cached_property
    def wrap_database_errors(self) -> ErrorsWithoutValues:
        """What all that is asked of the connection goes through."""
        return ErrorsWithoutValues(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Begin a session."""
        connection = super().get_new_connection(conn_params)
        self._half_commits = []
        connection.add_notice_handler(partial(_hear, half_commits=self._half_commits))
        connection.execute(SETTINGS)
        connection.commit()
        return connection

    def refuse_half_a_commit(self) -> None:
        """Break the connection where a commit has not waited for its standby: whoever asked for it is not told "done".

        Raises:
            OperationalError: so it was. Without a code, as of any connection that breaks at a commit.
        """
        if self._half_commits:
            self._half_commits.clear()
            self.connection.close()
            raise OperationalError("committed, but not waited for: no standby may have it")

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

    def is_held_up(self) -> bool:
        """Tell whether commits wait for a standby that does not answer; they do so without end."""
        with self.cursor() as cursor:
            cursor.execute(HELD_UP)
            return bool(cursor.fetchone() == (True,))


def _hear(warning: Diagnostic, *, half_commits: list[Diagnostic]) -> None:
    if warning.source_function == WAIT_FOR_STANDBY:
        half_commits.append(warning)
