"""Installations to do harm to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.sandbox import Sandbox, running_sandbox
from tests.support.installation import Installation


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
