"""The test: the latest canary, step by step, and what it says of the connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs import canary
from jobs.canary import Stage, Step
from jobs.causes import Cause
from jobs.durations import format_duration, format_milliseconds
from jobs.identity import uptime
from jobs.models import JobLog

PATIENCE = timedelta(seconds=5)  # for so long nothing is thought to be wrong
FRESH = timedelta(minutes=1)  # for so long it is the present that it tells of
WATCHED = timedelta(minutes=20)  # for so long the page asks by itself


@dataclass(frozen=True, kw_only=True)
class ConnectionTest:
    """What the page says of the latest canary.

    Attributes:
        tone: good, warn, bad or info; past where it tells of settings that may be no longer in force.
        verdict: the outcome, or how far it has come, in one sentence.
        steps: as it stands, one of each stage that it has come to.
        ahead: the stages behind them, so that all stand there once, whatever came of it.
        tries: how often it was taken up.
        cause: what is wrong, or may be.
        age: since it was sent, in words.
        is_former: this process, which read the settings in force, was started after it was sent.
    """

    job: JobLog
    tone: str
    verdict: str
    steps: Sequence[Step]
    ahead: Sequence[Stage]
    tries: int
    cause: Cause | None
    age: str
    is_former: bool
    is_watched: bool


def latest_connection_test(now: datetime) -> ConnectionTest | None:
    """Return how the latest canary stands; None where none was sent.

    Args:
        now: by the database's clock.
    """
    job = canary.canaries_until(now).first()
    if job is None:
        return None
    steps, age = canary.steps(job), now - job.created_at
    cause = _cause(job, steps, age)
    tone, verdict = _verdict(job, steps, age, cause)
    is_former = age > uptime()
    return ConnectionTest(
        job=job,
        tone="past" if is_former and not job.is_open else tone,
        verdict=verdict,
        steps=_as_it_stands(steps),
        ahead=canary.stages_after(steps[-1].stage),
        tries=sum(step.stage is Stage.CLAIMED for step in steps),
        cause=cause,
        age=format_duration(age),
        is_former=is_former,
        is_watched=job.is_open and age < WATCHED,
    )


def _verdict(job: JobLog, steps: Sequence[Step], age: timedelta, cause: Cause | None) -> tuple[str, str]:
    last = steps[-1]
    if not job.is_open and last.ok and last.stage is Stage.CALLED_BACK:
        way = f"to N8N and back in {format_milliseconds(last.ms)}"
        if job.status == JobLog.Status.SUCCESS:
            return "good", f"{'It works' if age < FRESH else f'It worked {format_duration(age)} ago'}: {way}."
        return "warn", f"It went {way}, and the workflow reported a failure."
    if not job.is_open:
        return "bad", "It did not come back."
    if last.ok:
        return ("warn", "It waits.") if cause else ("info", "It is on its way …")
    if job.status == JobLog.Status.PROCESSING:
        return "warn", "N8N may have it: its callback is waited for …"
    return "warn", "It did not get through, and is tried again …"


def _cause(job: JobLog, steps: Sequence[Step], age: timedelta) -> Cause | None:
    """Return what is wrong; while it is on its way, what may be, once it takes longer than it should."""
    if steps[-1].cause or not job.is_open:
        return steps[-1].cause
    return canary.stalled(steps) if age > PATIENCE else None


def _as_it_stands(steps: Sequence[Step]) -> Sequence[Step]:
    """Return the latest step of each stage: each takes the place of what stood there and behind it."""
    if steps[-1].stage is Stage.QUEUED:
        return [steps[-1]]
    found = [steps[0]]
    for step in steps[1:]:
        if step.stage is not Stage.QUEUED:  # again, and that has come to something since
            found = [each for each in found if step.stage in canary.stages_after(each.stage)] + [step]
    return found
