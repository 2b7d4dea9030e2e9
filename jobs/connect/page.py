"""The admin's page "Connect N8N": what is set, the workflows, what is left to do, and a test that shows each step."""

import json
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounting.clock import database_now
from accounting.staff import log_action, staff_of
from jobs import canary, live
from jobs.models import JobEvent
from jobs.n8n_api import ApiError, PublicApi, public_api

from . import staff_install
from .connection_test import ConnectionTest, latest_connection_test
from .credentials import ours
from .error_workflow import ErrorWorkflow
from .notion import properties
from .path_conflict import find_path_conflict
from .remote import LISTENS_ELSEWHERE, RemoteWorkflow, WorkflowState, remote_workflows
from .settings_in_force import settings_in_force
from .workflows import PURPOSES, TRIAL, webhook_path, workflow, workflows

SEE, TEST, INSTALL = "jobs.view_joblog", "jobs.operate_joblog", "jobs.install_workflows"
PATIENCE_SECONDS = 3.0  # somebody waits for the page
TEMPLATE = "admin/connect/page.html"
PART = "admin/connect/test.html"


@require_safe
@permission_required(SEE, raise_exception=True)
def show(request: HttpRequest) -> HttpResponse:
    """Show the page; to its script, how the test stands.

    Raises:
        PermissionDenied: the user may not see jobs.
    """
    connection_test = latest_connection_test(database_now())
    version = live.version_of([_seen_of(connection_test)])
    if live.is_known(request, version):
        return HttpResponseNotModified()
    context: dict[str, Any] = {
        "connection_test": connection_test,
        "ahead": connection_test.ahead if connection_test else list(canary.Stage),
        "may_test": request.user.has_perm(TEST),
    }
    if live.ASKS_AGAIN not in request.headers:
        context |= {**admin.site.each_context(request), "title": "Connect N8N", **_guide(request)}
    return live.answer(request, TemplateResponse(request, TEMPLATE, context), version, PART)


@require_POST
@permission_required(TEST, raise_exception=True)
def test(request: HttpRequest) -> HttpResponse:
    """Send a canary.

    Raises:
        PermissionDenied: the user may not.
    """
    try:
        job = canary.send(source=JobEvent.Source.ADMIN, actor=request.user.get_username())
    except OSError as error:
        messages.error(request, f"Nothing was sent. {canary.why_not_stored(error)}")
    else:
        log_action(request.user, job, "sent to test N8N", flag=ADDITION)
    return HttpResponseRedirect(f"{reverse('admin:connect')}#test")


@require_POST
@permission_required(INSTALL, raise_exception=True)
def install(request: HttpRequest) -> HttpResponse:
    """Put the workflows into N8N, and let the chosen one take receipts.

    Raises:
        PermissionDenied: the user may not.
        Http404: there is no such workflow.
    """
    activate, replace = request.POST.get("activate", ""), request.POST.getlist("replace")
    if activate not in {"", *_taking_receipts()} or not set(replace) <= set(PURPOSES):
        raise Http404
    outcome = staff_install.install_for_staff(staff_of(request), replace=replace, activate=activate)
    for message in outcome:
        messages.add_message(request, message.level, message.message)
    kept = f"?activate={activate}" if activate and any(each.level != messages.SUCCESS for each in outcome) else ""
    return HttpResponseRedirect(reverse("admin:connect") + kept)  # whoever presses again means the same one


@require_safe
@permission_required(INSTALL, raise_exception=True)
def download(request: HttpRequest, slug: str) -> HttpResponse:
    """Hand out a workflow made for this installation: it holds the webhook's path, and no secret.

    Raises:
        PermissionDenied: the user may not.
        Http404: there is no such workflow.
    """
    if slug not in PURPOSES:
        raise Http404
    answer = HttpResponse(json.dumps(workflow(slug).content, indent=2), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{slug}.json"'
    return answer


def _taking_receipts() -> list[str]:
    """Return the slugs of those that somebody may let take receipts."""
    return [each.slug for each in workflows() if each.takes_receipts]


def _seen_of(connection_test: ConnectionTest | None) -> object:
    return connection_test and (
        str(connection_test.job.pk),
        connection_test.verdict,
        connection_test.tries,
        len(connection_test.steps),
        connection_test.cause,
        connection_test.is_watched,
    )


def _guide(request: HttpRequest) -> dict[str, Any]:
    may_install = request.user.has_perm(INSTALL)
    return {
        "may_install": may_install,
        "settings_in_force": settings_in_force(whole=may_install),
        "workflows": workflows(),
        "path": webhook_path() if may_install else "",
        "credentials": [own.name for own in ours(may_restrict=False)],
        "properties": properties(),
        **_in_n8n(request.GET.get("activate", "")),
    }


def _in_n8n(last_chosen: str) -> dict[str, Any]:
    """Return what N8N says of the workflows, where it can be asked.

    Args:
        last_chosen: the slug of the one that was to take receipts the last time; "" or anything else for none.
    """
    api = public_api(deadline=PATIENCE_SECONDS)
    if api is None:
        return {"can_ask": False}
    in_time = api.over_in(PATIENCE_SECONDS)
    try:
        found = remote_workflows(api)
    except ApiError as error:
        return {"can_ask": True, "trouble": error}
    context = {"can_ask": True, "remote_workflows": found, **_summary(found)}
    if last_chosen in _taking_receipts():
        context["chosen"] = last_chosen
    return context | ({"unheard": _unheard(in_time, found)} if context["takes"] else {"holder": _holder(in_time)})


def _unheard(api: PublicApi, found: list[RemoteWorkflow]) -> list[RemoteWorkflow]:
    """Return those that take receipts and call nobody when they fail."""
    reporter = next(each for each in found if not each.workflow.takes_receipts)
    error_workflow = ErrorWorkflow(api, reporter.id)
    taking = (each for each in found if each.workflow.takes_receipts and each.is_active)
    return [each for each in taking if not error_workflow.reports(each.content)]


def _holder(api: PublicApi) -> str:
    try:
        return find_path_conflict(api)
    except ApiError:  # the page tells of the rest
        return ""


def _summary(found: list[RemoteWorkflow]) -> dict[str, Any]:
    """Return which takes receipts, what is left to do, and which steps are done."""
    taking = next((each for each in found if each.workflow.takes_receipts and each.is_active and each.listens), None)
    return {
        "takes": taking is not None,
        "chosen": (taking or found[0]).workflow.slug,
        "is_installed": all(each.state is not WorkflowState.ABSENT for each in found),
        "to_choose": [each for each in found if each.to_choose],
        "listens_elsewhere": LISTENS_ELSEWHERE,
        "are_in_place": taking is not None
        and all(each.state is not WorkflowState.SEVERAL for each in found)
        and all(each.is_active for each in found if not each.workflow.takes_receipts),
        "files_nothing": taking is not None and taking.workflow.slug == TRIAL,
    }
