"""Which files are still being written.

SMB says a file's length first and fills in the bytes afterwards, and a copy grows: what is read meanwhile is half a
receipt. Nobody tells when a file is whole, so one that has not changed for a while counts as whole.
"""

import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

QUIET_SECONDS = 2.0


class FileState(NamedTuple):
    """What changes when a file is written."""

    size: int
    modified_ns: int

    def seconds_until_quiet(self) -> float:
        """Return the seconds until it has not changed for long enough; none where it says to be of a day to come."""
        age = time.time() - self.modified_ns / 1e9  # a share's clock may be somewhat ahead
        return QUIET_SECONDS - max(0.0, age) if abs(age) < QUIET_SECONDS else 0.0


def still_written(files: Iterable[Path]) -> set[Path]:
    """Wait for a moment, until the youngest file may have been quiet for long enough; return those that were not."""
    young = {file: state for file in files if (state := _file_state(file)) and state.seconds_until_quiet()}
    time.sleep(max((state.seconds_until_quiet() for state in young.values()), default=0.0))
    return {file for file, state in young.items() if _file_state(file) != state}


def _file_state(file: Path) -> FileState | None:
    """Look at a file; None where there is none, or nobody may look: whoever reads it will say so."""
    try:
        status = file.stat()
    except OSError:
        return None
    return FileState(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
