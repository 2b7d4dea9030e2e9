"""Every delivery that N8N saw is explained, one by one."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from .evidence import Evidence, Row
from .ledger import Entry
from .reasons import end_of, is_of_worker, stops_worker
from .ways import DEADLINE_SECONDS, LEASE_SECONDS

IN_FLIGHT_SECONDS = 0.2  # an answer sent that shortly before the deadline may have met it on its way


def check_deliveries(evidence: Evidence) -> Iterator[str]:
    """No delivery came twice under one number, each was claimed, and each further one has its reason."""
    posts = defaultdict(list)
    for post in evidence.seen_by_n8n("post"):
        posts[post["job_id"]].append(post)
    for job_id, of_job in posts.items():
        numbers = [post["attempt"] for post in of_job]
        if len(numbers) != len(set(numbers)):
            yield f"post: job {job_id} was posted under the numbers {numbers}"
        for post in of_job:
            yield from _check_post(post, evidence)
        for post, further in pairwise(sorted(of_job, key=lambda post: post["attempt"])):
            if not _Delivery(post, further, evidence).may_be_repeated():
                yield (
                    f"post: job {job_id} was posted again (attempt {further['attempt']}) without a reason:"
                    f" N8N treated attempt {post['attempt']} as {post['way']!r}"
                )


def count_further_posts(evidence: Evidence) -> int:
    """Return how many deliveries there were beyond the first of each job."""
    posts = evidence.seen_by_n8n("post")
    return len(posts) - len({post["job_id"] for post in posts})


def _check_post(post: Entry, evidence: Evidence) -> Iterator[str]:
    job = evidence.jobs.get(post["job_id"])
    if job is None:
        yield f"post: N8N was sent job {post['job_id']}, which does not exist"
    elif post["sha256"] != evidence.receipts[job["receipt_id"]]["sha256"]:
        yield f"post: attempt {post['attempt']} of job {post['job_id']} carried other bytes"
    elif _claim(post, evidence) is None:
        yield f"post: attempt {post['attempt']} of job {post['job_id']} was posted without a claim"


def _claim(post: Entry, evidence: Evidence) -> Row | None:
    return _event(post, evidence, "claimed")


def _event(post: Entry, evidence: Evidence, kind: str) -> Row | None:
    events = evidence.events.get(post["job_id"], [])
    return next((e for e in events if e["kind"] == kind and e["attempt"] == post["attempt"]), None)


class _Delivery:
    """A delivery that was followed by another one: was that right?"""

    def __init__(self, post: Entry, further: Entry, evidence: Evidence) -> None:
        self._post = post
        self._evidence = evidence
        claim = _claim(post, evidence)
        again = _claim(further, evidence)
        self._begun_at: float = claim["at"] if claim else post["at"]
        self._again_at: float = again["at"] if again else further["at"]
        self._worker: str = claim["actor"] if claim else ""

    def may_be_repeated(self) -> bool:
        """Tell whether N8N's own ledger or that of the faults says why."""
        if self._post["means"] == "failed" or _event(self._post, self._evidence, "delivered"):
            return False  # whoever has written down that N8N has it never sends it again
        return (
            self._post["means"] in ("refused", "unclear")
            or self._was_answered_late()
            or any(self._is_reason(fault) for fault in self._evidence.faults)
        )

    def _was_answered_late(self) -> bool:
        answers = (
            entry["at"]
            for entry in self._evidence.seen_by_n8n("answered")
            if (entry["job_id"], entry["attempt"]) == (self._post["job_id"], self._post["attempt"])
        )
        return next(answers, float("inf")) - self._begun_at > DEADLINE_SECONDS - IN_FLIGHT_SECONDS

    def _is_reason(self, fault: Entry) -> bool:
        """A worker that is killed or frozen takes its own deliveries along, a harmed database everybody's."""
        match fault["kind"]:
            case "kill":
                return is_of_worker(fault, self._worker) and self._begun_at <= fault["at"] <= self._again_at
            case "freeze" if stops_worker(fault, self._worker, self._evidence):
                return self._overlaps(fault["at"], end_of(fault, self._evidence))
            case "database harmed":
                return self._overlaps(fault["at"], end_of(fault, self._evidence))
        return False

    def _overlaps(self, begin: float, end: float) -> bool:
        """Tell whether a fault fell into the time in which the worker had the delivery in its hands."""
        return begin <= self._begun_at + LEASE_SECONDS and end >= self._begun_at
