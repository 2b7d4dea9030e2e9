"""Programs that check configurations and copy data, from Debian's packages."""

import os
import shutil
import subprocess

import pytest

PACKAGES = {
    "bash": "bash",
    "caddy": "caddy",
    "curl": "curl",
    "promtool": "prometheus",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "shellcheck": "shellcheck",
    "sqlite3": "sqlite3",
    "systemd-analyze": "systemd",
}


def tool(name: str) -> str:
    """Return a program's path; where it is missing, skip with a sentence that says what to install (in CI: fail)."""
    path = shutil.which(name)
    if path is None:
        sentence = f"There is no {name}: apt install --no-install-recommends {PACKAGES[name]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(sentence)
    return str(path)


def run(name: str, *arguments: object, **environment: str) -> str:
    """Run a checker and return what it prints; its complaint is the test's failure."""
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
