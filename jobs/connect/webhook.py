"""Whether N8N's webhook is there: a knock without the secret, which starts nothing."""

from enum import Enum

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from jobs.transport import USER_AGENT, WatchedSession, let_go, tls_verification
from jobs.watchdog import Watchdog

DEADLINE_SECONDS = 5.0
NO_BODY = "{}"


class Reached(Enum):
    """What answers at `N8N_WEBHOOK_URL`."""

    GUARDED = "The webhook answers, and lets nobody in without its credential."
    OPEN = "The webhook answers without its credential: choose Header Auth in its node, and the credential."
    NOT_REGISTERED = "The webhook does not answer: N8N knows no active workflow with the path of N8N_WEBHOOK_URL."
    NOT_REACHED = "The webhook cannot be reached from here: see that N8N_WEBHOOK_URL and N8N_VERIFY_SSL are right."
    OTHER = "Something else than N8N answers at N8N_WEBHOOK_URL."

    @property
    def sentence(self) -> str:
        """Return what that means."""
        return str(self.value)


STATUSES = {401: Reached.GUARDED, 403: Reached.GUARDED, 404: Reached.NOT_REGISTERED}


def knock() -> Reached:
    """Post to the webhook without its secret, and return what answers.

    N8N looks for the workflow first, then at the secret: 404 means that there is none, 403 that there is.
    """
    url, verify = settings.N8N_WEBHOOK_URL, tls_verification(settings.N8N_VERIFY_SSL)
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    with WatchedSession(url, verify=verify) as session, Watchdog(DEADLINE_SECONDS):
        try:
            answer = session.post(
                url, NO_BODY, headers=headers, timeout=DEADLINE_SECONDS, allow_redirects=False, stream=True
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            let_go(error)
            return Reached.NOT_REACHED
        answer.close()
    return STATUSES.get(answer.status_code, Reached.OPEN if answer.ok else Reached.OTHER)
