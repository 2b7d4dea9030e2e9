"""Each module loads by itself: a command or a process of a pool has not loaded the admin's pages before."""

import subprocess
import sys

import pytest

# each in a process of its own, of which there are 250; to begin one anew for each would take minutes
EACH_ALONE = """
import os
from importlib import import_module
from pathlib import Path
import django

django.setup()
for file in sorted(file for app in ("accounting", "jobs", "receipts") for file in Path(app).rglob("*.py")):
    name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    if file.name == "__main__.py":
        continue
    if not (child := os.fork()):
        import_module(name)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
        os._exit(1)
"""


@pytest.mark.timeout(600)  # half a minute's work for one processor, of which it may have little
def test_every_module_loads_without_any_other() -> None:
    done = subprocess.run([sys.executable, "-c", EACH_ALONE], capture_output=True, text=True, timeout=500, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr[-2000:]
