"""The operations page: what waits, what went wrong, what to do about it, and whether what does the work is alive."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounting.admin_site.access import staff_actions
from accounting.clock import database_now
from accounting.staff import staff_of
from jobs.models import JobLog
from jobs.periods import PERIODS, Period, period_figures
from jobs.services import NotNow, operate_on_all
from jobs.services.bulk import AT_ONCE
from jobs.staff_forms import reason_in, tell_outcome

from .attention import AttentionKind, count_failed_earlier, groups, jobs_of, verb_for
from .cards import cards, open_jobs
from .component_status import component_statuses
from .trends import charts

LATEST_ACTIONS = 8


def context_for(request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows to this user: without the permission to see jobs, no figure of them."""
    context: dict[str, Any] = {}
    if request.user.has_perm("jobs.view_joblog"):
        context |= _figures_context(_chosen_period(request.GET.get("period", "")), database_now())
        context["may_operate"] = request.user.has_perm("jobs.operate_joblog")
    if request.user.has_perm("admin.view_logentry"):
        entries = staff_actions(request).select_related("user", "content_type").order_by("-pk")  # no index has times
        context["actions"] = list(entries[:LATEST_ACTIONS])
    return context


def operate_on_group(request: HttpRequest, kind: str, code: str) -> HttpResponse:
    """Retry a group, or send it again, for the reason that the form brings; as many as can be done at once.

    Raises:
        PermissionDenied: it is no POST, or the user may not.
        Http404: there is nothing that staff could do with such a group.
    """
    if request.method != "POST" or not request.user.has_perm("jobs.operate_joblog"):
        raise PermissionDenied
    verb = verb_for(kind, code)
    if not verb:
        raise Http404
    try:
        _operate(request, verb, jobs_of(AttentionKind(kind), code, database_now()), reason_in(request))
    except NotNow as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(reverse("admin:index"))


def _operate(request: HttpRequest, verb: str, jobs: QuerySet[JobLog], reason: str) -> None:
    number = jobs.count()
    outcome = operate_on_all(verb, jobs.values_list("pk", flat=True)[:AT_ONCE], staff_of(request), reason)
    tell_outcome(request, verb, outcome, number)
    if number > AT_ONCE:
        messages.warning(request, f"Left {number - AT_ONCE} for the next time: no more than {AT_ONCE} go at once.")


def _figures_context(period: Period, now: datetime) -> dict[str, Any]:
    needs = groups(now)
    overdue = {group.code: group.count for group in needs if group.kind is AttentionKind.OVERDUE}
    delayed = sum(group.count for group in needs if group.kind is AttentionKind.DELAYED)
    figures = period_figures(period, now)
    return {
        "now": now,
        "periods": PERIODS,
        "figures": figures,
        "cards": cards(figures, open_jobs(), overdue, delayed, now),
        "charts": charts(figures),
        "groups": needs,
        "failed_earlier": count_failed_earlier(now),
        "at_once": AT_ONCE,
        "components": component_statuses(now),
        "first_upload": _first_upload_address(),
    }


def _first_upload_address() -> str:
    """Return where the first receipt may be sent; "" once there is one."""
    if JobLog.objects.filter(is_canary=False).exists():
        return ""
    return f"{settings.PUBLIC_BASE_URL}{reverse('receipt-upload')}"


def _chosen_period(name: str) -> Period:
    return next((period for period in PERIODS if period.name == name), PERIODS[0])
