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
CLOCKS_APART_SECONDS = 86_400.0  # a share's clock says when a file changed; it may be wrong, or in another time zone


class FileState(NamedTuple):
    """What changes when a file is written."""

    size: int
    modified_ns: int

    def may_be_young(self) -> bool:
        """Tell whether it may have changed just now."""
        return abs(time.time() - self.modified_ns / 1e9) < CLOCKS_APART_SECONDS


def still_written(files: Iterable[Path]) -> set[Path]:
    """Wait for a moment where a file may be young; return those that changed meanwhile."""
    young = {file: state for file in files if (state := _file_state(file)) and state.may_be_young()}
    time.sleep(QUIET_SECONDS if young else 0.0)
    return {file for file, state in young.items() if _file_state(file) != state}


def _file_state(file: Path) -> FileState | None:
    """Look at a file; None where there is none, or nobody may look: whoever reads it will say so."""
    try:
        status = file.stat()
    except OSError:
        return None
    return FileState(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
