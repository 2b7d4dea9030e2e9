"""What may happen to made-up jobs (`jobs.history.simulation`), and how often each scenario is taken."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog

from .simulation import Simulation

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status
Code = FailureCode
LEASE, PATIENCE = timedelta(seconds=90), timedelta(minutes=15)

# -- what happens


def _claim(simulation: Simulation) -> None:
    job = simulation.job
    simulation.happen(
        simulation.chance.uniform(0.05, 1.5), Kind.CLAIMED, Source.WORKER, Status.SENDING, "worker-1",
        changes=lambda at: {"attempts": job.attempts + 1, "tries": job.tries + 1, "due_at": at + LEASE},
    )  # fmt: skip


def _deliver(simulation: Simulation) -> None:
    _claim(simulation)
    execution, ms = str(simulation.chance.randrange(10**6, 10**7)), simulation.chance.randrange(80, 900)
    detail = {"http_status": 200, "ms": ms, "execution_id": execution, "answer": {"status": 200, "bytes": 40}}
    simulation.happen(
        ms / 1000, Kind.DELIVERED, Source.WORKER, Status.PROCESSING, "worker-1", detail,
        lambda at: {
            "due_at": at + PATIENCE, "delivered_at": at, "n8n_execution_id": execution, "last_error": "",
            "needs_attention": False,
        },
    )  # fmt: skip


def _refuse(simulation: Simulation, code: str = "n8n_busy", *, needs_attention: bool = False) -> None:
    _claim(simulation)
    wait = simulation.chance.choice((5, 30, 120, 300, 900))
    detail = {"http_status": 503, "ms": 60, "code": code, "message": "N8N answered 503.", "again_in_seconds": wait}
    simulation.happen(
        0.06, Kind.REFUSED, Source.WORKER, Status.QUEUED, "worker-1", detail,
        lambda at: {
            "due_at": at + timedelta(seconds=wait), "last_error": code, "needs_attention": needs_attention,
        },
    )  # fmt: skip
    simulation.at += timedelta(seconds=wait)


def _fail(
    simulation: Simulation,
    code: FailureCode,
    source: JobEvent.Source,
    after: float,
    *,
    kind: JobEvent.Kind = Kind.FAILED,
    actor: str = "",
) -> None:
    detail = {"code": code.value, "message": code.label} if code != Code.WORKFLOW_FAILED else {"reported": "failure"}
    simulation.happen(
        after, kind, source, Status.FAILURE, actor, detail,
        lambda at: {
            "due_at": None, "completed_at": at, "failure_code": code.value, "result_message": code.label,
            "needs_attention": False,
        },
    )  # fmt: skip


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
        _refuse(simulation)
    _well(simulation)


def _workflow_fails(simulation: Simulation) -> None:
    _deliver(simulation)
    _fail(simulation, Code.WORKFLOW_FAILED, Source.CALLBACK, simulation.chance.uniform(3, 60), actor="job token")


def _no_callback(simulation: Simulation) -> None:
    _deliver(simulation)
    _fail(simulation, Code.CALLBACK_TIMEOUT, Source.SWEEP, PATIENCE.total_seconds())


def _never_taken(simulation: Simulation) -> None:
    for _ in range(8):
        _refuse(simulation, "n8n_webhook_not_found", needs_attention=True)
    _claim(simulation)
    _fail(simulation, Code.N8N_UNAVAILABLE, Source.WORKER, 60, actor="worker-1")


def _at_once(code: FailureCode) -> Callable[[Simulation], None]:
    def scenario(simulation: Simulation) -> None:
        _claim(simulation)
        _fail(simulation, code, Source.WORKER, 0.2, actor="worker-1")

    return scenario


def _cancelled(simulation: Simulation) -> None:
    _refuse(simulation, "n8n_forbidden", needs_attention=True)
    _fail(simulation, Code.CANCELLED, Source.ADMIN, 30, kind=Kind.CANCELLED, actor="anna")


SCENARIOS: Sequence[tuple[Callable[[Simulation], None], float]] = (
    (_well, 50),
    (_callback_twice, 28),
    (_at_last, 15),
    (_workflow_fails, 3),
    (_no_callback, 1),
    (_never_taken, 1),
    (_at_once(Code.N8N_REJECTED), 0.8),
    (_at_once(Code.DELIVERY_UNCONFIRMED), 0.4),
    (_at_once(Code.FILE_MISSING), 0.2),
    (_at_once(Code.FILE_UNREADABLE), 0.3),
    (_cancelled, 0.3),
)
