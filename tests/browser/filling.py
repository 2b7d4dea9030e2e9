"""Fills an installation with a part of the scene."""

import json
import subprocess
import sys
from typing import Any

from tests.support.installation import Installation


def fill_with(service: Installation, part: str) -> Any:
    """Run the part in a process of its own, and return what it tells."""
    command = [sys.executable, "-m", "tests.browser.scene", part]
    return json.loads(subprocess.run(command, env=service.env, stdout=subprocess.PIPE, check=True).stdout)
