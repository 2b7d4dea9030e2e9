"""What N8N's public API lists, from the first page to the last, and what it made; each with an id and a name."""

import time
from dataclasses import replace
from typing import Any

from jobs.n8n_api import NOT_THE_API, ApiError, PublicApi

A_PAGE, MAX_PAGES = 250, 40
LEAST_SECONDS = 0.1  # that a page gets, however late it is

Row = dict[str, Any]


def rows(api: PublicApi, path: str, **query: str) -> list[Row]:
    """Return what a list holds; all its pages together are over within the deadline of one call.

    Raises:
        ApiError: N8N did not say, or what answered is no list of N8N's.
    """
    found: list[Row] = []
    cursor: dict[str, str] = {}
    ends = time.monotonic() + api.deadline
    for _ in range(MAX_PAGES):
        answer = with_deadline_at(api, ends).get(path, limit=A_PAGE, **query, **cursor)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            break
        found += [known(each) for each in answer["data"]]
        if not answer.get("nextCursor"):
            return found
        cursor = {"cursor": answer["nextCursor"]}
    raise ApiError("What answered is no list of N8N's.", NOT_THE_API)


def with_deadline_at(api: PublicApi, ends: float) -> PublicApi:
    """Return the API with a deadline that is over when `ends` is (time.monotonic()), or almost at once."""
    return replace(api, deadline=max(ends - time.monotonic(), LEAST_SECONDS))


def known(answer: Any) -> Row:
    """Return what was answered, if N8N may have said so of something that it keeps.

    Raises:
        ApiError: it has no id, or no name.
    """
    if isinstance(answer, dict) and all(answer.get(own) and isinstance(answer[own], str) for own in ("id", "name")):
        return answer
    raise ApiError("What answered is nothing that N8N keeps.", NOT_THE_API)
