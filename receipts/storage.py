"""Where receipts lie: private, under random names, and on the disk before anybody is told so."""

import errno
import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, storages
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from .models import Receipt, day_folder
from .storage_mark import is_the_storage, leave_mark

if TYPE_CHECKING:  # who has no bucket loads nothing for one
    from .bucket import PrivateBucketStorage

PARTIAL_PREFIX = ".partial-"
PIECE_BYTES = 64 * 1024  # of a file that is read as it comes
OWNER_ONLY = 0o700
# what the machine, a disk or a mount says of any file, so that it tells nothing of this one
OUT_OF_REACH = frozenset(
    {errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
)

_synced: set[Path] = set()  # folders whose names are on the disk


class StorageAway(OSError):
    """The storage cannot be reached, or refuses us: whether a file is there is not known."""


class PrivateFileStorage(FileSystemStorage):
    """Writes a file whole or not at all, and synced: a temporary name, fsync, rename, fsync of the folder.

    Django's own storage writes under the final name and never syncs: a full disk leaves half a file there, and a
    power cut an empty one.

    Where another folder is in its place, as below a volume that is not mounted, it is away (`storage_mark`): nothing is
    put there, and nothing that is not there is called lost.
    """

    def is_mounted(self) -> bool:
        """Tell whether it is the folder in which receipts are kept, as far as the database can be asked."""
        try:
            return is_the_storage(Path(self.location))
        except (DatabaseError, InterfaceError, OSError):  # the last is for `is_writable` to tell
            return True

    def take_for_it(self) -> None:
        """Take the folder for the one in which receipts are kept, whatever is there."""
        _make_folder(Path(self.location), Path(self.location))
        leave_mark(Path(self.location))

    def is_writable(self) -> bool:
        """Tell whether the folder has room and takes files of ours, and today's in it, which another may have made.

        Of a folder that is still to be made, the nearest one above it that exists is asked.
        """
        today = self.path(day_folder(Receipt, timezone.now()))
        try:
            return all(_takes_files(_nearest(Path(folder))) for folder in (self.location, today))
        except OSError:  # nobody may look there, or the mount is dead
            return False

    def size(self, name: str) -> int:
        """Return the size of a file.

        Raises:
            FileNotFoundError: it is not there.
            StorageAway: that is not known.
        """
        with self._looked_for():
            return super().size(name)

    def stream(self, name: str) -> Generator[bytes, None, None]:
        """Yield a file's bytes as they are read, so that whoever reads them may stop.

        Raises:
            FileNotFoundError, StorageAway: as of its size.
        """
        with self.open(name) as file:
            yield from file.chunks(PIECE_BYTES)

    def delete(self, name: str) -> None:
        """Delete a file so that it stays deleted: after a power cut a purge would have brought its last files back."""
        super().delete(name)
        with suppress(FileNotFoundError):
            _sync_folder(Path(self.path(name)).parent)

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the names of the files right in a folder, never all of them at once; none where there is no folder."""
        return (entry.name for entry in self._entries(folder) if entry.is_file())

    def folders_in(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders right in a folder, likewise."""
        return (entry.name for entry in self._entries(folder) if entry.is_dir())

    def _entries(self, folder: str) -> "Iterator[os.DirEntry[str]]":
        with suppress(FileNotFoundError), os.scandir(self.path(folder)) as entries:
            yield from entries

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        with self._looked_for():
            file: File[bytes] = super()._open(name, mode)  # type: ignore[misc] # Django's stubs leave it out
            return file

    @contextmanager
    def _looked_for(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            if not is_the_storage(Path(self.location)):
                raise StorageAway("not mounted") from None
            raise
        except OSError as error:
            if error.errno in OUT_OF_REACH:
                raise StorageAway(type(error).__name__) from None
            raise

    def _save(self, name: str, content: "File[bytes]") -> str:
        if not is_the_storage(Path(self.location)):
            raise StorageAway("not mounted")
        final = Path(self.path(name))
        _make_folder(final.parent, Path(self.location))
        leave_mark(Path(self.location))
        partial = final.with_name(PARTIAL_PREFIX + secrets.token_hex(8))
        try:
            _write(partial, content)
            partial.rename(final)
            _sync_folder(final.parent)
        except BaseException:
            for left in (partial, final):
                left.unlink(missing_ok=True)
            raise
        return name


def can_store() -> bool:
    """Tell whether receipts could be written now, as far as that can be seen without writing one."""
    return not storage_trouble()


def receipt_storage() -> "PrivateFileStorage | PrivateBucketStorage":
    """Return the storage in which receipts lie, and all that is made of them."""
    return cast("PrivateFileStorage | PrivateBucketStorage", storages["default"])


def storage_trouble() -> str:
    """Return why receipts could not be written now, in a word or two; "" where they could, as far as is seen."""
    if not receipt_storage().is_writable():
        return "unavailable"
    return "" if receipt_storage().is_mounted() else "not mounted"


def is_away() -> bool:
    """Tell whether no file can be read now; one that is full, or takes no files, is there all the same."""
    try:
        next(receipt_storage().folders_in(""), None)
    except OSError:
        return True
    return not receipt_storage().is_mounted()


def is_stored(name: str, size: int) -> bool:
    """Tell whether a file of that name is there, and all of it.

    Raises:
        StorageAway: that is not known now.
    """
    try:
        return receipt_storage().size(name) == size
    except StorageAway:
        raise
    except (OSError, ValueError, SuspiciousFileOperation):  # the last two: of a row that was changed
        return False


def discard(name: str) -> None:
    """Delete a file that no row names; where that fails, `remove_orphans` does it tomorrow."""
    with suppress(OSError):
        receipt_storage().delete(name)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return folder if folder.exists() else _nearest(folder.parent)


def _takes_files(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and _has_room(folder)


def _has_room(folder: Path) -> bool:
    """Tell whether the largest upload may still be written there, and a name for it, by whoever is not root."""
    disk = os.statvfs(folder)
    counts_names = disk.f_files > 0  # not every file system does
    return disk.f_bavail * disk.f_frsize >= settings.UPLOAD_MAX_BYTES and (disk.f_favail > 0 or not counts_names)


def _write(path: Path, content: "File[bytes]") -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        for chunk in content.chunks():
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path, location: Path) -> None:
    """Make the folder and those above it, and sync the parent of each, where its name is written.

    Below the storage's location a folder that is there already is synced as well when this process first meets it:
    whoever made it may have been killed before it did so.
    """
    if folder.is_dir() and (folder in _synced or location.is_relative_to(folder)):
        return
    _make_folder(folder.parent, location)
    folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
    _sync_folder(folder.parent)
    _synced.add(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
