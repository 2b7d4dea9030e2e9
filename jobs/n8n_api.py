"""N8N's public API: what became of an execution, and the workflows that are there.

Source: https://docs.n8n.io/api/, and `/api/v1/openapi.yml` of an N8N 2.41.
"""

import json
import math
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

from django.conf import settings

from .answers import NO_JSON, Answer, json_of
from .causes import cause_of_delay
from .delivery_errors import OF_TLS, ErrorCode
from .executions import Execution, read_execution
from .texts import text
from .transport import WatchedSession

DEADLINE_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 3.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # read as JSON it takes up to nine times that
MAX_SAID = 300

RIGHT_ADDRESS = "See that N8N runs, and that N8N_BASE_URL is the address of its editor."
NOT_THE_API = "See that N8N_BASE_URL is the address of N8N's editor, and that its public API is not switched off."
RIGHT_KEY = "Make an API key in N8N (Settings, n8n API) and set N8N_PUBLIC_API_KEY to it."
MORE_SCOPES = "Let N8N's owner or an admin make the API key, with the scopes that docs/n8n.md names."
CURES = {401: RIGHT_KEY, 403: MORE_SCOPES, 404: NOT_THE_API}


class ApiError(Exception):
    """N8N's public API did not do what it was asked for.

    Attributes:
        sentence: what went wrong.
        cure: what somebody should do, in one sentence.
        status: the HTTP status; 0 where no answer came.
        said: N8N's own message, where it gave one.
    """

    def __init__(self, sentence: str, cure: str, *, status: int = 0, said: str = "") -> None:
        super().__init__(f"{sentence} {cure}")
        self.sentence = sentence
        self.cure = cure
        self.status = status
        self.said = said

    @property
    def in_our_words(self) -> str:
        """What went wrong, without a word of whatever answered."""
        return f"N8N's API answered {self.status}." if self.said else self.sentence


class OutOfTime(ApiError):
    """The time for all calls was over before this one was answered."""

    def __init__(self) -> None:
        super().__init__("N8N took too long for all that it was asked for.", "See whether N8N is overloaded.")


@dataclass(frozen=True, kw_only=True)
class PublicApi:
    """The API of one N8N; each call connects anew, and is over within the deadline.

    Args:
        base_url: the address of N8N's editor, without a slash at its end.
        key: of the API.
        deadline: seconds that one call may take in all.
        ends: when all calls are to be over (time.monotonic()); none begins later.
    """

    base_url: str
    key: str
    deadline: float = DEADLINE_SECONDS
    ends: float = math.inf

    def over_in(self, seconds: float) -> Self:
        """Return the same, all of whose calls are over within so many seconds from now."""
        return replace(self, ends=time.monotonic() + seconds)

    def get(self, path: str, **query: str | int) -> Any:
        """Return what is at a path, such as `workflows`; raises `ApiError`, as all calls do."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        """Create something, or have something done."""
        return self.call("POST", path, body=body)

    def put(self, path: str, body: Any) -> Any:
        """Replace what is at a path."""
        return self.call("PUT", path, body=body)

    def execution(self, execution_id: str, *, with_error: bool = False) -> Execution:
        """Return how an execution stands.

        Args:
            execution_id: as the webhook or the workflow told it.
            with_error: what it failed of, too. N8N then sends all that was in the workflow, pictures among it, which
                may be more than is read.
        """
        query: dict[str, str | int] = {"includeData": "true"} if with_error else {}
        found = self.call("GET", f"executions/{quote(execution_id, safe='')}", query=query)
        return read_execution(found, execution_id)

    def call(self, method: str, path: str, *, query: dict[str, str | int] | None = None, body: Any = None) -> Any:
        """Make one call and return the JSON that it was answered with; None where the answer is 204.

        Args:
            method: of HTTP.
            path: below `/api/v1/`; what is not ours in it must be quoted.
            query: the parameters.
            body: what is sent as JSON; None for nothing.

        Raises:
            OutOfTime: no answer, for all calls were to be over by then.
            ApiError: no answer, not this one, or one of more than `MAX_ANSWER_BYTES`.
        """
        seconds = min(self.deadline, self.ends - time.monotonic())
        if seconds <= 0:
            raise OutOfTime
        with WatchedSession(self.base_url) as session:
            answer = session.exchange(
                method,
                f"{self.base_url}/api/v1/{path}",
                params=query,
                data=None if body is None else json.dumps(body),
                headers={"X-N8N-API-KEY": self.key, "Accept": "application/json", "Content-Type": "application/json"},
                seconds=seconds,
                connect_seconds=CONNECT_TIMEOUT_SECONDS,
                max_bytes=MAX_ANSWER_BYTES,
            )
        if answer.error:
            raise OutOfTime() if time.monotonic() >= self.ends else _no_answer(answer.error)
        return _content(answer)


def public_api(*, deadline: float = DEADLINE_SECONDS) -> PublicApi | None:
    """Return the API that the settings name; None where `N8N_BASE_URL` and `N8N_PUBLIC_API_KEY` are not both set."""
    if not settings.N8N_BASE_URL or not settings.N8N_PUBLIC_API_KEY:
        return None
    return PublicApi(base_url=settings.N8N_BASE_URL, key=settings.N8N_PUBLIC_API_KEY, deadline=deadline)


def _content(answer: Answer) -> Any:
    """Return what an answer says.

    Raises:
        ApiError: that is not what was asked for.
    """
    if not 200 <= answer.status < 300:
        raise _refusal(answer)
    if answer.status == HTTPStatus.NO_CONTENT:
        return None
    if answer.goes_on:
        raise ApiError("N8N's API answered with more than is read.", RIGHT_ADDRESS, status=answer.status)
    content = json_of(answer)
    if content is NO_JSON:
        raise ApiError("What answered is not N8N's API.", NOT_THE_API, status=answer.status)
    return content


def _refusal(answer: Answer) -> ApiError:
    status = answer.status
    if 300 <= status < 400:
        sentence = f"N8N_BASE_URL redirects elsewhere ({status})."
        return ApiError(sentence, "Set N8N_BASE_URL to the address that it leads to.", status=status)
    said = text(json_of(answer), "message")[:MAX_SAID].rstrip(".")
    sentence = f"N8N's API answered {status}: {said}." if said else f"N8N's API answered {status}."
    return ApiError(sentence, CURES.get(status, "See what N8N's log says of it."), status=status, said=said)


def _no_answer(error: ErrorCode) -> ApiError:
    cure = cause_of_delay(error).cure if error in OF_TLS else RIGHT_ADDRESS
    return ApiError(error.label, cure)
