"""The API over HTTP: patient with what passes, and clear about what does not."""

import math
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.utils import get_environ_proxies

from accounting import __version__

from .files import Form
from .refusals import KeyRefused, Misused, NotTaken

Job = dict[str, Any]

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 150.0  # a server reads an upload for up to 120
TOO_OFTEN, THROTTLED = 429, "throttled"
PASSING = frozenset({408, 425, TOO_OFTEN, 500, 502, 503, 504, 507})
KEY_REFUSED = 401
LEAST_SECONDS = 2.0  # for a question that is asked at the end of the wait
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Service:
    """One installation, seen by one client; for any number of threads.

    Args:
        url: its address.
        patience: seconds to go on trying one thing for, while what is in the way may pass.
    """

    def __init__(self, url: str, *, api_key: str, patience: float) -> None:
        self._url = f"{url}/api/v1"
        self._headers = {"Authorization": f"Api-Key {api_key}", "User-Agent": f"receipts-client/{__version__}"}
        self._patience = patience
        self._key_refused: KeyRefused | None = None
        self._stopping = threading.Event()
        self._own = threading.local()

    def stop(self) -> None:
        """Let nobody wait any longer for a second try."""
        self._stopping.set()

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, unless nobody is to wait any longer."""
        self._stopping.wait(seconds)

    def check_access(self) -> None:
        """Ask for nothing much, to find out whether this is the service and takes the key.

        Raises:
            Misused: it is not, or does not.
        """

        def ask() -> requests.Response:
            return self._session().get(f"{self._url}/jobs/", params={"page_size": 1}, **self._request_options())

        try:
            answer = ask()
            if answer.status_code == TOO_OFTEN:  # where too many keys were wrong nobody is told that this one is
                answer = self._until_answered(ask)
        except NotTaken as refused:
            is_of_keys = isinstance(refused, KeyRefused) or refused.code == THROTTLED
            raise _key_not_taken(refused) if is_of_keys else Misused(str(refused)) from None
        except (requests.RequestException, ValueError) as error:  # urllib3 takes a host that none can have for one
            raise Misused(f"{self._url} cannot be reached ({type(error).__name__}).") from None
        _require_service(answer)

    def upload(self, form: Form, *, idempotency_key: str) -> tuple[Job, bool]:
        """Upload a file; return its job, and whether the service knew it before.

        Raises:
            NotTaken: it was not taken.
        """
        headers = {"Content-Type": form.content_type, "Idempotency-Key": idempotency_key}
        answer = self._until_answered(
            lambda: self._session().post(
                f"{self._url}/receipts/upload", data=form, headers=headers, **self._request_options()
            )
        )
        return _require_job(_json(answer)), answer.status_code == 200

    def telling_job(self, job: Job, database: str) -> Job:
        """Return the job that tells what became of the same receipt in the same database: a success, or the latest."""
        params = {"receipt_id": job["receipt_id"], "notion_database_id": database, "page_size": 1}
        for narrower in ({"status": "success"}, {}):
            found = _json(self._get(f"{self._url}/jobs/", params=params | narrower)).get("results")
            if found:
                return _require_job(found[0])
        return job

    def job(self, job_id: str, *, until: float = math.inf) -> tuple[Job, float]:
        """Return a job as it is now, and in how many seconds to ask again.

        Args:
            until: the moment, of the monotonic clock, up to which it may be tried.

        Raises:
            KeyRefused: it is never to be had with this key.
            NotTaken: it is not to be had now.
        """
        answer = self._get(f"{self._url}/jobs/{job_id}/", until=until)
        return _require_job(_json(answer)), _retry_after(answer, otherwise=FIRST_PAUSE_SECONDS)

    def _get(self, url: str, *, until: float = math.inf, **more: Any) -> requests.Response:
        return self._until_answered(
            lambda: self._session().get(url, **more, **self._request_options(until)), until=until
        )

    def _request_options(self, until: float = math.inf) -> dict[str, Any]:
        left = max(until - time.monotonic(), LEAST_SECONDS)
        # a redirect would take the key elsewhere, or turn an upload into a question
        return {"timeout": (min(CONNECT_SECONDS, left), min(ANSWER_SECONDS, left)), "allow_redirects": False}

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            session = requests.Session()
            session.trust_env = False  # a ~/.netrc would replace our Authorization
            session.proxies.update(get_environ_proxies(self._url))
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            session.headers.update(self._headers)
            self._own.session = session
        own: requests.Session = self._own.session
        return own

    def _until_answered(self, ask: Callable[[], requests.Response], *, until: float = math.inf) -> requests.Response:
        """Ask again while what is in the way may pass, as late as the service asks for; never after a refused key."""
        end, pause = min(time.monotonic() + self._patience, until), FIRST_PAUSE_SECONDS
        while self._key_refused is None:
            answer, trouble = _attempt(ask)
            if answer is not None and answer.status_code not in PASSING:
                return self._require_taken(answer)
            wait = _retry_after(answer, otherwise=pause * (1 + random.random() / 4))  # noqa: S311 - no secret
            if time.monotonic() + wait > end or self._stopping.wait(wait):
                raise _refusal(answer) if answer is not None else NotTaken("unreachable", f"No answer ({trouble}).")
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise self._key_refused

    def _require_taken(self, answer: requests.Response) -> requests.Response:
        if answer.status_code in (200, 202):
            return answer
        refused = _refusal(answer)
        if isinstance(refused, KeyRefused):
            self._key_refused = refused
            self.stop()
        raise refused


def _attempt(ask: Callable[[], requests.Response]) -> tuple[requests.Response | None, str]:
    try:
        return ask(), ""
    except requests.RequestException as error:
        return None, type(error).__name__


def _retry_after(answer: requests.Response | None, *, otherwise: float) -> float:
    """Return what `Retry-After` asks for in seconds, within reason."""
    seconds = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(float(seconds), LONGEST_PAUSE_SECONDS) if seconds.isascii() and seconds.isdecimal() else otherwise


def _require_service(answer: requests.Response) -> None:
    if answer.status_code in (KEY_REFUSED, 403):
        raise _key_not_taken(_refusal(answer))
    if answer.is_redirect:
        raise Misused(f"The address redirects to {answer.headers['Location']}: use that one.")
    if answer.status_code in PASSING:
        return  # it is there, and will say so later
    if answer.status_code != 200 or "results" not in _json(answer):
        raise Misused(f"There is no such service at this address (it answers {answer.status_code}).")


def _key_not_taken(refused: NotTaken) -> Misused:
    return Misused(f"The service does not take this API key ({refused.code}).")


def _require_job(job: Job) -> Job:
    if not {"job_id", "receipt_id", "status"} <= job.keys():
        raise NotTaken("not_understood", "Something else than the service answers.")
    return job


def _refusal(answer: requests.Response) -> NotTaken:
    """Return what a problem says (RFC 9457), or what there is where it is none."""
    problem = _json(answer)
    errors = problem.get("errors")
    fields = [str(text) for texts in errors.values() for text in texts] if isinstance(errors, dict) else []
    detail = " ".join(fields) or str(problem.get("detail") or f"It answers {answer.status_code}.")
    kind = KeyRefused if answer.status_code == KEY_REFUSED else NotTaken  # a 403 may be a firewall's, of one file
    return kind(str(problem.get("code") or f"http_{answer.status_code}"), detail)


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
