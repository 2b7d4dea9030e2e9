"""Whether N8N's webhook is there: knocks that start nothing."""

import time
from enum import Enum

from django.conf import settings

from jobs.answers import Answer
from jobs.transport import WatchedSession

DEADLINE_SECONDS = 5.0
AT_LEAST_SECONDS = 1.0  # though the time for everything be over: what answers is told all the same
MAX_ANSWER_BYTES = 16 * 1024
NOT_JSON = "knock, knock"
OF_ANOTHER_METHOD = b"Did you mean to make a POST request?"  # N8N's webhook-not-found.error.js


class Reached(Enum):
    """What answers at `N8N_WEBHOOK_URL`, and the sentence that says it."""

    ANSWERS = "The webhook answers."
    NOT_REGISTERED = "The webhook does not answer: N8N knows no active workflow with the path of N8N_WEBHOOK_URL."
    NOT_REACHED = "The webhook cannot be reached from here: see that N8N_WEBHOOK_URL and N8N_VERIFY_SSL are right."
    FAILS = "N8N, or a proxy before it, fails at N8N_WEBHOOK_URL: see its log."
    OTHER = "Something else than N8N answers at N8N_WEBHOOK_URL."


# N8N (2.41, webhook-helpers.js) looks for the workflow first (404), then reads the body (422), and asks for the
# credential last: what is no JSON tells whether a workflow is there, and gets into none.
STATUSES = {0: Reached.NOT_REACHED, 403: Reached.ANSWERS, 404: Reached.NOT_REGISTERED, 422: Reached.ANSWERS}


def knock(*, until: float) -> Reached:
    """Post what no workflow takes to the webhook, without its secret, and return what answers.

    Args:
        until: when the time for everything is over (time.monotonic()).
    """
    status = _ask("POST", NOT_JSON, until=until).status
    return Reached.FAILS if status >= 500 else STATUSES.get(status, Reached.OTHER)


def is_registered(*, until: float) -> bool:
    """Tell whether N8N has the webhook for a workflow still, though that be inactive by now.

    N8N takes a webhook away some time after it said so; who asks for the same path meanwhile is refused, and stays so.
    """
    return OF_ANOTHER_METHOD in _ask("GET", until=until).body


def _ask(method: str, body: str | None = None, *, until: float) -> Answer:
    with WatchedSession(settings.N8N_WEBHOOK_URL) as session:
        return session.exchange(
            method,
            settings.N8N_WEBHOOK_URL,
            data=body,
            headers={"Content-Type": "application/json"},
            seconds=max(AT_LEAST_SECONDS, min(DEADLINE_SECONDS, until - time.monotonic())),
            connect_seconds=DEADLINE_SECONDS,
            max_bytes=MAX_ANSWER_BYTES,
        )
