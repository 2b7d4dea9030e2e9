"""Caddy with our Caddyfile on loopback, and clients that ask it."""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.support.installation import PATIENCE_SECONDS, wait_for
from tests.support.servers import free_port

from .tools import run, tool


class Caddy:
    """Addresses of a running Caddy, and what it has logged.

    Args:
        folder: for its certificates and its log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.n8n_host = f"n8n.localhost:{self.port}"
        self.plain_url = f"http://localhost:{self.plain_port}"
        self.authority = folder / "caddy/pki/authorities/local/root.crt"

    def ask(self, url: str, method: str = "GET", source: str = "127.0.0.1", **more: Any) -> requests.Response:
        """Send a request, its path just as it is written, from this address; redirects are not followed."""
        with requests.Session() as session:
            session.mount("https://", _From(source))
            request = session.prepare_request(requests.Request(method, url, **more))
            request.url = url  # requests would tidy the path up
            return session.send(request, verify=str(self.authority), allow_redirects=False, timeout=PATIENCE_SECONDS)

    def log(self) -> str:
        """Return what it has logged so far."""
        return (self.folder / "caddy.log").read_text()

    def is_up(self) -> bool:
        """Tell whether it listens, with a certificate of its own authority."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
            with socket.create_connection(("127.0.0.1", self.port)) as connection:
                context.wrap_socket(connection, server_hostname="localhost").close()
        except OSError:  # ssl.SSLError is one
            return False
        return True


class _From(HTTPAdapter):
    """Connects from an address of choice."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more, source_address=(self._source, 0))


@contextmanager
def running_caddy(
    folder: Path, web: int, n8n: int = 9, *, more_webs: Sequence[int] = (), site: str = "https://localhost"
) -> Iterator[Caddy]:
    """Run Caddy in front of web processes and an N8N on these ports, for as long as the block lasts.

    Args:
        site: what `PUBLIC_BASE_URL` is to Caddy, but for its port.
    """
    caddy = Caddy(folder)
    (folder / "caddy.json").write_text(json.dumps(_configuration(caddy, [web, *more_webs], n8n, site)))
    environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [tool("caddy"), "run", "--config", str(folder / "caddy.json")]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(caddy.is_up, "Caddy")
        yield caddy
    finally:
        process.kill()
        process.wait()


def _configuration(caddy: Caddy, webs: Sequence[int], n8n: int, site: str) -> dict[str, Any]:
    """Return the Caddyfile in Caddy's own words, with nothing changed but where it listens."""
    adapted = run(
        "caddy", "adapt", "--config", "deploy/Caddyfile",
        PUBLIC_BASE_URL=site,
        N8N_BASE_URL="https://n8n.localhost",
        GRAFANA_BASE_URL="https://grafana.localhost",
        WEB_UPSTREAM=" ".join(f"127.0.0.1:{web}" for web in webs),
        N8N_UPSTREAM=f"127.0.0.1:{n8n}",
        UPLOAD_MAX_MB="1",
    )  # fmt: skip
    configuration: dict[str, Any] = json.loads(adapted)
    http = configuration["apps"]["http"] | {"http_port": caddy.plain_port, "https_port": caddy.port}
    for server in http["servers"].values():
        is_plain = server["listen"] == [":80"]
        server["listen"] = [f"127.0.0.1:{caddy.plain_port if is_plain else caddy.port}"]
    configuration["apps"]["http"] = http
    return configuration | {"admin": {"disabled": True}}
