"""A database backend: Django's own for PostgreSQL, but that a session which may only be read is not kept.

Such a session was begun while the server was a standby, or with another server that is one. It answers every look
whether it lives, and so would be kept after there is a server to write to, for as long as the process.
"""

from django.db.backends.postgresql import base
from psycopg import Error


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is looked at before each request, and made anew where nothing can be written by it."""

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
