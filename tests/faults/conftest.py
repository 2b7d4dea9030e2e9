"""Installations to do harm to."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from jobs.sandbox import Sandbox, running_sandbox
from tests.support.installation import Installation
from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture
def n8n() -> Iterator[Sandbox]:
    """Return a sandbox that calls back at once."""
    with running_sandbox(delay=0.05) as sandbox:
        yield sandbox


@pytest.fixture
def service(n8n: Sandbox, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation of which nothing runs yet."""
    with Installation(tmp_path, f"{n8n.url}/webhook/receipts") as installation:
        yield installation


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server that may be harmed; whoever does mends it again."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def on_own_postgres(n8n: Sandbox, own_postgres: PostgresServer, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation on that server, with short time-outs of the database."""
    webhook = f"{n8n.url}/webhook/receipts"
    with Installation(tmp_path, webhook, postgres=own_postgres.url) as installation:
        options = "-c lock_timeout=1s -c idle_in_transaction_session_timeout=2s"
        installation.env["DATABASE_URL"] += f"&options={quote(options)}"
        yield installation
