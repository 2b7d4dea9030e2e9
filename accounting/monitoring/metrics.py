"""`/metrics`: what Prometheus asks for, and nobody else gets."""

from collections.abc import Iterable
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from accounting.outages import error_fields, why_no_writes
from accounting.problems import NOT_FOUND, Problem
from accounting.throttling import count_failure
from accounting.tokens import is_one_of
from jobs.metrics.families import families, gauge
from jobs.queue import queue_service
from receipts.storage import can_store

from .process_metrics import REGISTRY

logger = structlog.get_logger(__name__)


class MetricsView(APIView):
    """Answers whoever brings `METRICS_TOKEN`; where none is set, there is nothing here."""

    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the right token pass, whatever the method."""
        super().initial(request, *args, **kwargs)
        _let_in(request)

    def get(self, request: Request) -> HttpResponse:
        """Tell everything, in the form that was asked for: OpenMetrics, or Prometheus' own."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(_AllMetrics()), content_type=content_type, headers={"Cache-Control": "no-store"})


def _let_in(request: Request) -> None:
    """Let the right token pass.

    Raises:
        Problem: 404 `not_found` where none is set, 401 `metrics_token_invalid` where it is another one.
        Throttled: the same, after too many of those from one address.
    """
    if not settings.METRICS_TOKEN:
        raise Problem(*NOT_FOUND)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_one_of(token.strip(), settings.METRICS_TOKEN):
        return
    count_failure("metrics_token", request)
    detail = "The token is missing or wrong: send the header Authorization: Bearer <METRICS_TOKEN>."
    raise Problem(401, "metrics_token_invalid", detail, headers={"WWW-Authenticate": "Bearer"})


class _AllMetrics(Collector):
    """What this process measured, what it can reach, and what the database tells of all."""

    def collect(self) -> Iterable[Metric]:
        installation, is_up = _told_by_database()
        yield gauge("database_up", "Whether the database told its figures, and takes writes.", is_up)
        yield gauge("storage_up", "Whether a receipt could be stored.", can_store())
        yield gauge("redis_up", "Whether a ring would go through.", queue_service().is_reachable())
        yield from installation
        yield from REGISTRY.collect()


def _told_by_database() -> tuple[list[Metric], bool]:
    """Return the metrics of the installation, and whether writes are taken; none while it is away or not migrated."""
    try:
        return list(families()), not why_no_writes()
    except (DatabaseError, InterfaceError) as error:
        logger.error("database_unavailable", **error_fields(error))
        return [], False
