"""`manage.py purge_receipts`: delete files that were kept for long enough, and those that no row names."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Sum

from accounting.clock import ClocksApart, database_now, doubt_clocks
from accounting.outages import DATABASE_AWAY, why_no_database
from accounting.terminal.progress import bar, say
from jobs import retention
from jobs.services import purge_receipt
from receipts.models import Receipt
from receipts.orphans import Distrusted, delete_orphans, find_few_orphans, find_orphans, stored_folders
from receipts.storage import StorageAway, receipt_storage

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

logger = structlog.get_logger(__name__)

LOOK_AT_IT = "look at MEDIA_ROOT or S3_BUCKET, and whether the volume is mounted. Nothing was deleted."
SPARED = "since a job of theirs is open or no seal says that they are so old"
STANDSTILL = "Nothing was sealed for {} days: no sweep ran, or the clock has jumped. Files are kept for as much longer."
GOES_ON = "what was done is done, and the next run goes on from there."


class Purged(NamedTuple):
    """How many receipts' files went, or would go, and how many bytes they had."""

    receipts: int
    size: int


class Command(BaseCommand):
    """Purges once; may be stopped at any time, run again, and run beside everything else, itself among it."""

    help = "Delete receipts' files older than RETENTION_DAYS, and files that no row names. Rows and events stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the rehearsal, and the word of somebody who has looked."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
        parser.add_argument(
            "--orphans", action="store_true", help="delete files that no row names even where they are many"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge receipts, then look for orphans.

        Raises:
            CommandError: it was interrupted, a clock is wrong, the database is away, or it seems to be the wrong one.
        """
        try:
            self._run(database_now(), is_rehearsal=options["dry_run"], are_orphans_sure=options["orphans"])
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted; {GOES_ON}", returncode=130) from None
        except ClocksApart as doubt:
            raise CommandError(f"{doubt} Nothing was deleted.") from None
        except DATABASE_AWAY:
            raise CommandError(f"{why_no_database() or 'The database was away.'} {GOES_ON.capitalize()}") from None
        except StorageAway:
            raise CommandError(f"The storage is away; {GOES_ON}") from None
        except OSError as error:
            raise CommandError(f"The storage refuses ({error.strerror or type(error).__name__}); {GOES_ON}") from None

    def _run(self, now: datetime, *, is_rehearsal: bool, are_orphans_sure: bool) -> None:
        doubt_clocks(now)
        folders = list(stored_folders())  # a storage that is away ends it here, before a row has let go of its file
        before = retention.last_day(now)
        due, unfiled = retention.purgeable(before).count(), retention.never_filed(before).count()
        if due and not any(folder.startswith(f"{Receipt.FOLDER}/") for folder in folders):
            raise CommandError(f"Receipts are due, {due}, and the storage has no file at all: {LOOK_AT_IT}")
        _doubt_storage()
        spared = retention.expired(before).count() - due
        purged = _foresee(before) if is_rehearsal else _purge(before, due)
        done = "would be deleted" if is_rehearsal else "deleted"
        if before:
            kept = f"; {spared} kept, {SPARED}" if spared else ""
            lost = f", {unfiled} of them of receipts that were never filed" if unfiled else ""
            say(self.stdout, f"Files of receipts, {purged.receipts}, {purged.size / 1e6:.1f} MB: {done}{lost}{kept}.")
            if standstill := retention.standstill(now):
                say(self.stdout, STANDSTILL.format(standstill.days))
        else:
            say(self.stdout, "RETENTION_DAYS is not set: all receipts are kept.")
        if not is_rehearsal:
            logger.info("receipts_purged", receipts=purged.receipts, bytes=purged.size)
        orphans = _remove_orphans(folders, now, is_rehearsal=is_rehearsal, are_sure=are_orphans_sure)
        say(self.stdout, f"Files that no row names, {orphans}: {done}.")
        if orphans and not is_rehearsal:
            logger.warning("orphans_removed", files=orphans)


def _doubt_storage() -> None:
    """Let no row go of a file that is elsewhere; below a volume that is not mounted may be files of ours, too."""
    if not receipt_storage().is_mounted():
        raise CommandError(f"This is not the storage in which receipts are kept: {LOOK_AT_IT}")


def _foresee(before: str) -> Purged:
    sums = {"size": Sum("size", default=0), "made": Sum("rendition__size", default=0)}
    found = retention.purgeable(before).aggregate(receipts=Count("pk"), **sums)
    return Purged(found["receipts"], found["size"] + found["made"])


def _purge(before: str, due: int) -> Purged:
    receipts = size = 0
    with bar("Receipts", due) as progress:
        for receipt_id in retention.oldest_first(before):
            freed = purge_receipt(receipt_id, before=before, actor="purge_receipts")
            progress.update(1)
            if freed is not None:
                receipts, size = receipts + 1, size + freed
    return Purged(receipts, size)


def _remove_orphans(folders: Sequence[str], now: datetime, *, is_rehearsal: bool, are_sure: bool) -> int:
    with bar("Files that no row names", len(folders)) as progress:
        walk = _advancing(folders, progress)
        batches = find_orphans(walk, now=now) if are_sure else [_few_orphans(walk, now=now)]
        return sum(len(found) if is_rehearsal else delete_orphans(found) for found in batches)


def _few_orphans(folders: Iterable[str], *, now: datetime) -> list[str]:
    try:
        return [name for orphans in find_few_orphans(folders, now=now) for name in orphans]
    except Distrusted as doubt:
        raise CommandError(f"{doubt} None of them was deleted; if all of them may go, say --orphans.") from None


def _advancing(folders: Iterable[str], progress: "ProgressBar[int]") -> Iterator[str]:
    for folder in folders:
        yield folder
        progress.update(1)
