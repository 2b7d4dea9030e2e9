"""Many jobs at once: first a page that says how many each verb would touch and asks why, then the verb."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounting.staff import staff_of
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.services import NotNow, operate_on_all
from jobs.services.bulk import AT_ONCE, VERBS
from jobs.staff_forms import reason_in, tell_outcome

from .left_out import left_out

THOSE = {JobLog.Status.FAILURE: "have failed", JobLog.Status.QUEUED: "are queued"}


def confirmation_page(model_admin: Any, request: HttpRequest, chosen: QuerySet[JobLog], verb: str) -> HttpResponse:
    """Return the page between choosing and doing."""
    found = list(chosen.values_list("pk", "status", "failure_code")[: AT_ONCE + 1])
    jobs = found[:AT_ONCE]
    statuses = Counter(status for _, status, _ in jobs)
    cancelled = sum(code == FailureCode.CANCELLED for _, _, code in jobs)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Many jobs at once",
        "opts": model_admin.opts,
        "verb": verb,
        "verbs": [(name, each.label, statuses[each.touches], THOSE[each.touches]) for name, each in VERBS.items()],
        "cancelled": cancelled,
        "are_all_cancelled": cancelled == statuses.total(),  # whoever chose those means them
        "number": len(jobs),
        "at_once": AT_ONCE,
        "are_more": len(found) > AT_ONCE,
        "ids": " ".join(str(pk) for pk, _, _ in jobs),
        "left_out": left_out(request) if request.POST.get("select_across") == "1" else "",
        "filters": request.GET.urlencode(),
    }
    return TemplateResponse(request, "admin/jobs/joblog/bulk.html", context)


def operate_on_chosen(request: HttpRequest) -> HttpResponse:
    """Do what the page was sent off with, and say how many were left alone, and why."""
    verb, ids = request.POST.get("verb", ""), _ids(request.POST.get("jobs", ""))
    if verb not in VERBS or len(ids) > AT_ONCE:
        raise PermissionDenied
    try:
        cancelled_too = "cancelled_too" in request.POST
        outcome = operate_on_all(verb, ids, staff_of(request), reason_in(request), cancelled_too=cancelled_too)
    except NotNow as refusal:
        messages.error(request, f"Nothing was changed. {refusal}")
    else:
        tell_outcome(request, verb, outcome, len(ids))
    return HttpResponseRedirect(f"{reverse('admin:jobs_joblog_changelist')}?{request.GET.urlencode()}")


def _ids(text: str) -> set[UUID]:
    try:
        return {UUID(written) for written in text.split()}
    except ValueError:
        raise PermissionDenied from None
