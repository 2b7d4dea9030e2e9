"""Why staff step in: no job is changed without that."""

from django.http import HttpRequest

from jobs.services import NotNow

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
