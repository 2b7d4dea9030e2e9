"""Whether the service lives, and whether it does its work."""

from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounting.clock import DatabaseNow, database_now
from accounting.outages import error_fields, unapplied_migrations, why_no_writes
from jobs import canary
from jobs.heartbeats import living
from jobs.models import Heartbeat, JobEvent, JobLog
from jobs.queue import queue_service
from receipts.storage import storage_trouble

logger = structlog.get_logger(__name__)

OK, DEGRADED, UNAVAILABLE = "ok", "degraded", "unavailable"

_migrated = False


@csrf_exempt  # what is posted is told that nothing can be
@require_safe
@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process answers at all."""
    return JsonResponse({"status": OK})


@csrf_exempt
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 503 only where an upload could not be taken; say `degraded` where it would be taken, but not finished."""
    checks: dict[str, Any] = {
        "storage": storage_trouble() or OK,
        "redis": OK if queue_service().is_reachable() else UNAVAILABLE,
        **_database(),
    }
    if checks["database"] != OK or checks["storage"] != OK:
        return JsonResponse({"status": UNAVAILABLE, "checks": checks}, status=503)
    return JsonResponse({"status": OK if _is_finishing(checks) else DEGRADED, "checks": checks})


def _is_finishing(checks: dict[str, Any]) -> bool:
    """Tell whether what is taken is finished, too, as far as can be seen."""
    does_work = checks["redis"] == OK and checks["workers"] and checks["sweep"]
    return bool(does_work and not checks["canary"]["alarming"])


def _is_migrated() -> bool:
    """Look until it is; a process keeps the good news, for looking costs tens of milliseconds."""
    global _migrated
    _migrated = _migrated or not unapplied_migrations()
    return _migrated


def _database() -> dict[str, Any]:
    """Return what the database says of itself and of the processes that meet in it."""
    try:
        if not _is_migrated():
            return {"database": "not migrated"}
        if why := why_no_writes():
            return {"database": why}
        return {
            "database": OK,
            "workers": living(Heartbeat.Kind.WORKER, DatabaseNow()).count(),
            "sweep": living(Heartbeat.Kind.SWEEP, DatabaseNow()).count(),
            "last_round_trip": _last_round_trip(),
            "canary": _canary(),
        }
    except (DatabaseError, InterfaceError) as error:
        logger.error("database_unavailable", **error_fields(error))
        return {"database": UNAVAILABLE}


def _last_round_trip() -> dict[str, Any] | None:
    """Return the newest success of a receipt that N8N reported: in the index, past the canaries that came since."""
    by_a_worker = JobEvent.objects.filter(
        job=OuterRef("pk"), kind=JobEvent.Kind.SUCCEEDED, source=JobEvent.Source.WORKER
    )
    successes = JobLog.objects.filter(~Exists(by_a_worker), status=JobLog.Status.SUCCESS, is_canary=False)
    job = successes.order_by("-created_at").first()
    if job is None or job.completed_at is None:
        return None
    return {"completed_at": job.completed_at, "seconds": round((job.completed_at - job.created_at).total_seconds(), 1)}


def _canary() -> dict[str, Any]:
    health = canary.check_health(database_now())
    trip = health.round_trip
    return {
        "state": health.state,
        "alarming": health.is_alarming,
        "completed_at": trip.completed_at if trip else None,
        "age_seconds": round(health.age.total_seconds()) if health.age is not None else None,
        "seconds": round(trip.seconds, 3) if trip else None,
        "outcome": ("success" if trip.succeeded else "failure") if trip else None,
        "trouble": health.code or None,
    }
