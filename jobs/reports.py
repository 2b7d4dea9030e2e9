"""What a job's events tell that the job does not carry: pages and executions that N8N named besides, and requests."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from receipts.notion import parse_sought_id

from .models import JobEvent
from .texts import safe_link

LOOKED_THROUGH = 100_000  # events, the newest: about as many as 20,000 jobs have
MOST = 1_000  # jobs
# of an execution or a request: a number, or letters with one; no amount and no day
IDENTIFIER = re.compile(r"[0-9]{1,128}|(?=.*[0-9])(?=.*[^0-9.])[\w.:-]{1,128}", re.ASCII)


class Page(NamedTuple):
    """A page in Notion as a report named it; `link` is empty where it must be none."""

    address: str
    link: str


class Told(NamedTuple):
    """The jobs of which recent events tell; and whether there are older events, which may."""

    jobs: list[UUID]
    are_older: bool


def jobs_told_of(text: str, page_ids: Iterable[str]) -> Told:
    """Return the jobs of which a recent event names that execution or request, or one of these pages.

    Args:
        text: what may be an execution's id at N8N, or an upload's `X-Request-ID`.
        page_ids: of Notion, as an address may have them.
    """
    told = Q(detail__execution_id=text) | Q(detail__request_id=text) if IDENTIFIER.fullmatch(text) else Q()
    for page_id in page_ids:
        told |= Q(detail__notion_page_url__icontains=page_id)
    if not told:
        return Told([], are_older=False)
    newest = JobEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    recent = JobEvent.objects.filter(pk__gt=newest - LOOKED_THROUGH).order_by()
    jobs = list(recent.filter(told).values_list("job", flat=True)[:MOST])
    return Told(jobs, are_older=newest > LOOKED_THROUGH)


def pages_named_in(events: Iterable[JobEvent]) -> list[Page]:
    """Return the pages that the events name, each once, however its address is written."""
    named: dict[str, Page] = {}
    for address in (str(event.told.get("notion_page_url", "")) for event in events):
        named.setdefault(_identity(address), Page(address, safe_link(address)))
    return [page for identity, page in named.items() if identity]


def _identity(address: str) -> str:
    try:
        return parse_sought_id(address)
    except ValueError:
        return address
