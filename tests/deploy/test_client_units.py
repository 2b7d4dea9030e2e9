"""The units of docs/clients.md are what systemd takes, and leave no receipt waiting."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from .tools import tool

FOLDER = "# ~/.config/systemd/user/"
RECIPE = re.search(rf"```ini\n{FOLDER}(.*?)```", Path("docs/clients.md").read_text(), re.DOTALL)
UNITS = dict(unit.split("\n", 1) for unit in (RECIPE[1] if RECIPE else "").split(FOLDER))


def test_a_watched_folder_is_looked_at_again_soon_after_each_run_whatever_came_during_it() -> None:
    assert set(UNITS) == {"receipts.timer", "receipts.service"}
    settings = set(UNITS["receipts.timer"].splitlines())
    assert {"OnActiveSec=1s", "OnUnitInactiveSec=30s", "AccuracySec=1s", "WantedBy=timers.target"} <= settings


@pytest.mark.deploy
def test_systemd_finds_nothing_wrong_with_the_units_of_a_watched_folder(tmp_path: Path) -> None:
    for name, text in UNITS.items():
        (tmp_path / name).write_text(text)
    command = [tool("systemd-analyze"), "--user", "verify", *[str(tmp_path / name) for name in UNITS]]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")  # of what it does not know it only warns
