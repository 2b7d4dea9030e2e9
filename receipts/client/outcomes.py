"""What became of each file, in a word, for people and for programs."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from .refusals import FILE_CHANGED, NotTaken

WIDTH = 13


class OutcomeKind(StrEnum):
    """What became of a file."""

    FILED = "filed"
    ALREADY_FILED = "already filed"
    TAKEN = "taken"  # it is on its way
    ALREADY_TAKEN = "already taken"
    FAILED = "failed"
    REFUSED = "refused"  # the service did not take it, or could not be reached
    CHANGED = "changed"  # what lies there now has not been filed, and is taken the next time


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one file.

    Args:
        sha256: the digest of what it held when it was read.
    """

    path: Path
    kind: OutcomeKind
    sha256: str = ""
    job_id: str = ""
    code: str = ""
    detail: str = ""
    page: str = ""

    def is_good(self, *, is_waited_for: bool) -> bool:
        """Tell whether nobody need look after it."""
        on_its_way = () if is_waited_for else (OutcomeKind.TAKEN, OutcomeKind.ALREADY_TAKEN)
        return self.kind in (OutcomeKind.FILED, OutcomeKind.ALREADY_FILED, *on_its_way)

    def line(self) -> str:
        """Say it to people."""
        reason = f"{self.detail} ({self.code})" if self.code else self.detail
        about = reason or self.page or self.job_id
        return f"{self.kind:{WIDTH}}  {self.path}  {about}".rstrip()

    def json(self) -> str:
        """Say it to programs."""
        facts = {"file": str(self.path), "outcome": self.kind, "job_id": self.job_id, "notion_page_url": self.page}
        return json.dumps(facts | {"code": self.code, "detail": self.detail})


def outcome_of(path: Path, job: dict[str, Any], *, sha256: str, was_known: bool) -> Outcome:
    """Return what a job says of its file."""
    kind = {
        "success": OutcomeKind.ALREADY_FILED if was_known else OutcomeKind.FILED,
        "failure": OutcomeKind.FAILED,
    }.get(job["status"], OutcomeKind.ALREADY_TAKEN if was_known else OutcomeKind.TAKEN)
    return Outcome(
        path=path,
        kind=kind,
        sha256=sha256,
        job_id=job["job_id"],
        code=job.get("failure_code") or "",
        detail=(job.get("result_message") or "") if kind == OutcomeKind.FAILED else "",
        page=job.get("notion_page_url") or "",
    )


def refusal_of(path: Path, refused: NotTaken) -> Outcome:
    """Return what is to be said of a file that was not taken."""
    kind = OutcomeKind.CHANGED if refused.code == FILE_CHANGED else OutcomeKind.REFUSED
    return Outcome(path=path, kind=kind, code=refused.code, detail=refused.detail)


def still_being_written(path: Path) -> Outcome:
    """Return what is to be said of a file that is still being written."""
    return refusal_of(path, NotTaken(FILE_CHANGED, "It is still being written; it is taken the next time."))


def untold(outcome: Outcome, refused: NotTaken) -> Outcome:
    """Return what is to be said of a file of which the service tells no more."""
    return replace(outcome, code=refused.code, detail=refused.detail)


def changed_since(outcome: Outcome) -> Outcome:
    """Return what is to be said of a filed file in whose place there is another now."""
    detail = "It was filed, but was changed meanwhile; what is there now is taken the next time."
    return replace(outcome, kind=OutcomeKind.CHANGED, code=FILE_CHANGED, detail=detail)
