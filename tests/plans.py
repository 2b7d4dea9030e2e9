"""How the database would find what a query asks for."""

from django.db import connection


def plan(sql: str) -> str:
    """Return its plan; on PostgreSQL that for a table so large that reading all of it is out of the question."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return "\n".join(str(row) for row in cursor.fetchall())
