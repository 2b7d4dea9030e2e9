"""Whether N8N's webhook is there: a knock that starts nothing."""

from enum import Enum

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from jobs.transport import USER_AGENT, WatchedSession, let_go, tls_verification
from jobs.watchdog import Watchdog

DEADLINE_SECONDS = 5.0
NOT_JSON = "knock, knock"


class Reached(Enum):
    """What answers at `N8N_WEBHOOK_URL`."""

    ANSWERS = "The webhook answers."
    NOT_REGISTERED = "The webhook does not answer: N8N knows no active workflow with the path of N8N_WEBHOOK_URL."
    NOT_REACHED = "The webhook cannot be reached from here: see that N8N_WEBHOOK_URL and N8N_VERIFY_SSL are right."
    OTHER = "Something else than N8N answers at N8N_WEBHOOK_URL."

    @property
    def sentence(self) -> str:
        """Return what that means."""
        return str(self.value)


# N8N (2.41, webhook-helpers.js) looks for the workflow first (404), then reads the body (422), and asks for the
# credential last: what is no JSON tells whether a workflow is there, and gets into none.
STATUSES = {403: Reached.ANSWERS, 404: Reached.NOT_REGISTERED, 422: Reached.ANSWERS}


def knock() -> Reached:
    """Post what no workflow takes to the webhook, without its secret, and return what answers."""
    url, verify = settings.N8N_WEBHOOK_URL, tls_verification(settings.N8N_VERIFY_SSL)
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    with WatchedSession(url, verify=verify) as session, Watchdog(DEADLINE_SECONDS):
        try:
            answer = session.post(
                url, NOT_JSON, headers=headers, timeout=DEADLINE_SECONDS, allow_redirects=False, stream=True
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            let_go(error)
            return Reached.NOT_REACHED
        answer.close()
    return STATUSES.get(answer.status_code, Reached.OTHER)
