"""`manage.py verify_audit`: recompute the whole audit, and name what is broken."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError
from django.db.models import Q, QuerySet

from accounting.batches import why_unreadable
from accounting.clock import database_now
from accounting.outages import DATABASE_AWAY, code_of, unreachable, why_no_database
from accounting.terminal.argument_types import whole_number
from accounting.terminal.progress import bar, say
from jobs.models import JobLog, Seal
from jobs.proof.audit import find_strays, verify_jobs
from jobs.proof.parallel import verify_jobs_in
from jobs.proof.sealing import seals_since, verify_seals
from receipts.evidence import verify_files
from receipts.models import Receipt, Rendition, day_folder
from receipts.storage import StorageAway

CORRUPTED = "XX"  # a class of PostgreSQL's errors (https://www.postgresql.org/docs/current/errcodes-appendix.html)
NOT_READ = 2  # other than 1, which says that something is broken
LOOK_AT_IT = "look at MEDIA_ROOT or S3_BUCKET, and whether the volume is mounted. All but files was looked at."
ONLY_SEALS_TELL = "Whether its last events are missing, only seals tell: verify_audit without --job looks at them."


class Part(NamedTuple):
    """What is looked at in one go; each step tells how many it looked at, and what it found."""

    name: str
    total: int | None
    steps: Iterator[tuple[int, list[str]]]


class Command(BaseCommand):
    """Looks at every job, receipt, file and seal; safe while the service runs."""

    help = "Recompute the audit: events, rows, files and seals. Names what is broken, and then exits with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what to look at; everything, unless told otherwise."""
        parser.add_argument("--job", type=UUID, help="this job and its receipt's files only; no seals")
        parser.add_argument(
            "--since", type=moment, help="jobs and seals from then on (2026-01-31T08:00), and files from that day on"
        )
        parser.add_argument(
            "--processes", type=whole_number(1, 64), default=1, help="that look at jobs at once, a core each (1)"
        )
        parser.add_argument("--no-files", action="store_true", help="do not read files")
        parser.add_argument(
            "--sealed", action="append", default=[], metavar="DIGEST",
            help="a digest of a log line audit_sealed, kept elsewhere: its seal must be there (may be repeated)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Look at one part after the other.

        Raises:
            CommandError: something is broken, or the database or the storage is away.
        """
        broken, away = 0, ""
        try:
            for part in _parts(options):
                for found in self._look_at(part):
                    broken += found
        except StorageAway as error:
            away = f"The storage is away ({error}): {LOOK_AT_IT}"
        except (DatabaseError, InterfaceError) as error:
            if not (why := _why_not_read(error)):
                raise
            away = f"{why} Not all was looked at."
        if broken:
            raise CommandError(f"{broken} thing{'s are' if broken > 1 else ' is'} broken. {away}".rstrip())
        if away:
            raise CommandError(away, returncode=NOT_READ)
        self.stdout.write(_well(options))

    def _look_at(self, part: Part) -> Iterator[int]:
        """Print what is broken, with a bar on a terminal; yield how much that is, step by step."""
        looked = broken = 0
        with bar(part.name, part.total or 0) as progress:
            for number, sentences in _steps(part):
                for sentence in sentences:
                    say(self.stdout, sentence)
                progress.update(number)
                looked, broken = looked + number, broken + len(sentences)
                yield len(sentences)
        say(self.stdout, f"{part.name}: {f'{looked} looked at, ' if part.total is not None else ''}{broken} broken")


def _well(options: dict[str, Any]) -> str:
    if not options["job"]:
        return "All is as it was written."
    looked_at = "events are" if options["no_files"] else "events and files are"
    return f"This job's {looked_at} as they were written. {ONLY_SEALS_TELL}"


def _steps(part: Part) -> Iterator[tuple[int, list[str]]]:
    """Yield its steps as far as rows can be read: what is in one keeps nobody from the other parts."""
    try:
        yield from part.steps
    except Exception as error:
        yield 0, [f"{part.name}: not all was looked at, since a row {why_unreadable(error)}."]


def _why_not_read(error: DatabaseError | InterfaceError) -> str:
    """Return a sentence where the database is away, or not ready for us; "" where it says that itself is broken."""
    is_away = isinstance(error, DATABASE_AWAY) and not code_of(error).startswith(CORRUPTED)
    return why_no_database() or (unreachable(error) if is_away else "")


def _parts(options: dict[str, Any]) -> Iterator[Part]:
    jobs, receipts, renditions = _rows(options["job"], options["since"])
    several = options["processes"] > 1
    yield Part("Jobs", jobs.count(), verify_jobs_in(options["processes"], jobs) if several else verify_jobs(jobs))
    if not options["job"]:
        yield Part("Rows whose other half is gone", None, ((0, [sentence]) for sentence in find_strays()))
        since = options["since"]
        yield Part("Seals", seals_since(since).count(), verify_seals(since, database_now()))
    yield Part("Seals kept elsewhere", len(options["sealed"]), _find_seals(options["sealed"]))
    if not options["no_files"]:  # at last, since their storage may be away
        yield Part("Files of receipts", receipts.count(), verify_files(receipts))
        yield Part("Files made for N8N", renditions.count(), verify_files(renditions))


def _rows(job: UUID | None, since: datetime | None) -> tuple[QuerySet[JobLog], QuerySet[Receipt], QuerySet[Rendition]]:
    jobs, receipts = JobLog.objects.all(), Receipt.objects.all()
    renditions = Rendition.objects.select_related("receipt")
    if since:
        stored_since = Q(file__gte=day_folder(Receipt, since))  # later than its receipt came, where it was stored anew
        jobs, receipts = jobs.filter(created_at__gte=since), receipts.filter(stored_since | Q(created_at__gte=since))
        renditions = renditions.filter(made_at__gte=since)
    if job:
        jobs, receipts = jobs.filter(pk=job), receipts.filter(jobs=job)
        renditions = renditions.filter(receipt__jobs=job)
        if not jobs.exists():
            raise CommandError(f"There is no job {job}.")
    return jobs, receipts, renditions


def _find_seals(digests: list[str]) -> Iterator[tuple[int, list[str]]]:
    for digest in digests:
        there = Seal.objects.filter(digest=digest).exists()
        yield 1, [] if there else [f"The seal with the digest {digest} is gone."]


def moment(text: str) -> datetime:
    """Return the moment that an option names; UTC unless it says otherwise."""
    try:
        named = datetime.fromisoformat(text)
        return named.astimezone(UTC) if named.tzinfo else named.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError("it takes a date, or a date and a time, such as 2026-01-31T08:00") from None
