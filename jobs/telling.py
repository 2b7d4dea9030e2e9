"""What staff are told of what they did to many jobs."""

from django.contrib import messages
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from jobs.services.bulk import DONE, Outcome


def tell(request: HttpRequest, verb: str, outcome: Outcome, number: int) -> None:
    """Say how many were changed, and how many were left alone, and why.

    Args:
        number: of those that were chosen.
    """
    if outcome.done:
        messages.success(request, f"{DONE[verb]}: {outcome.done} of {number} job{pluralize(number)}.")
    else:
        messages.warning(request, "Nothing was changed.")
    for sentence, left in sorted(outcome.left_alone.items()):
        messages.warning(request, f"Left {left} alone: {sentence}")
