"""`manage.py make_history`: fill a database with made-up jobs, to see how the service bears years of them."""

import math
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from operator import itemgetter
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Max

from accounting.clock import database_now
from accounting.terminal.argument_types import whole_number
from accounting.terminal.progress import bar
from jobs.history.batch import SHOPS, add_figures, make
from jobs.history.indexes import without_indexes
from jobs.history.rows import Row, encoded, numbered, write
from jobs.history.simulation import BatchPlan
from jobs.models import HourlyFigures, JobEvent, JobLog, Seal, SpanFigures
from jobs.proof.sealing import find_last_event, make_seal
from jobs.rollups import COLUMNS, figures_of, sum_up_hours
from jobs.stats import GRACE, HOUR, Figures, begins, hour_of
from receipts.models import Client, Receipt
from receipts.storage import PrivateFileStorage, receipt_storage

BATCH = 2_000
OPEN = 30  # so many of the newest jobs, but no more than a tenth, are left on their way
OPEN_SINCE = timedelta(minutes=1)  # none of them is overdue yet
LARGE = 20_000  # from then on, indexes made afterwards save time


class Encoded(NamedTuple):
    """A batch as the database takes it; events with their time, in seconds."""

    receipts: list[Row]
    jobs: list[Row]
    events: list[tuple[float, Row]]
    figures: dict[datetime, Figures]


class Command(BaseCommand):
    """Makes jobs of the last days with all their events, signed, counted and sealed. There are no files."""

    help = "Fill an empty database with made-up jobs: for measurements and for trying things out, never in earnest."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare how many, over how long, and what guards a database in use."""
        parser.add_argument("--jobs", type=whole_number(1, 100_000_000), default=1_000, help="how many (1000)")
        parser.add_argument("--days", type=whole_number(1, 10_000), default=35, help="over how many days (35)")
        parser.add_argument("--seed", type=whole_number(0, 10**9), default=1, help="another one makes others (1)")
        parser.add_argument(
            "--processes", type=whole_number(1, 64), default=os.cpu_count(), help="that sign (one a CPU)"
        )
        parser.add_argument(
            "--even", action="store_true", help="as many of each client, and of each end that jobs take"
        )
        parser.add_argument("--unsigned", action="store_true", help="blanks for signatures: faster; no audit holds")
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off")
        parser.add_argument("--add", action="store_true", help="also where there are jobs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make them.

        Raises:
            CommandError: the database is, or may be, in use.
        """
        is_empty = not JobLog.objects.exists()
        if not settings.DEBUG and not options["force"]:
            raise CommandError("It makes jobs that never were: only where DEBUG is on, or with --force.")
        if not is_empty and not options["add"]:
            raise CommandError("There are jobs already: use an empty database, or --add.")
        if isinstance(storage := receipt_storage(), PrivateFileStorage):
            storage.take_for_it()  # though none of these receipts will be there
        now, number = database_now(), options["jobs"]
        plans = list(_plans(options, now))
        with without_indexes(Receipt, JobLog, JobEvent) if is_empty and number >= LARGE else nullcontext():
            figures = self._write(plans, options["processes"])
        _keep_figures(figures, plans[0].begin, now)
        self._seal(plans[0].begin, now)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # or the database would plan for the few rows that it knows of
        self.stdout.write(f"Made {number:,} jobs of {options['days']} days.")

    def _write(self, plans: list[BatchPlan], processes: int) -> dict[datetime, Figures]:
        """Write the rows of all batches, events in the order of time; return what happened by hour."""
        figures: dict[datetime, Figures] = {}
        number = JobEvent.objects.aggregate(last=Max("id"))["last"] or 0
        waiting: list[tuple[float, Row]] = []  # later events of jobs that are written already
        with bar("Jobs", sum(plan.jobs for plan in plans)) as progress:
            for plan, batch in zip(plans, _prepared(plans, processes), strict=True):
                waiting = sorted(waiting + batch.events, key=itemgetter(0))
                # no later batch has an event before its own first job
                end = math.inf if plan is plans[-1] else plan.end.timestamp()
                ready = bisect_left(waiting, end, key=itemgetter(0))
                events = [numbered(number + place, row) for place, (_, row) in enumerate(waiting[:ready], 1)]
                _write_rows(batch, events)
                number, waiting = number + ready, waiting[ready:]
                add_figures(figures, batch.figures)
                progress.update(plan.jobs)
        return figures

    def _seal(self, begin: datetime, now: datetime) -> None:
        """Seal each hour that is over, unless a sweep has begun with that."""
        if Seal.objects.exists():
            return
        hours = list(begins(hour_of(begin), hour_of(now - GRACE), HOUR))
        last = None
        with transaction.atomic(), bar("Seals", len(hours)) as progress:
            for hour in hours:
                last = make_seal(hour, last, find_last_event(hour, last, now))
                last.save(force_insert=True)
                progress.update(1)


def _plans(options: dict[str, Any], now: datetime) -> Iterator[BatchPlan]:
    """Yield batches, one after the other in time, and at last those jobs that are left open."""
    number, begin = options["jobs"], now - timedelta(days=options["days"])
    left_open = min(OPEN, number // 10)
    clients = {name: Client.objects.get_or_create(name=name)[0].pk for name in SHOPS}
    ended = number - left_open
    batches = -(-ended // BATCH)
    step = (now - OPEN_SINCE - begin) / batches
    plan = partial(BatchPlan, now=now, clients=clients, is_signed=not options["unsigned"], is_even=options["even"])
    for place in range(batches):
        size = ended * (place + 1) // batches - ended * place // batches  # all alike: each has as much of the time
        start = begin + place * step
        yield plan(options["seed"] * 10**6 + place, size, start, start + step)
    yield plan(options["seed"], left_open, now - OPEN_SINCE, now, most_events=3)


def _prepared(plans: list[BatchPlan], processes: int) -> Iterator[Encoded]:
    """Prepare batches in other processes, some ahead of whoever takes them; few in this one."""
    if processes == 1 or sum(plan.jobs for plan in plans) <= BATCH:
        yield from map(_prepare, plans)
        return
    ahead: deque[Future[Encoded]] = deque()
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=django.setup) as pool:
        for plan in plans:
            ahead.append(pool.submit(_prepare, plan))
            if len(ahead) > 2 * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _prepare(plan: BatchPlan) -> Encoded:
    batch = make(plan)
    events = zip([event.at.timestamp() for event in batch.events], encoded(batch.events, leave_out="id"), strict=True)
    return Encoded(encoded(batch.receipts), encoded(batch.jobs), list(events), batch.figures)


@transaction.atomic
def _write_rows(batch: Encoded, events: list[Row]) -> None:
    if batch.jobs:
        write(Receipt, batch.receipts)
        write(JobLog, batch.jobs)
    if events:
        write(JobEvent, events)
        _set_sequence()


def _set_sequence() -> None:
    """Let the next event get the next number: keys that were given by hand are no news to PostgreSQL."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [JobEvent]):
            cursor.execute(statement)


def _keep_figures(figures: dict[datetime, Figures], begin: datetime, now: datetime) -> None:
    """Keep the figures of all hours that are over, in addition to what is known of them, and of the days anew."""
    hours = {hour: figures.get(hour, Figures()) for hour in begins(hour_of(begin), hour_of(now - GRACE), HOUR)}
    kept = HourlyFigures.objects.filter(hour__in=hours).values_list("hour", *COLUMNS)
    add_figures(hours, {hour: figures_of(*columns) for hour, *columns in kept})
    HourlyFigures.objects.bulk_create(
        [HourlyFigures(hour=hour, **vars(each)) for hour, each in hours.items()],
        update_conflicts=True,
        unique_fields=["hour"],
        update_fields=COLUMNS,
    )
    SpanFigures.objects.all().delete()
    while sum_up_hours():
        pass
