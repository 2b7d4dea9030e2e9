"""What may happen to made-up jobs (`jobs.history.simulation`), and how often each scenario is taken."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from jobs.answers import Answer, Decision, decide
from jobs.delivery_errors import ErrorCode
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog

from .simulation import Simulation

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status
Code = FailureCode
Changes = Callable[[datetime], dict[str, Any]]
LEASE, PATIENCE = timedelta(seconds=90), timedelta(minutes=15)

# What N8N answers, and why nothing was sent.
BUSY = Answer(status=503, milliseconds=60)
NO_WEBHOOK = Answer(status=404, milliseconds=60, body=b'{"message": "The requested webhook is not registered."}')
FORBIDDEN = Answer(status=403, milliseconds=60)
REJECTED = Answer(status=400, milliseconds=200)
GATEWAY_GAVE_UP = Answer(status=504, milliseconds=30_000)
NO_FILE = Answer(error=ErrorCode.FILE_MISSING)
BROKEN_FILE = Answer(error=ErrorCode.FILE_UNREADABLE)

# -- what happens


def _claim(simulation: Simulation) -> None:
    job = simulation.job
    simulation.at = max(simulation.at, job.due_at or simulation.at)
    simulation.happen(
        simulation.chance.uniform(0.05, 1.5), Kind.CLAIMED, Source.WORKER, Status.SENDING, "worker-1",
        changes=lambda at: {"attempts": job.attempts + 1, "tries": job.tries + 1, "due_at": at + LEASE},
    )  # fmt: skip


def _send(simulation: Simulation, answer: Answer) -> None:
    """Let a worker take it to N8N, and do what the answer means, as `services.mark_delivered` does."""
    _claim(simulation)
    decision = decide(
        answer,
        tries=max(simulation.job.tries, 1),  # it may not have come to this one yet
        schedule=settings.DELIVERY_RETRY_SCHEDULE,
        now=simulation.at,
        jitter=simulation.chance.random(),
    )
    kind, changes = _meaning(decision)
    simulation.happen(
        answer.milliseconds / 1000, kind, Source.WORKER, decision.status, "worker-1", _detail(answer, decision), changes
    )


def _meaning(decision: Decision) -> tuple[JobEvent.Kind, Changes]:
    code, is_confirmed = str(decision.code), decision.confirmed
    match decision.status:
        case Status.PROCESSING:
            return Kind.DELIVERED if is_confirmed else Kind.UNCONFIRMED, lambda at: {
                "due_at": at + PATIENCE, "delivered_at": at if is_confirmed else None,
                "n8n_execution_id": decision.execution_id, "last_error": code, "needs_attention": False,
            }  # fmt: skip
        case Status.QUEUED:
            return Kind.REFUSED, lambda at: {
                "due_at": at + timedelta(seconds=decision.delay), "last_error": code,
                "needs_attention": decision.needs_attention,
            }  # fmt: skip
    return Kind.FAILED, _end(code, decision.sentence, last_error=str(decision.refused_for))


def _detail(answer: Answer, decision: Decision) -> dict[str, Any]:
    detail = {
        "http_status": answer.status, "ms": answer.milliseconds, "code": str(decision.code),
        "execution_id": decision.execution_id, "message": decision.sentence,
        "answer": {"status": answer.status, "bytes": len(answer.body)} if answer.status else {},
        "again_in_seconds": round(decision.delay),
    }  # fmt: skip
    return {key: value for key, value in detail.items() if value}


def _end(code: str, sentence: str, **others: str) -> Changes:
    return lambda at: {
        "due_at": None, "completed_at": at, "failure_code": code, "result_message": sentence, "needs_attention": False,
        **others,
    }  # fmt: skip


def _deliver(simulation: Simulation) -> None:
    execution, ms = str(simulation.chance.randrange(10**6, 10**7)), simulation.chance.randrange(80, 900)
    _send(simulation, Answer(status=200, milliseconds=ms, body=json.dumps({"execution_id": execution}).encode()))


def _stop_waiting(simulation: Simulation) -> None:
    """Let the sweep queue again what N8N may have, or end it in the last try."""
    job, schedule, after = simulation.job, settings.DELIVERY_RETRY_SCHEDULE, PATIENCE.total_seconds()
    if job.tries > len(schedule):
        _fail(simulation, Code.DELIVERY_UNCONFIRMED, Source.SWEEP, after)
        return
    simulation.happen(
        after, Kind.RESENT, Source.SWEEP, Status.QUEUED,
        changes=lambda at: {"due_at": at + timedelta(seconds=schedule[job.tries - 1])},
    )  # fmt: skip


def _fail(
    simulation: Simulation,
    code: FailureCode,
    source: JobEvent.Source,
    after: float,
    *,
    kind: JobEvent.Kind = Kind.FAILED,
    actor: str = "",
) -> None:
    own = {"reported": "failure"} if code == Code.WORKFLOW_FAILED else {"message": code.label}
    detail = {"code": code.value, **own}
    simulation.happen(after, kind, source, Status.FAILURE, actor, detail, _end(code.value, code.label))


def _file(simulation: Simulation) -> None:
    page = f"https://www.notion.so/{simulation.chance.randbytes(16).hex()}"
    total = round(simulation.chance.uniform(1, 200), 2)
    result = {"vendor": "Bäckerei", "total": total, "lines": [{"name": "Brot", "price": total}]}
    detail = {"reported": "success", "notion_page_url": page}
    after = simulation.chance.lognormvariate(2.5, 0.6)
    simulation.happen(
        after, Kind.SUCCEEDED, Source.CALLBACK, Status.SUCCESS, "job token", detail,
        lambda at: {
            "due_at": None, "completed_at": at, "failure_code": "", "result_message": f"Filed {total} EUR.",
            "notion_page_url": page, "result": result, "last_error": "", "needs_attention": False,
        },
    )  # fmt: skip


# -- whole scenarios


def _well(simulation: Simulation) -> None:
    _deliver(simulation)
    _file(simulation)


def _callback_twice(simulation: Simulation) -> None:
    _well(simulation)
    simulation.happen(2, Kind.CALLBACK_REPEATED, Source.CALLBACK, actor="job token", detail={"reported": "success"})


def _at_last(simulation: Simulation) -> None:
    for _ in range(simulation.chance.randint(1, 3)):
        _send(simulation, BUSY)
    _well(simulation)


def _workflow_fails(simulation: Simulation) -> None:
    _deliver(simulation)
    _fail(simulation, Code.WORKFLOW_FAILED, Source.CALLBACK, simulation.chance.uniform(3, 60), actor="job token")


def _no_callback(simulation: Simulation) -> None:
    _deliver(simulation)
    _fail(simulation, Code.CALLBACK_TIMEOUT, Source.SWEEP, PATIENCE.total_seconds())


def _send_in_vain(simulation: Simulation, answer: Answer) -> None:
    for _ in range(_most_tries()):
        _send(simulation, answer)


def _never_confirmed(simulation: Simulation) -> None:
    for _ in range(_most_tries()):
        _send(simulation, GATEWAY_GAVE_UP)
        _stop_waiting(simulation)


def _most_tries() -> int:
    return len(settings.DELIVERY_RETRY_SCHEDULE) + 1


def _cancelled(simulation: Simulation) -> None:
    for _ in range(min(4, len(settings.DELIVERY_RETRY_SCHEDULE))):
        _send(simulation, FORBIDDEN)
    _fail(simulation, Code.CANCELLED, Source.ADMIN, 30, kind=Kind.CANCELLED, actor="anna")


SCENARIOS: Sequence[tuple[Callable[[Simulation], None], float]] = (
    (_well, 50),
    (_callback_twice, 28),
    (_at_last, 15),
    (_workflow_fails, 3),
    (_no_callback, 1),
    (partial(_send_in_vain, answer=NO_WEBHOOK), 1),
    (partial(_send, answer=REJECTED), 0.8),
    (_never_confirmed, 0.4),
    (partial(_send_in_vain, answer=NO_FILE), 0.2),
    (partial(_send, answer=BROKEN_FILE), 0.3),
    (_cancelled, 0.3),
)
