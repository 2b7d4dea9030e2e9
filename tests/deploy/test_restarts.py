"""An upgrade without a pause: web processes behind Caddy are started again in turn while clients upload."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import requests

from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID, SMALL
from tests.support.installation import PATIENCE_SECONDS, WEB, Installation, is_up, wait_for
from tests.support.servers import free_port

from .proxy import Caddy, running_caddy
from .tools import run

pytestmark = [pytest.mark.deploy, pytest.mark.processes]

CLIENTS = 3
ROUNDS = 2
# Before, Caddy closed the body of what it was about to try again (docs/operations.md)
TRIES_AGAIN_SINCE = (2, 11, 2)


class Uploads:
    """What became of uploads, one after the other by several clients, which repeat what a proxy could not hand on."""

    def __init__(self, site: Installation, caddy: Caddy) -> None:
        self.taken: list[int] = []
        self.repeated = 0
        self._site, self._caddy = site, caddy
        self._numbers, self._is_over = count(1), threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Upload for as long as the block lasts."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._upload_until_it_is_over) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                self._is_over.set()
            for client in clients:
                client.result()

    def wait_for_more(self) -> None:
        """Wait until some more were taken."""
        seen = len(self.taken)
        wait_for(lambda: len(self.taken) > seen + 5, "uploads meanwhile")

    def _upload_until_it_is_over(self) -> None:
        with requests.Session() as session:
            while not self._is_over.is_set():
                content = draw_receipt(next(self._numbers), size=SMALL)
                while (status := self._upload(session, content)) == 502:
                    self.repeated += 1
                self.taken.append(status)

    def _upload(self, session: requests.Session, content: bytes) -> int:
        return session.post(
            f"{self._caddy.url}/api/v1/receipts/upload",
            files={"file": ("receipt.jpg", content)},
            data={"notion_database_id": DATABASE_ID},
            headers={"Authorization": f"Api-Key {self._site.key}"},
            verify=str(self._caddy.authority),
            timeout=PATIENCE_SECONDS,
        ).status_code


def test_each_upload_is_taken_at_once_while_each_web_process_is_started_again_in_turn(tmp_path: Path) -> None:
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "UPLOAD_RATE": "none"}
    with (
        Installation(tmp_path, "http://127.0.0.1:9/webhook/receipts", **settings) as site,
        running_caddy(tmp_path, site.port, more_webs=[other := free_port()]) as caddy,
    ):
        site.env["PUBLIC_BASE_URL"] = caddy.url
        webs = {port: _start(site, port) for port in (site.port, other)}
        uploads = Uploads(site, caddy)
        with uploads.going_on():
            for port in list(webs) * ROUNDS:
                uploads.wait_for_more()
                site.kill(webs[port], signal.SIGTERM)
                assert webs[port].returncode == 0
                webs[port] = _start(site, port)
        assert set(uploads.taken) == {202}
        assert site.query("SELECT count(*) FROM jobs_joblog")[0][0] == len(uploads.taken)
        assert uploads.repeated == 0 or _version_of_caddy() < TRIES_AGAIN_SINCE


def _start(site: Installation, port: int) -> subprocess.Popen[bytes]:
    web = site.start(*WEB, str(port))
    wait_for(lambda: is_up(f"http://127.0.0.1:{port}"), "the web process")
    return web


def _version_of_caddy() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", run("caddy", "version").split()[0])))
