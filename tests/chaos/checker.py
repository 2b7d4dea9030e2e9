"""Compares what clients were told with what the database holds and with what N8N saw.

Each check is a function of the evidence and yields a sentence for each violation. Nothing of the service's own code is
imported here.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from .deliveries import check_deliveries
from .evidence import Evidence, Row
from .ledger import Entry
from .logs import check_logs

ENDED = {"success", "failure"}
MEND_SECONDS = 120.0  # from the last fault to the end of the last job
ACCEPTED = {200, 202}
EXPECTED_ANSWERS = {0, 503} | ACCEPTED  # 0: none came
# what the service concludes by itself; any other code is N8N's word, and N8N is asked nothing here
OURS = {
    "callback_lost", "callback_timeout", "delivery_unconfirmed", "n8n_unavailable", "n8n_rejected", "n8n_redirected",
    "payload_too_large", "not_sent", "file_missing", "file_unreadable", "cancelled",
}  # fmt: skip


def check_accepted(evidence: Evidence) -> Iterator[str]:
    """0 accepted receipts lost: whatever was answered 2xx is there, with its bytes."""
    for answer in _accepted(evidence):
        job = evidence.jobs.get(answer["job_id"])
        if job is None:
            yield f"lost: {answer['key']} was told of job {answer['job_id']}, which does not exist"
            continue
        receipt = evidence.receipts[job["receipt_id"]]
        if receipt["sha256"] != answer["sha256"]:
            yield f"lost: job {answer['job_id']} of {answer['key']} is for another receipt"
        elif _sha256_of_file(evidence, receipt) != answer["sha256"]:
            yield f"lost: the file of job {answer['job_id']} is gone or holds other bytes"


def check_keys(evidence: Evidence) -> Iterator[str]:
    """One key, one job, one receipt: however often a client had to ask."""
    jobs_told = defaultdict(set)
    for answer in _accepted(evidence):
        jobs_told[answer["key"]].add(answer["job_id"])
    kept = {row["key"]: row["job_id"] for row in evidence.keys}
    for key, jobs in jobs_told.items():
        if jobs != {kept.get(key)}:
            yield f"doubled: {key} was told of {sorted(jobs)} and is kept for {kept.get(key)}"
    yield from _more_than_once("key", (row["key"] for row in evidence.keys))
    yield from _more_than_once("receipt", ((row["client_id"], row["sha256"]) for row in evidence.receipts.values()))
    yield from _more_than_once("job of receipt", (job["receipt_id"] for job in evidence.jobs.values()))


def check_answers(evidence: Evidence) -> Iterator[str]:
    """No client was told anything but yes or "not just now", and each was told yes in the end."""
    for answer in evidence.answers:
        if answer["status"] not in EXPECTED_ANSWERS:
            yield f"answer: {answer['key']} was told {answer['status']} {answer['error']}"
    for key in sorted(
        {answer["key"] for answer in evidence.answers} - {answer["key"] for answer in _accepted(evidence)}
    ):
        yield f"answer: {key} was never told yes"


def check_histories(evidence: Evidence) -> Iterator[str]:
    """The events of a job are an unbroken chain that leads to its row, and count its attempts."""
    for job_id, job in evidence.jobs.items():
        events = evidence.events.get(job_id, [])
        changes = [event for event in events if event["to_status"]]
        status = "queued"
        for event in changes:
            if event["from_status"] != status:
                yield f"chain: job {job_id} was {status}, but event {event['id']} leads from {event['from_status']}"
            status = event["to_status"]
        if status != job["status"]:
            yield f"chain: job {job_id} is {job['status']}, but its events lead to {status}"
        claims = [event["attempt"] for event in events if event["kind"] == "claimed"]
        if claims != list(range(1, job["attempts"] + 1)):
            yield f"chain: job {job_id} has {job['attempts']} attempts, but was claimed as {claims}"


def check_ends(evidence: Evidence) -> Iterator[str]:
    """0 completed twice: one success at most, nothing after it, and one end but for a late success."""
    for job_id, events in evidence.events.items():
        ends = [event["to_status"] for event in events if event["to_status"] in ENDED]
        if ends not in (["success"], ["failure"], ["failure", "success"], []):
            yield f"twice: job {job_id} ended as {ends}"
        if sum(event["kind"] == "succeeded" for event in events) > 1:
            yield f"twice: job {job_id} succeeded more than once"
        changes = [event["to_status"] for event in events if event["to_status"]]
        first_end = next((number for number, status in enumerate(changes) if status in ENDED), len(changes))
        if changes[first_end + 1 :] not in ([], ["success"]):
            yield f"twice: job {job_id} was opened again after its end: {changes}"


def check_all_ended(evidence: Evidence) -> Iterator[str]:
    """No job waits for ever: all ended within two minutes of the last fault."""
    calm_at = next(entry["at"] for entry in evidence.faults if entry["kind"] == "calm")
    for job_id, job in evidence.jobs.items():
        if job["status"] not in ENDED or job["due_at"] is not None:
            yield f"open: job {job_id} is {job['status']}, due at {job['due_at']}"
            continue
        ended_at = max((e["at"] for e in evidence.events.get(job_id, []) if e["to_status"] in ENDED), default=calm_at)
        if ended_at - calm_at > MEND_SECONDS:
            yield f"open: job {job_id} ended only {ended_at - calm_at:.0f} s after the last fault"


def check_outcomes(evidence: Evidence) -> Iterator[str]:
    """What N8N reported, and was thanked for, is what the job is; and nobody else made it a success."""
    reports = defaultdict(list)
    for callback in evidence.seen_by_n8n("callback"):
        reports[callback["job_id"]].append(callback)
    for job_id in reports.keys() - evidence.jobs.keys():
        yield f"outcome: N8N reported on job {job_id}, which does not exist"
    for job_id, job in evidence.jobs.items():
        yield from _check_outcome(job_id, job, reports[job_id], evidence)


def _check_outcome(job_id: str, job: Row, reports: list[Entry], evidence: Evidence) -> Iterator[str]:
    taken = [report["reported"] for report in reports if report["status"] == 200 and not report["duplicate"]]
    if taken not in ([], ["success"], ["failure"], ["failure", "success"]):
        yield f"outcome: of job {job_id} N8N's reports {taken} were all taken as new"
    if taken and job["status"] != taken[-1]:
        yield f"outcome: N8N reported {taken[-1]} of job {job_id}, which is {job['status']}"
    sent = {report["reported"] for report in reports}
    if job["status"] == "success" and "success" not in sent:
        yield f"outcome: job {job_id} is a success that N8N never reported"
    said_failed = any(post["means"] == "failed" for post in evidence.seen_by_n8n("post") if post["job_id"] == job_id)
    is_n8ns_word = job["status"] == "failure" and job["failure_code"] not in OURS
    if is_n8ns_word and "failure" not in sent and not said_failed:
        yield f"outcome: job {job_id} is a failure that N8N never reported"
    unexpected = {report["status"] for report in reports} - {0, 200, 409, 503}
    if unexpected:
        yield f"outcome: N8N's reports on job {job_id} were answered {sorted(unexpected)}"


CHECKS = (
    check_accepted, check_keys, check_answers, check_histories, check_ends, check_all_ended, check_outcomes,
    check_deliveries, check_logs,
)  # fmt: skip


def check(evidence: Evidence) -> list[str]:
    """Return a sentence for everything that is wrong."""
    return [sentence for each in CHECKS for sentence in each(evidence)]


def _accepted(evidence: Evidence) -> Iterator[Entry]:
    return (answer for answer in evidence.answers if answer["status"] in ACCEPTED)


def _more_than_once(what: str, values: Iterable[object]) -> Iterator[str]:
    return (f"doubled: {what} {value} is there {count} times" for value, count in Counter(values).items() if count > 1)


def _sha256_of_file(evidence: Evidence, receipt: Row) -> str:
    try:
        return hashlib.sha256((evidence.media / receipt["file"]).read_bytes()).hexdigest()
    except OSError:
        return ""
