"""`manage.py purge_receipts`: delete files that were kept for long enough, and those that no row names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Sum

from accounting.clock import database_now
from accounting.problems import DATABASE_AWAY
from accounting.progress import bar, say
from jobs import retention
from jobs.services import purge_receipt
from receipts.orphans import delete_files, find_orphans, stored_folders
from receipts.storage import StorageAway

logger = structlog.get_logger(__name__)

GOES_ON = "what was done is done, and the next run goes on from there."


class Purged(NamedTuple):
    """How many receipts' files went, or would go, and how many bytes they had."""

    receipts: int
    size: int


class Command(BaseCommand):
    """Purges once; may be stopped at any time, run again, and run beside everything else, itself among it."""

    help = "Delete receipts' files older than RETENTION_DAYS, and files that no row names. Rows and events stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the rehearsal."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge receipts, then look for orphans.

        Raises:
            CommandError: it was interrupted, or the database is away.
        """
        try:
            self._run(database_now(), is_rehearsal=options["dry_run"])
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted; {GOES_ON}", returncode=130) from None
        except DATABASE_AWAY:
            raise CommandError(f"The database is away; {GOES_ON}") from None
        except StorageAway:
            raise CommandError(f"The storage is away; {GOES_ON}") from None

    def _run(self, now: datetime, *, is_rehearsal: bool) -> None:
        folders = list(stored_folders())  # a storage that is away ends it here, before a row has let go of its file
        before = retention.last_day(now)
        due = retention.purgeable(before).count()
        spared = retention.expired(before).count() - due
        purged = _foresee(before) if is_rehearsal else _purge(before, due)
        done = "would be deleted" if is_rehearsal else "deleted"
        if before:
            kept = f"; {spared} kept, since a job of theirs is open" if spared else ""
            say(self.stdout, f"Files of {purged.receipts} receipts, {purged.size / 1e6:.1f} MB: {done}{kept}.")
        else:
            say(self.stdout, "RETENTION_DAYS is not set: all receipts are kept.")
        orphans = _remove_orphans(folders, now, is_rehearsal=is_rehearsal)
        say(self.stdout, f"Files that no row names, {orphans}: {done}.")
        if not is_rehearsal:
            logger.info("receipts_purged", receipts=purged.receipts, bytes=purged.size, orphans=orphans)


def _foresee(before: str) -> Purged:
    sums = {"size": Sum("size", default=0), "made": Sum("rendition__size", default=0)}
    found = retention.purgeable(before).aggregate(receipts=Count("pk"), **sums)
    return Purged(found["receipts"], found["size"] + found["made"])


def _purge(before: str, due: int) -> Purged:
    receipts = size = 0
    with bar("Receipts", due) as progress:
        for receipt_id in retention.oldest_first(before):
            freed = purge_receipt(receipt_id, before=before)
            progress.update(1)
            if freed is not None:
                receipts, size = receipts + 1, size + freed
    return Purged(receipts, size)


def _remove_orphans(folders: Sequence[str], now: datetime, *, is_rehearsal: bool) -> int:
    orphans = 0
    with bar("Files that no row names", len(folders)) as progress:
        for folder in folders:
            found = find_orphans(folder, now=now)
            orphans += len(found) if is_rehearsal else delete_files(found)
            progress.update(1)
    return orphans
