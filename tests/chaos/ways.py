"""The ways in which the stub N8N answers, and what it reports afterwards."""

import random
from dataclasses import dataclass
from typing import Literal

from tests.support.stub_server import Visit, response

# taken: N8N says so · refused: it says that it did not take it · unclear: nobody can tell · failed: it ran, and failed
Meaning = Literal["taken", "refused", "unclear", "failed"]
Outcome = Literal["success", "failure"]

DEADLINE_SECONDS = 2
PREPARATION_SECONDS = 1
LEASE_SECONDS = 3  # the deadline, the preparation, and half of it
TASK_SECONDS = 4  # RQ's time-out
CALLBACK_SECONDS = 4
LATE = CALLBACK_SECONDS + 1.5


@dataclass(frozen=True, kw_only=True)
class Report:
    """A callback: when, counted from the answer, and what it says."""

    after: float
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of treating a delivery.

    Attributes:
        weight: how often it is taken, beside the others.
        means: what a good reader makes of the answer.
        answer: the bytes of the answer; none where the connection is reset.
        after: seconds until the answer.
        closes: whether the connection ends with it.
        first: what is reported before the answer.
        reports: what is reported after it.
    """

    weight: int
    means: Meaning = "taken"
    answer: bytes = b""
    after: float = 0.0
    closes: bool = False
    first: tuple[Report, ...] = ()
    reports: tuple[Report, ...] = ()

    def send(self, visit: Visit) -> None:
        """Send the answer, or reset the connection."""
        visit.pause(self.after)
        if self.answer:
            visit.send(self.answer)
        else:
            visit.reset()


def report(outcome: Outcome, after: float = 0.1) -> Report:
    return Report(after=after, outcome=outcome)


def error(status: int, message: str, **headers: str) -> bytes:
    return response(status, b'{"message": "%s"}' % message.encode(), **headers)


TAKEN = response()
STARTING_UP = response(200, b"<p>n8n is starting up", Content_Type="text/html")
SUCCESS = (report("success"),)
WAYS = {
    "taken": Way(weight=40, answer=TAKEN, reports=SUCCESS),
    "callback before the answer": Way(weight=6, answer=TAKEN, first=SUCCESS),
    "callback doubled": Way(weight=5, answer=TAKEN, reports=SUCCESS * 2),
    "callback late": Way(weight=4, answer=TAKEN, reports=(report("success", LATE),)),
    "no callback": Way(weight=3, answer=TAKEN),
    "failure reported": Way(weight=5, answer=TAKEN, reports=(report("failure"),)),
    "success, then failure": Way(weight=4, answer=TAKEN, reports=(*SUCCESS, report("failure", 0.4))),
    "failure, then success": Way(weight=3, answer=TAKEN, reports=(report("failure"), report("success", 0.4))),
    "failure late": Way(weight=2, answer=TAKEN, reports=(report("failure", LATE),)),
    "error in workflow": Way(weight=2, means="failed", answer=error(500, "Error in workflow")),
    "429": Way(weight=4, means="refused", answer=error(429, "Too many requests", Retry_After="1")),
    "500": Way(weight=3, means="refused", answer=error(500, "Internal server error")),
    "not executed": Way(weight=2, means="unclear", answer=error(500, "There was a problem executing the workflow")),
    "cancelled": Way(weight=1, means="failed", answer=error(500, "The execution was cancelled manually")),
    "502": Way(weight=3, means="refused", answer=error(502, "Bad gateway")),
    "404": Way(weight=3, means="refused", answer=error(404, "The requested webhook is not registered.")),
    "starting up": Way(weight=3, means="refused", answer=STARTING_UP),
    "empty": Way(weight=3, means="unclear", answer=response(200, b""), reports=SUCCESS),
    "empty, no callback": Way(weight=2, means="unclear", answer=response(200, b"")),
    "cut": Way(weight=3, means="unclear", answer=TAKEN[:-20], closes=True, reports=SUCCESS),
    "cut, no callback": Way(weight=2, means="unclear", answer=TAKEN[:-20], closes=True),
    "reset": Way(weight=3, means="unclear", closes=True, reports=SUCCESS),
    "reset, no callback": Way(weight=2, means="unclear", closes=True),
    "answer too late": Way(weight=2, means="unclear", answer=TAKEN, after=DEADLINE_SECONDS + 0.5, closes=True),
}  # fmt: skip


def choose_way(seed: int, sha256: str, attempt: int) -> str:
    """Return a way's name: the same for the same delivery in each run of the seed."""
    names, weights = list(WAYS), [way.weight for way in WAYS.values()]
    return random.Random(f"{seed} {sha256} {attempt}").choices(names, weights)[0]
