"""The WSGI application of the sandbox."""

import itertools
import threading
import time
from collections import Counter
from typing import Any, TypedDict
from weakref import WeakSet
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from django.http import HttpResponse, JsonResponse

from .replies import ErrorReply, send
from .reports import make_report, post_report
from .webhook import WEBHOOK, Behaviour, Delivery, fixed_reply, not_registered, read_delivery, requested_behaviour

logger = structlog.get_logger(__name__)

CALLBACK_TRIES = 5
STOP_SECONDS = 1.0


class Stats(TypedDict):
    """What the sandbox has seen since it started."""

    webhooks: int  # posts to a webhook, whatever came of them
    refused: int  # of these, answered with an error
    deliveries: dict[str, int]  # by job_id: posts that passed every check, whatever the behaviour then was
    callbacks_accepted: int  # posts of a report that were answered 2xx
    callbacks_failed: int  # posts of a report that were answered otherwise, or not at all


class Sandbox:
    """The WSGI application; `running_sandbox` serves it.

    Args:
        url: its own base address, for those who use it.
        behaviour: for requests whose URL names none.
        delay: seconds before a report, and before a slow answer.
        retry_delay: seconds between two tries of a report.
    """

    def __init__(self, *, url: str, behaviour: Behaviour, delay: float, retry_delay: float) -> None:
        self.url = url
        self._behaviour = behaviour
        self._delay = delay
        self._retry_delay = retry_delay
        self._counts: Counter[str] = Counter()
        self._deliveries: Counter[str] = Counter()
        self._lock = threading.Lock()
        # from the clock on, so that a restarted sandbox gives no id again: an id known from before would be believed
        self._executions = itertools.count(int(time.time() * 1000))
        self._stopping = threading.Event()
        self._reporters: WeakSet[threading.Thread] = WeakSet()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer `POST /webhook/…` and `GET /stats`."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST" and path.startswith(WEBHOOK):
            self._count(self._counts, "webhooks")
            reply = self._take(environ)
        elif method == "GET" and path == "/stats":
            reply = JsonResponse(self.stats())
        else:
            reply = not_registered(environ)
        return send(reply, start_response)

    def stats(self) -> Stats:
        """Return the counts of this moment."""
        with self._lock:
            return Stats(
                webhooks=self._counts["webhooks"],
                refused=self._counts["refused"],
                deliveries=dict(self._deliveries),
                callbacks_accepted=self._counts["callbacks_accepted"],
                callbacks_failed=self._counts["callbacks_failed"],
            )

    def stop(self) -> None:
        """Drop the reports that still wait; return when the one being posted has ended, or after a second."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            reporters = list(self._reporters)
        for reporter in reporters:
            reporter.join(max(0.0, deadline - time.monotonic()))

    def _take(self, environ: WSGIEnvironment) -> HttpResponse:
        try:
            behaviour = requested_behaviour(environ) or self._behaviour
            delivery = read_delivery(environ)
            self._count(self._deliveries, delivery.job_id)
            reply = fixed_reply(behaviour, environ) or self._execute(delivery, behaviour)
        except ErrorReply as refused:
            reply = refused.reply
        if reply.status_code >= 400:
            self._count(self._counts, "refused")
        return reply

    def _execute(self, delivery: Delivery, behaviour: Behaviour) -> HttpResponse:
        if behaviour is Behaviour.SLOW:
            self._stopping.wait(self._delay)
        execution_id = str(next(self._executions))
        logger.info("sandbox_took", job_id=delivery.job_id, execution_id=execution_id, behaviour=behaviour)
        report = make_report(delivery, behaviour, execution_id)
        for _ in range({Behaviour.SILENT: 0, Behaviour.DOUBLE: 2}.get(behaviour, 1)):
            self._start_reporter(delivery, report)
        return JsonResponse({"accepted": True, "execution_id": execution_id})

    def _start_reporter(self, delivery: Delivery, report: dict[str, Any]) -> None:
        reporter = threading.Thread(target=self._call_back, args=(delivery, report), daemon=True)
        reporter.start()
        with self._lock:
            self._reporters.add(reporter)

    def _call_back(self, delivery: Delivery, report: dict[str, Any]) -> None:
        """Report after the delay, and again where that is not answered 2xx, as N8N's HTTP Request node does."""
        for pause in (self._delay, *[self._retry_delay] * (CALLBACK_TRIES - 1)):
            if self._stopping.wait(pause):
                return
            outcome = post_report(delivery, report)
            was_accepted = outcome.startswith("2")
            self._count(self._counts, "callbacks_accepted" if was_accepted else "callbacks_failed")
            logger.info("sandbox_called_back", job_id=delivery.job_id, status=report["status"], answer=outcome)
            if was_accepted:
                return

    def _count(self, counter: Counter[str], name: str) -> None:
        with self._lock:
            counter[name] += 1
