"""A real N8N on loopback, with a folder of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import requests

from tests.support.installation import wait_for
from tests.support.servers import free_port, made_up

from . import installing

START_SECONDS = 120.0
COMMAND_SECONDS = 120.0
ANSWER_SECONDS = 30.0
EXECUTION_SECONDS = 90.0
OWNER = {
    "email": "owner@example.com",
    "firstName": "Olive",
    "lastName": "Owner",
    "password": f"Aa1{made_up('owner')[:24]}",
}
UNLIMITED = {"executionTimeout": -1}  # N8N keeps a setting that is not sent: a test's limit would stay for all after it
QUIET = {
    "NODE_ENV": "production",  # otherwise errors carry a stack trace
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_SECURE_COOKIE": "false",  # it is asked by http
    "GENERIC_TIMEZONE": "UTC",
}


class N8N:
    """An N8N as an operator runs it.

    Args:
        folder: for its database, its files and its log.
        settings: further settings, as its environment has them.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = os.environ | QUIET | {
            "N8N_USER_FOLDER": str(folder),
            "N8N_ENCRYPTION_KEY": made_up("encryption key of N8N"),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_HOST": "127.0.0.1",
            "N8N_PORT": str(port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        } | settings  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Connection"] = "close"  # N8N ends an idle one after 5 s, it may be while we send

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._session.close()

    # -- the command line: before the start ---------------------------------------------------------------------------

    def command(self, *words: str) -> str:
        """Run one of its commands and return what it prints."""
        done = subprocess.run(
            [installing.node(), installing.program(), *words],
            env=self.env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def import_workflows(self, folder: Path) -> None:
        """Import all workflow files of a folder as they are."""
        words = self.command("import:workflow", "--separate", f"--input={folder}")
        assert "Successfully imported" in words, words

    def import_credentials(self, credentials: list[dict[str, Any]]) -> None:
        """Import credentials, in the form that its own export gives them."""
        file = self.folder / "credentials.json"
        file.write_text(json.dumps(credentials))
        assert "Successfully imported" in self.command("import:credentials", f"--input={file}")
        file.unlink()

    # -- the server ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [installing.node(), installing.program(), "start"],
                env=self.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self._is_up, "N8N to start", START_SECONDS)

    def stop(self) -> None:
        """End it, and the runner of its Code nodes with it."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(ANSWER_SECONDS)
            self._process = None

    def log(self) -> str:
        """Return what it has logged so far."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def _is_up(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"N8N ended at its start:\n{self.log()[-2000:]}"
        try:
            return self._session.get(f"{self.url}/healthz/readiness", timeout=2).ok
        except requests.RequestException:
            return False

    # -- its public API: while it runs ---------------------------------------------------------------------------------

    @cached_property
    def api_key(self) -> str:
        """A key of its public API that may do everything."""
        return self.make_key()

    def make_key(self, *, without: str = "") -> str:
        """Make a key of its public API, as its owner does in the browser, with all scopes but one."""
        every = self._browser.get(f"{self.url}/rest/api-keys/scopes", timeout=ANSWER_SECONDS).json()["data"]
        wanted = {
            "label": f"all but {without}",
            "scopes": [scope for scope in every if scope != without],
            "expiresAt": None,
        }
        made = self._browser.post(f"{self.url}/rest/api-keys", json=wanted, timeout=ANSWER_SECONDS)
        made.raise_for_status()
        return str(made.json()["data"]["rawApiKey"])

    @cached_property
    def _browser(self) -> requests.Session:
        """Its owner's browser, once he has introduced himself."""
        browser = requests.Session()
        browser.trust_env = False
        browser.headers["Connection"] = "close"
        browser.post(f"{self.url}/rest/owner/setup", json=OWNER, timeout=ANSWER_SECONDS).raise_for_status()
        return browser

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Any:
        """Ask its public API and return the answer's JSON."""
        answer = self._session.request(
            method, f"{self.url}/api/v1{path}", json=body, params=query,
            headers={"X-N8N-API-KEY": self.api_key}, timeout=ANSWER_SECONDS,
        )  # fmt: skip
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def publish(self, workflow: dict[str, Any]) -> None:
        """Put a workflow on the air, with these contents; what is there as it should be is not saved again."""
        path = f"/workflows/{workflow['id']}"
        contents = {name: workflow[name] for name in ("name", "nodes", "connections", "settings")}
        there = self.api("GET", path)
        if any(there[name] != contents[name] for name in ("nodes", "connections", "settings")):
            self.api("PUT", path, contents | {"settings": UNLIMITED | contents["settings"]})
        self.api("POST", f"{path}/activate")

    def deactivate(self, workflow_id: str) -> None:
        """Take a workflow off the air."""
        self.api("POST", f"/workflows/{workflow_id}/deactivate")

    def listens_at(self, path: str) -> bool:
        """Tell whether a published workflow takes POST there; asked by GET, which starts nothing."""
        return "make a POST request" in self._session.get(f"{self.url}/webhook/{path}", timeout=ANSWER_SECONDS).text

    def wait_for_end(self, execution_id: str) -> dict[str, Any]:
        """Wait until an execution has ended, and return it with all its data."""

        def ended() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.api("GET", f"/executions/{execution_id}", includeData="true")
            return execution if execution["status"] in ("success", "error", "crashed", "canceled") else None

        found: dict[str, Any] = wait_for(ended, f"the end of execution {execution_id}", EXECUTION_SECONDS)
        return found
