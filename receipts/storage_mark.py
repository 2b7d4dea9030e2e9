"""A mark in the folder of the receipts: where it is missing, another folder may be in its place.

A volume that is not mounted leaves the folder beneath, which takes files as well: what came would be hidden as soon as
the volume is mounted, and what was taken before would pass for lost.
"""

import os
from contextlib import suppress
from pathlib import Path

import structlog

from .models import Receipt

logger = structlog.get_logger(__name__)

MARK = ".receipts-storage"
TEXT = b"Receipts are kept in this folder. Where this file is missing, the service takes its volume for not mounted.\n"
SAMPLE = 20
WHY = (
    f"MEDIA_ROOT has neither {MARK} nor any receipt that the database knows: mount its volume. If its files are lost "
    f"for good, make an empty file {MARK} there."
)


def is_the_storage(folder: Path) -> bool:
    """Tell whether receipts are kept in this folder, or none are kept anywhere yet.

    Raises:
        DatabaseError, InterfaceError: there is no mark, and the database cannot be asked.
        OSError: nobody may look into the folder, or it fails.
    """
    return _is_there(folder / MARK) or _holds_receipts(folder)


def leave_mark(folder: Path) -> None:
    """Mark the folder, which is there, unless it is marked; another process may be quicker.

    Where only the folders in it may be written to it gets none, and is known by its receipts.
    """
    if not os.path.lexists(folder / MARK):
        with suppress(FileExistsError, PermissionError), open(folder / MARK, "xb") as mark:
            mark.write(TEXT)


def _holds_receipts(folder: Path) -> bool:
    """Look for some receipts of any time, as of an installation that is older than marks; their ids are random."""
    known = Receipt.objects.filter(purged_at=None).order_by("pk").values_list("file", flat=True)[:SAMPLE]
    found = not known or any(_is_there(folder / name) for name in known if "\0" not in name)
    if not found:
        logger.error("storage_not_mounted", why=WHY)
    return found


def _is_there(path: Path) -> bool:
    """Tell whether there is such a name; `os.path.lexists` also denies what it may not look at."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
