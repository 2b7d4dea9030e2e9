"""Which files are uploaded, and how each is read."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from accounting.forms.multipart import Frame, frame
from receipts.formats import FURTHER_SUFFIXES, SUFFIXES

from .refusals import FILE_CHANGED, Misused, NotTaken, unreadable

NAMED_AS_OURS = frozenset({*SUFFIXES.values(), *FURTHER_SUFFIXES})
PIECE_BYTES = 128 * 1024


class Found(NamedTuple):
    """The files to upload, and how much of the folders is not: links to folders, and what is not called as pictures."""

    files: list[Path]
    passed_over: int


def find_files(paths: Iterable[Path]) -> Found:
    """Return each file once: those named, whatever they are called, and the folders' pictures, by their suffixes.

    A folder that cannot be read is among them: it will not be taken, and be told of.

    Raises:
        Misused: there is no such file or folder, or it is neither.
    """
    files: dict[Path, None] = {}
    passed_over = 0
    for path in paths:
        if not os.path.exists(path):  # a path's own method raises where its name is too long
            raise Misused(f"There is no {path}.")
        if not (path.is_file() or path.is_dir()):  # a pipe can be read but once
            raise Misused(f"{path} is no file.")
        for file in sorted(_below(path)) if path.is_dir() else [path]:
            is_ours = file == path or _is_ours(file)
            passed_over += not is_ours
            files |= {file: None} if is_ours else {}
    return Found(list(files), passed_over)


def _below(folder: Path) -> Iterator[Path]:
    """Return what is in a folder and those below it, but for what is hidden."""
    return (path for path in _walk(folder) if not _is_hidden(path, folder))


def _walk(folder: Path) -> Iterator[Path]:
    """Return all files, all links to folders, which are not followed, and the folders that cannot be read."""
    unread: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=lambda error: unread.append(Path(error.filename))):
        yield from filter(_may_be_read, (Path(parent, name) for name in names))
        yield from filter(os.path.islink, (Path(parent, name) for name in folders))
    yield from unread


def _is_ours(path: Path) -> bool:
    """Tell whether what a folder holds is called as pictures are, or is a folder that cannot be read."""
    return not path.is_symlink() if os.path.isdir(path) else path.suffix.lower() in NAMED_AS_OURS


def _may_be_read(path: Path) -> bool:
    """Tell whether it is a file, or nobody can tell, as of a link to nowhere."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except OSError:
        return True


def is_looked_into(folder: Path, paths: Iterable[Path]) -> bool:
    """Tell whether what is put into that folder is, or lies beside, what the paths name."""
    return any(_holds(path.resolve(), folder.resolve()) for path in paths)


def _holds(path: Path, folder: Path) -> bool:
    if not path.is_dir():
        return path.parent == folder
    return folder.is_relative_to(path) and not _is_hidden(folder, path)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def move(path: Path, folder: Path, *, mark: str) -> None:
    """Move a file into a folder, whole or not at all; of a link, what it leads to.

    Args:
        mark: makes it another name where that one is taken.

    Raises:
        OSError: it stays where it is; the error's filename is of the side that failed.
    """
    target = _free_name(path, folder, mark)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _rename(path, target):
            return
        _copy(path, target)
    except OSError as error:  # a copy's error may name the file that it read
        raise OSError(error.errno, error.strerror, str(folder)) from error
    try:
        path.unlink()
    except OSError:
        target.unlink()
        raise


def _free_name(path: Path, folder: Path, mark: str) -> Path:
    marks = (f"-{mark}-{number}" if number > 1 else f"-{mark}" for number in count(1))
    target = folder / path.name
    while os.path.lexists(target):
        target = folder / f"{path.stem}{next(marks)}{path.suffix}"
    return target


def _rename(path: Path, target: Path) -> bool:
    """Rename a file, and tell whether that could be; a link might lead nowhere from another folder."""
    if path.is_symlink():
        return False
    try:
        path.rename(target)
    except OSError:
        return False
    return True


def _copy(path: Path, target: Path) -> None:
    """Copy a file; what is cut off half-way never has its name."""
    with TemporaryDirectory(prefix=".", dir=target.parent) as hidden:
        os.replace(shutil.copy2(path, hidden), target)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Form:
    """An upload's body, streamed from the file as often as it is asked for; `len` tells its length.

    Attributes:
        sha256: of the file as it was; what it holds later is never sent to its end, for it has another key.
    """

    def __init__(self, path: Path, database: str) -> None:
        self._path = path
        self._size = path.stat().st_size
        self.sha256 = digest(path)
        self._frame: Frame = frame(
            {"notion_database_id": database},
            file="file",
            filename=os.fsencode(path.name).decode(errors="replace"),  # not all names are UTF-8
            content_type="application/octet-stream",
        )

    @property
    def content_type(self) -> str:
        """The type of the whole."""
        return self._frame.content_type

    def __len__(self) -> int:
        return len(self._frame.head) + self._size + len(self._frame.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._frame.head
        left, sent = self._size, hashlib.sha256()
        try:
            with self._path.open("rb") as file:
                while piece := file.read(min(PIECE_BYTES, left)):
                    left -= len(piece)
                    sent.update(piece)
                    yield piece
        except OSError as error:  # not the connection's, which would be tried again
            raise unreadable(error) from error
        if left or sent.hexdigest() != self.sha256:
            raise NotTaken(FILE_CHANGED, "It changed while it was read; it is taken the next time.")
        yield self._frame.tail
