"""Stored files that no row names: what an upload, a preparation or a purge leaves that was killed in between."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import PurePosixPath
from uuid import UUID

from . import thumbnails
from .models import Receipt, Rendition, day_folder
from .storage import receipt_storage

ORPHAN_AGE = timedelta(days=1)
ORPHAN_SEARCH_DAYS = 8
FEW = 5  # one kill leaves hardly more; more are rather the receipts of another database, or of a later one
BATCH = 500
ROOTS = (Receipt.FOLDER, Rendition.FOLDER, thumbnails.FOLDER)


class Distrusted(Exception):
    """Files that no row names are not deleted: the database may be the wrong one."""


def remove_orphans(*, now: datetime) -> Iterator[int]:
    """Delete stored files of the last week that no row names and that are older than a day.

    An upload whose process died between its file and its row leaves one; its client was never answered 2xx. So does
    the preparation of a rendition.

    Yields:
        How many were deleted: none after each `BATCH` of files, of which there may be many, and all at the end.

    Raises:
        Distrusted: as `find_few_orphans` does; nothing was deleted.
    """
    days = [now - timedelta(days=number) for number in range(ORPHAN_SEARCH_DAYS)]
    folders = [day_folder(model, day) for model in (Receipt, Rendition) for day in days]
    found: list[str] = []
    for batch in find_few_orphans(folders, now=now):
        found += batch
        yield 0
    yield delete_orphans(found)


def stored_folders() -> Iterator[str]:
    """Return every folder that holds, or has held, files of ours."""
    for root in ROOTS:
        yield from _folders_below(root)


def find_few_orphans(folders: Iterable[str], *, now: datetime) -> Iterator[list[str]]:
    """Look for the orphans of all these folders, where they look like what kills have left.

    A restored or a mistaken database knows nothing of files that are evidence, and they cannot be restored from it.

    Yields:
        As `find_orphans` does; what was found may be deleted once all is looked at.

    Raises:
        Distrusted: there are more than a few, or there is no receipt at all.
    """
    count = 0
    for orphans in find_orphans(folders, now=now):
        count += len(orphans)
        if count > FEW:
            raise Distrusted(f"More than {FEW} files have no row; is the database older than the files, or another's?")
        yield orphans
    if count and not Receipt.objects.exists():
        raise Distrusted("There are files, but no receipt in the database; is it the right one?")


def find_orphans(folders: Iterable[str], *, now: datetime) -> Iterator[list[str]]:
    """Yield, of `BATCH` files right in one of the folders at a time, those without a row that are older than a day.

    By two clocks: the database's, of which the folder's day is, and that of the machine of the files. By a single one
    that is wrong, a file would be old whose row is not committed yet.
    """
    for folder in folders:
        if not _is_of_before(folder, now - ORPHAN_AGE):
            continue
        names = (f"{folder}/{file}" for file in receipt_storage().files_in(folder))
        while batch := list(islice(names, BATCH)):
            # to ask for a file's age is a request, where files are in a bucket
            yield [name for name in _without_row(batch) if _age(name, now=now) > ORPHAN_AGE]


def delete_orphans(names: Iterable[str]) -> int:
    """Delete those of which still no row has come, as from a back-up, and return how many they were."""
    count = 0
    for name in names:
        if _without_row([name]):
            receipt_storage().delete(name)
            count += 1
    return count


def _folders_below(folder: str) -> Iterator[str]:
    yield folder
    for name in sorted(receipt_storage().folders_in(folder)):
        yield from _folders_below(f"{folder}/{name}")


def _is_of_before(name: str, day: datetime) -> bool:
    """Tell whether a file or a folder is of an earlier day (UTC); thumbnails are of none, and made again."""
    return name.startswith(thumbnails.FOLDER) or name < day_folder(_model_of(name), day)


def _model_of(name: str) -> type[Receipt | Rendition]:
    return Rendition if PurePosixPath(name).parts[0] == Rendition.FOLDER else Receipt


def _without_row(names: Sequence[str]) -> list[str]:
    """Return those of one folder's files that no row names; a purged receipt's row names none."""
    if names[0].startswith(thumbnails.FOLDER):
        known = _known_thumbnails(names)
    else:
        known = set(_model_of(names[0]).objects.filter(file__in=names).values_list("file", flat=True))
    return [name for name in names if name not in known]


def _known_thumbnails(names: Sequence[str]) -> set[str]:
    ids = filter(None, map(_receipt_id, names))
    kept = Receipt.objects.filter(pk__in=list(ids), purged_at=None).values_list("pk", flat=True)
    return {thumbnails.thumbnail_name(receipt_id) for receipt_id in kept}


def _receipt_id(name: str) -> UUID | None:
    try:
        return UUID(PurePosixPath(name).stem)
    except ValueError:
        return None


def _age(name: str, *, now: datetime) -> timedelta:
    """Return how old a file is; one that an upload has moved to its place since it was listed is not old."""
    try:
        return now - receipt_storage().get_modified_time(name).astimezone(UTC)
    except FileNotFoundError:
        return timedelta(0)
