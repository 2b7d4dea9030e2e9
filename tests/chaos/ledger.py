"""What somebody saw, in the order in which they saw it: one JSON object a line, never changed."""

import json
import threading
import time
from pathlib import Path
from typing import Any, Self

Entry = dict[str, Any]


class Ledger:
    """Takes entries from any thread, and stamps them with seconds since the epoch."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()

    def write(self, **entry: Any) -> None:
        """Add an entry."""
        with self._lock:
            if not self._file.closed:  # a thread that outlived the run has nothing more to tell
                self._file.write(json.dumps({"at": time.time(), **entry}) + "\n")


def read_ledger(path: Path) -> list[Entry]:
    """Return all entries."""
    return [json.loads(line) for line in path.read_text().splitlines()]
