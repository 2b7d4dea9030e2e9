"""A small model of what may become of a job, written from docs/architecture.md and not from the code."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Outcome = Literal["success", "failure"]
Status = Literal["queued", "sending", "processing"] | Outcome
Meaning = Literal["taken", "refused", "unclear", "ran and failed", "rejected"]
Verdict = Literal["accept", "accept_late", "repeat", "contradiction"]
Standing = Literal["not told", "success", "error", "running"]

OPEN: tuple[Status, ...] = ("queued", "sending", "processing")
IN_FLIGHT: tuple[Status, ...] = ("sending", "processing")
REFUSALS = 3  # as many as the schedule has pauses; one try more, and there is none left


@dataclass
class ModelJob:
    """One job as it ought to be.

    Attributes:
        created_at: when it came.
        database: where its receipt goes.
        is_duplicate: it was asked for beside another one, whatever became of that, on purpose.
        is_due: what `due_at` promises may happen now.
        is_confirmed: N8N said that it took it.
        ended_by_n8n: N8N reported how it ended, by itself and not when it was asked.
        has_more_time: the present attempt's callback was awaited for as long again, since N8N still ran it.
        execution: the execution that it is known to be in.
        told: every execution that was ever named, with the attempt at which it was.
    """

    created_at: datetime
    database: str
    is_duplicate: bool
    status: Status = "queued"
    attempts: int = 0
    tries: int = 0
    is_due: bool = True
    is_confirmed: bool = False
    ended_by_n8n: bool = False
    has_more_time: bool = False
    execution: str = ""
    told: list[tuple[int, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether something is still to happen."""
        return self.status in OPEN

    def has_filed_for(self, other: "ModelJob") -> bool:
        """Tell whether that one need not be sent any more, for this one has filed its receipt."""
        was_meant_for_it = not self.is_duplicate or self.created_at < other.created_at
        return self.status == "success" and not other.is_duplicate and was_meant_for_it

    def claim(self) -> None:
        """A worker takes it."""
        self.attempts += 1
        self.tries += 1
        self.has_more_time = False
        self._become("sending")

    def answer(self, meaning: Meaning, execution: str) -> None:
        """N8N answers the worker that holds it."""
        match meaning:
            case "taken" | "unclear":
                self.is_confirmed = meaning == "taken"
                self.execution = execution
                self._tell(execution)
                self._become("processing")
            case "refused":
                self._try_again()
            case "ran and failed" | "rejected":
                self.end("failure", by_n8n=meaning == "ran and failed")

    def judge(self, outcome: Outcome, execution: str) -> Verdict:
        """Say what a report means: the table "Callbacks" of docs/architecture.md."""
        if self.is_open:
            return "repeat" if outcome == "failure" and self._is_of_an_earlier_round(execution) else "accept"
        if outcome == self.status:
            return "repeat"
        if self.status == "success":
            return "contradiction"
        if not self.ended_by_n8n or execution not in ("", self.execution):
            return "accept_late"
        return "contradiction"

    def report(self, outcome: Outcome, execution: str) -> None:
        """N8N reports on it, whatever that means."""
        verdict = self.judge(outcome, execution)
        self._tell(execution)
        if verdict in ("accept", "accept_late"):
            self.execution = execution or self.execution
            self.end(outcome, by_n8n=True)

    def sweep(self, standing: Standing) -> None:
        """What it waited for has not come in time; N8N says how the execution stands, where it named one."""
        if self.status == "processing" and self.is_confirmed:
            self._follow(standing if self.execution else "not told")
        elif self.status in IN_FLIGHT:
            self._try_again()

    def _follow(self, standing: Standing) -> None:
        if standing == "running" and not self.has_more_time:
            self.has_more_time, self.is_due = True, False
        else:
            self.end("failure")

    def start_round(self) -> None:
        """It is sent again from the beginning."""
        self.tries = 0
        self.execution = ""
        self.is_confirmed = self.ended_by_n8n = False
        self._become("queued", is_due=True)

    def resend(self) -> None:
        """Staff has it sent now: what waits keeps its round, what N8N may have begins another."""
        if self.status == "processing":
            self.start_round()
        else:
            self.is_due = True

    def end(self, status: Status, *, by_n8n: bool = False) -> None:
        """Nothing more is to happen."""
        self.ended_by_n8n = by_n8n
        self._become(status)

    def _become(self, status: Status, *, is_due: bool = False) -> None:
        self.status, self.is_due = status, is_due

    def _try_again(self) -> None:
        if self.tries > REFUSALS:
            self.end("failure")
        else:
            self._become("queued")

    def _tell(self, execution: str) -> None:
        if execution:
            self.told.append((self.attempts, execution))

    def _is_of_an_earlier_round(self, execution: str) -> bool:
        """Tell whether it was named before this round's first try; with none sent yet, whatever failed is older."""
        before = self.attempts - self.tries
        nothing_sent_yet = self.attempts > 0 and self.tries == 0
        return nothing_sent_yet or execution in {name for attempt, name in self.told if attempt <= before}
