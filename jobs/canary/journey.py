"""What has become of a canary, as the steps of its way: to the queue, to a worker, to N8N and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import models

from jobs.causes import OVERDUE, Cause, cause_of
from jobs.durations import format_milliseconds
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status


class Stage(models.TextChoices):
    """How far it has come."""

    QUEUED = "queued", "Queued"
    CLAIMED = "claimed", "Claimed by a worker"
    REACHED = "reached", "Reached N8N"
    ACCEPTED = "accepted", "Accepted"
    CALLED_BACK = "called_back", "Called back"


# What may be the matter where the next stage does not come.
STALLED = {
    Stage.CLAIMED: OVERDUE[Status.QUEUED],
    Stage.REACHED: Cause("N8N has not answered yet.", "See whether N8N runs and is not overloaded."),
    Stage.CALLED_BACK: Cause(
        "N8N has it, and has not called back yet.",
        "See in N8N whether its execution has ended, and whether N8N reaches CALLBACK_BASE_URL (PUBLIC_BASE_URL).",
    ),
}
# A canary is filed nowhere: where a receipt is to be looked for in Notion first, another cure is its own.
CURES: dict[str, str] = {
    FailureCode.CALLBACK_LOST: STALLED[Stage.CALLED_BACK].cure,
    FailureCode.CALLBACK_TIMEOUT: STALLED[Stage.CALLED_BACK].cure,
    FailureCode.DELIVERY_UNCONFIRMED: STALLED[Stage.REACHED].cure,
}
SILENT = Cause(
    "Its worker fell silent while it was sending it.", "See in the worker's log why; it is sent again by itself."
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened on the way.

    Attributes:
        ok: whether it came through; where not, `cause` says why.
        may_have: it may have come through all the same, and nobody knows.
        ms: after it was sent.
        fact: what else is known of it.
    """

    stage: Stage
    ok: bool
    ms: int
    fact: str = ""
    cause: Cause | None = None
    may_have: bool = False

    @property
    def label(self) -> str:
        """What happened, or did not."""
        label = self.stage.label
        return label if self.ok else f"{'Perhaps not' if self.may_have else 'Not'} {label[0].lower()}{label[1:]}"


def steps(job: JobLog) -> list[Step]:
    """Return the steps so far; later ones only come behind them."""
    found: list[Step] = []
    for event in job.events.order_by("id"):
        ms = round((event.at - job.created_at).total_seconds() * 1000)
        found += _steps_of(event, ms, before=found)
    return found


def stalled(steps: Sequence[Step]) -> Cause | None:
    """Return what may be the matter if nothing more happens: why the last step failed, or why the next is not taken.

    Returns:
        None where it is back, whatever N8N said of it: there is no further step.
    """
    last = steps[-1]
    return last.cause or (None if last.stage is Stage.CALLED_BACK else STALLED.get(_after(last.stage)))


def is_settled(job: JobLog) -> bool:
    """Tell whether there is nothing to wait for: it has ended, or somebody has to mend a setting first."""
    return not job.is_open or job.needs_attention


def stages_after(stage: Stage) -> Sequence[Stage]:
    """Return the stages that come behind one."""
    stages = list(Stage)
    return stages[stages.index(stage) + 1 :]


def _after(stage: Stage) -> Stage:
    return stages_after(stage)[0]


def _has_come(stage: Stage, last: Step) -> bool:
    return last.stage in stages_after(stage) or (last.ok and last.stage is stage)


def _steps_of(event: JobEvent, ms: int, *, before: list[Step]) -> Iterator[Step]:
    match event.kind:
        case Kind.RECEIVED | Kind.RESENT | Kind.RETRIED:
            yield Step(stage=Stage.QUEUED, ok=True, ms=ms)
        case Kind.CLAIMED:
            yield Step(stage=Stage.CLAIMED, ok=True, ms=ms, fact=event.actor)
        case Kind.LEASE_ENDED:
            yield Step(stage=Stage.REACHED, ok=False, ms=ms, cause=SILENT, may_have=True)
        case Kind.DELIVERED | Kind.UNCONFIRMED | Kind.REFUSED:
            yield from _delivery(event, ms)
        case Kind.FAILED if event.source == Source.WORKER:
            yield from _delivery(event, ms)
        case Kind.SUCCEEDED | Kind.FAILED if event.source == Source.CALLBACK:
            yield from _callback(event, ms, before)
        case Kind.FAILED | Kind.CANCELLED:
            yield _end(event, ms, before)


def _delivery(event: JobEvent, ms: int) -> Iterator[Step]:
    """Tell what one request to N8N came to, in one step or two."""
    cause = None if event.kind == Kind.DELIVERED else _cause(event)
    status = event.detail.get("http_status")
    took, may_have = f"after {format_milliseconds(event.detail.get('ms', 0))}", event.kind == Kind.UNCONFIRMED
    if not status:
        yield Step(stage=Stage.REACHED, ok=False, ms=ms, fact=took, cause=cause, may_have=may_have)
        return
    yield Step(stage=Stage.REACHED, ok=True, ms=ms, fact=f"HTTP {status} {took}")
    yield Step(stage=Stage.ACCEPTED, ok=cause is None, ms=ms, fact=_execution(event), cause=cause, may_have=may_have)


def _callback(event: JobEvent, ms: int, before: list[Step]) -> Iterator[Step]:
    """Tell of the callback, which proves what N8N's own answer did not say: it came too late, or was unclear."""
    for stage in (Stage.REACHED, Stage.ACCEPTED):
        if not _has_come(stage, before[-1]):
            yield Step(stage=stage, ok=True, ms=ms, fact="its callback says so")
    said = "failure" if event.kind == Kind.FAILED else "success"
    message = str(event.detail.get("message", ""))
    yield Step(stage=Stage.CALLED_BACK, ok=True, ms=ms, fact=": ".join(filter(None, [said, message])))


def _end(event: JobEvent, ms: int, before: list[Step]) -> Step:
    """Tell that it was given up, at the stage that did not come."""
    last = before[-1]
    stage = _after(last.stage) if last.ok else last.stage
    fact, may_have = str(event.detail.get("message", "")), event.detail.get("code") == FailureCode.DELIVERY_UNCONFIRMED
    return Step(stage=stage, ok=False, ms=ms, fact=fact, cause=_cause(event), may_have=may_have)


def _cause(event: JobEvent) -> Cause:
    code = str(event.detail.get("code", ""))
    cause = cause_of(code)
    return Cause(cause.sentence, CURES.get(code, cause.cure))


def _execution(event: JobEvent) -> str:
    execution = event.detail.get("execution_id")
    return f"execution {execution}" if execution else ""
