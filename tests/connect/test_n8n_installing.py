"""How tests get a real N8N, as far as that shows without one."""

from pathlib import Path
from typing import Any

import pytest

from tests.n8n import installing


def test_what_an_installation_left_that_was_broken_off_is_cleared_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    half = tmp_path / "app/node_modules/n8n/package.json"
    half.parent.mkdir(parents=True)
    half.touch()
    found_by_npm: list[bool] = []

    def run(*command: str, **_: Any) -> None:
        if "npm-cli.js" in " ".join(command):
            found_by_npm.append(half.exists())

    monkeypatch.setenv("N8N_FOLDER", str(tmp_path))
    monkeypatch.setattr("tests.n8n.installing.venv.create", lambda *_, **__: None)
    monkeypatch.setattr(installing, "_run", run)
    with pytest.raises(installing.NotInstalled):
        installing.install()
    assert found_by_npm == [False, False]
