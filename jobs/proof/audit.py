"""Tells whether a job's row, its receipt's and its events are still what was written (docs/decisions/0030)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django.template.defaultfilters import pluralize

from accounting.batches import Keys, look_at_rows, why_unreadable
from accounting.stored import OTHER_FORM, AsStored, columns_of_other_form, key_in_words, with_stored
from jobs.models import JobEvent, JobLog
from receipts.evidence import NOT_SEEN, FilesSeen
from receipts.models import Receipt

from .chain import event_content, facts_of, fingerprints, head, keys, signer

BATCH = 500
PURGED_AT = "receipt.purged_at"
# younger than the first chains: what the row holds where no event answers for the column
LATER_COLUMNS = {"is_canary": False}
BEGINNINGS = frozenset({JobEvent.Kind.RECEIVED, JobEvent.Kind.ADOPTED})  # these answer for the whole row


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What looking at one job came to."""

    events: int
    wrong: tuple[str, ...]
    is_file_whole: bool = False

    @property
    def ok(self) -> bool:
        """Whether all of it is as it was written."""
        return not self.wrong

    @property
    def sentence(self) -> str:
        """That, for people."""
        if not self.ok:
            return f"Broken: {'; '.join(self.wrong)}."
        file = ", and the file is the one that came" if self.is_file_whole else ""
        return f"Verified: {self.events} event{pluralize(self.events)}{file}."


class Fact(NamedTuple):
    """What an event says of a column."""

    number: int
    key: bytes
    fingerprint: str


def verify_job(job: JobLog, files: FilesSeen = NOT_SEEN) -> Verification:
    """Look at a job, its receipt's row and its events, all as of one moment: one query reads them anew.

    So a job that changes meanwhile is no false alarm.

    Args:
        files: what was seen of the receipt's files, which are not read here.

    Raises:
        JobLog.DoesNotExist: it is gone, or its receipt's row is.
    """
    try:
        events, wrong = _look_at(job)
    except Exception as error:
        events, wrong = 0, [f"it {why_unreadable(error)}"]
    return Verification(events=events, wrong=(*wrong, *files.faults), is_file_whole=files.are_whole)


def verify_jobs(jobs: QuerySet[JobLog]) -> Iterator[tuple[int, list[str]]]:
    """Look at many jobs in batches, while they go on changing.

    Yields:
        For each batch how many jobs it had, and a sentence for each thing that is broken.
    """
    return look_at_rows(jobs, BATCH, _look_at_all)


def find_strays() -> Iterator[str]:
    """Name the rows whose other half was deleted: they are written together, and never removed."""
    jobs, receipts = JobLog.objects.filter(pk=OuterRef("job_id")), Receipt.objects.filter(pk=OuterRef("receipt_id"))
    for event in JobEvent.objects.filter(~Exists(jobs)).values_list("id", AsStored("job_id")).iterator():
        yield f"Event {event[0]} belongs to job {key_in_words(event[1])}, which is gone."
    for job_id in _keys(JobLog.objects.filter(~Exists(receipts))):
        yield f"Job {job_id}: the row of its receipt is gone."
    for receipt_id in _keys(Receipt.objects.filter(~Exists(JobLog.objects.filter(receipt=OuterRef("pk"))))):
        yield f"Receipt {receipt_id} has no job: it is gone."


def _keys(rows: QuerySet[Any]) -> Iterator[str]:
    return map(key_in_words, rows.values_list(AsStored("pk"), flat=True).iterator())


def _look_at(job: JobLog) -> tuple[int, Sequence[str]]:
    """Return how many events a job has, and what is broken, all as of one moment."""
    together = JobEvent.objects.filter(job=job.pk).select_related("job__receipt").order_by("id")
    events = list(with_stored(together, "job", "job__receipt"))
    if events:
        job, forms = events[0].job, [*_forms(events[0].job, events[0], "job"), *_forms_of_events(events)]
    else:
        job = _with_receipts().get(pk=job.pk)
        forms = [*_forms(job, job)]
    return len(events), [*forms, *_faults(job, events)]


def _look_at_all(keys: Keys) -> Iterator[str]:
    """Name what is broken of the jobs with these ids; a job that only changed between two queries is not."""
    jobs, events = _jobs(keys), defaultdict(list)
    for event in with_stored(JobEvent.objects.filter(job__in=keys).order_by("id")):
        events[event.job_id].append(event)
    for job in jobs:
        forms = [*_forms(job, job), *_forms_of_events(events[job.pk])]
        if forms or any(_faults(job, events[job.pk])):
            yield from _look_again(job)


def _jobs(keys: Keys) -> list[JobLog]:
    return list(_with_receipts().filter(pk__in=keys).order_by("pk"))


def _with_receipts() -> QuerySet[JobLog]:
    return with_stored(JobLog.objects.select_related("receipt"), "receipt")


def _look_again(job: JobLog) -> Iterator[str]:
    """Name what is broken, unless the job only changed between the two queries that read it."""
    try:
        wrong = verify_job(job).wrong
    except JobLog.DoesNotExist:
        return  # find_strays names it
    for sentence in wrong:
        yield f"Job {job.pk}: {sentence}."


def _forms(job: JobLog, bearer: JobLog | JobEvent, path: str = "") -> Iterator[str]:
    """Name the columns that say the same as ever, and are found by nobody who asks for it."""
    to_receipt = "__".join(filter(None, [path, "receipt"]))
    yield from (f"its {name} {OTHER_FORM}" for name in columns_of_other_form(job, bearer, path))
    yield from (f"its receipt.{name} {OTHER_FORM}" for name in columns_of_other_form(job.receipt, bearer, to_receipt))


def _forms_of_events(events: Sequence[JobEvent]) -> Iterator[str]:
    for event in events:
        yield from (f"the {name} of event {event.number} {OTHER_FORM}" for name in columns_of_other_form(event))


def _faults(job: JobLog, events: Sequence[JobEvent]) -> Iterator[str]:
    """Name what is broken, as far as it can be read."""
    try:
        yield from _faults_of_chain(job, events)
    except Exception as error:
        yield f"it {why_unreadable(error)}"


def _faults_of_chain(job: JobLog, events: Sequence[JobEvent]) -> Iterator[str]:
    facts: dict[str, Fact | None] = {}
    heads: list[str] | None = [""]  # those that the chain may have here; None where an event is missing before
    place = 0
    for event in events:
        place += 1
        if event.pk < 1:
            yield f"event {event.number} has the id {event.pk}, and no seal covers one below 1"
        if event.number != place:
            yield f"event {event.number} stands where {place} should"
            heads, place = None, event.number
        key = None if heads is None else _signer(event, heads)
        if key is None and heads is not None:
            yield f"event {event.number} ({event.kind}) is not as it was written"
        told = _facts_in(event).items()
        facts |= {name: Fact(event.number, key, str(value)) if key else None for name, value in told}
        heads = [head(each, event) for each in ([key] if key else keys())]
    if not BEGINNINGS.intersection(event.kind for event in events):
        yield "no event says how it began"
    yield from _faults_of_end(job, place, heads)
    yield from _faults_of_row(job, facts)


def _facts_in(event: JobEvent) -> dict[str, Any]:
    """Return what it answers for: nothing, where that is no object and so was not written here."""
    return event.facts if isinstance(event.facts, dict) else {}


def _signer(event: JobEvent, heads: Sequence[str]) -> bytes | None:
    signers = (signer(event.digest, event_content(event, previous)) for previous in heads)
    return next(filter(None, signers), None)


def _faults_of_end(job: JobLog, last: int, heads: Sequence[str] | None) -> Iterator[str]:
    if job.chain_length != last:
        yield f"it counts {job.chain_length} events, and the last one is number {last}"
    elif last and heads is not None and job.chain_head not in heads:
        yield f"its chain's head is not that of event {last}"


def _faults_of_row(job: JobLog, facts: Mapping[str, Fact | None]) -> Iterator[str]:
    row = facts_of(job) | {PURGED_AT: job.receipt.purged_at}
    known = {name: fact for name, fact in facts.items() if fact and name in row}  # a later version may remove columns
    untrue = set(_untrue(job, row, known))
    for name in known:
        if name in untrue and name != PURGED_AT:
            yield f"its {name} is not what event {known[name].number} wrote"
    for name, value in LATER_COLUMNS.items():
        if name not in facts and row[name] != value:
            yield f"its {name} is {row[name]}, and no event says so"
    if job.receipt.purged_at and (PURGED_AT in untrue or PURGED_AT not in known):
        yield "its receipt is marked as purged, and no event says so"


def _untrue(job: JobLog, row: Mapping[str, Any], facts: Mapping[str, Fact]) -> Iterator[str]:
    """Yield the columns that do not hold what was last written to them."""
    for key in {fact.key for fact in facts.values()}:
        signed = {name: fact.fingerprint for name, fact in facts.items() if fact.key == key}
        there = fingerprints(key, job.pk, {name: row[name] for name in signed})
        yield from (name for name in signed if signed[name] != there[name])
