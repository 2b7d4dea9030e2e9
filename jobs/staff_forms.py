"""Forms by which staff step in: the reason that one brings, and what they are told of what became of many jobs."""

from django.contrib import messages
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from .services import NotNow, Seen
from .services.bulk import VERBS, BulkOutcome

LONGEST = 200


def reason_in(request: HttpRequest) -> str:
    """Return the reason that a form brings.

    Raises:
        NotNow: it brings none.
    """
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:LONGEST]
    if not reason:
        raise NotNow("Give a reason: it is kept with the job.")
    return reason


def seen_in(request: HttpRequest) -> Seen | None:
    """Return what of a job its page showed when the form was drawn; None where the form does not say."""
    status, attempts = request.POST.get("status", ""), request.POST.get("attempts", "")
    return Seen(status, int(attempts) if attempts.isdecimal() else None) if status else None


def tell_outcome(request: HttpRequest, verb: str, outcome: BulkOutcome, number: int) -> None:
    """Say how many were changed, how many were left alone, and why, and of which neither is known.

    Args:
        number: of those that were chosen.
    """
    if outcome.done:
        messages.success(request, f"{VERBS[verb].done}: {outcome.done} of {number} job{pluralize(number)}.")
    elif not outcome.not_known:
        messages.warning(request, "Nothing was changed.")
    for job_id in outcome.not_known:
        messages.warning(request, f"Whether job {job_id} was changed is not known: the connection broke.")
    for sentence, left in sorted(outcome.left_alone.items()):
        messages.warning(request, f"Left {left} alone: {sentence}")
