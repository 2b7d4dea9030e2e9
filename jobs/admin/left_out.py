"""What a search left out: Django hands a search's rows on, and has no place for the sentence that belongs to them."""

from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.models import JobLog
from jobs.search import search

PLACE = "_left_out"


def searched(request: HttpRequest, jobs: QuerySet[JobLog], text: str) -> QuerySet[JobLog]:
    """Return what the text means, and keep what `left_out` says of it with the request."""
    found = search(jobs, text)
    setattr(request, PLACE, found.left_out)
    return found.jobs


def left_out(request: HttpRequest) -> str:
    """Return the sentence that says so, where the search of this request found not all that fit."""
    return str(getattr(request, PLACE, ""))
