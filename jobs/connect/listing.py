"""Lists of N8N's public API, from their first page to their last."""

from typing import Any

from jobs.n8n_api import NOT_THE_API, ApiError, PublicApi

A_PAGE, MOST_PAGES = 250, 40

Row = dict[str, Any]


def rows(api: PublicApi, path: str, **query: str) -> list[Row]:
    """Return what a list holds.

    Raises:
        ApiError: N8N did not say, or what answered is no list of N8N's.
    """
    found: list[Row] = []
    cursor: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        answer = api.get(path, limit=A_PAGE, **query, **cursor)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            break
        found += answer["data"]
        if not answer.get("nextCursor"):
            return found
        cursor = {"cursor": answer["nextCursor"]}
    raise ApiError("What answered is no list of N8N's.", NOT_THE_API)
