"""The service as an image or a machine of an operator's runs it: by somebody without rights, who owns one folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.installation import PATIENCE_SECONDS

from .tools import tool

NOBODY = 10001
# to reach the interpreter of these tests, wherever it lies; it lets nobody write
READING = [f"--{which}=-all,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")]


class Rehearsal:
    """Code that belongs to root, and a folder that belongs to whoever runs it.

    Args:
        folder: for both.
        copied: what of the project is there.
        environment: what the processes are told, and nothing else.
    """

    def __init__(self, folder: Path, copied: Sequence[str], environment: dict[str, str]) -> None:
        self.code, self.state = folder / "code", folder / "state"
        self.code.mkdir(mode=0o755)
        for name in copied:
            _copy(Path(name), self.code / name)
        self.state.mkdir(mode=0o700)
        os.chown(self.state, NOBODY, NOBODY)
        self.environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
        self.environment |= environment | {"TMPDIR": str(self.state)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str) -> str:
        """Run a command of `manage.py` to its end and return what it prints."""
        done = subprocess.run(self._line(*command), **self._as_nobody(), stdout=subprocess.PIPE, check=True)  # type: ignore[call-overload] # of three options
        return str(done.stdout.decode())

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command of `manage.py`."""
        process: subprocess.Popen[bytes] = subprocess.Popen(self._line(*command), **self._as_nobody())  # type: ignore[call-overload] # of three options
        self.processes.append(process)
        return process

    def stop(self) -> list[int]:
        """Tell all processes to stop, and return how each ended."""
        for process in self.processes:
            process.terminate()
        return [process.wait(PATIENCE_SECONDS) for process in self.processes]

    def _line(self, *command: str) -> list[str]:
        setpriv = [tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
        return [*setpriv, *READING, sys.executable, str(self.code / "manage.py"), *command]

    def _as_nobody(self) -> dict[str, object]:
        return {"env": self.environment, "cwd": self.code, "stdin": subprocess.DEVNULL}


@contextmanager
def rehearsal(copied: Sequence[str], environment: dict[str, str]) -> Iterator[Rehearsal]:
    """Prepare a rehearsal in a folder that everybody may enter; at the end nothing of it runs."""
    with tempfile.TemporaryDirectory(prefix="receipts-rehearsal-") as name:
        Path(name).chmod(0o755)
        stage = Rehearsal(Path(name), copied, environment)
        try:
            yield stage
        finally:
            for process in stage.processes:
                process.kill()
                process.wait()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
