"""Puts the workflows into N8N through its public API, and makes one of them take receipts.

To install again does no harm: nothing is made twice, and what users changed stays, unless they say otherwise.
"""

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from jobs.n8n_api import ApiError, PublicApi

from .credentials import Credentials, chosen_in, listed, set_ours, wanted_by
from .error_workflow import ErrorWorkflow
from .listing import Row, known
from .path_conflict import find_path_conflict
from .remote import LISTENS_ELSEWHERE, RemoteWorkflow, State, remote_workflows
from .webhook import Reached, is_registered, knock
from .workflows import REPORTER, Content

PATIENCE_SECONDS = 15.0
PUT_BACK_SECONDS = 10.0
PAUSE_SECONDS = 0.5
NONE_NOW = "No workflow takes receipts now."


class NotInstalled(Exception):
    """What somebody has to put right in N8N first; the message says it."""


@dataclass(frozen=True)
class InstallStep:
    """Something that was done, or left undone for a reason.

    Attributes:
        sentence: that says it.
        is_warning: somebody should know.
    """

    sentence: str
    is_warning: bool = False


def install(api: PublicApi, *, replace: Collection[str] = (), activate: str = "") -> Iterator[InstallStep]:
    """Put the credentials and the workflows into N8N, and tell of each thing that was done.

    Args:
        replace: the slugs of those that are made anew though they differ; the credentials chosen in them stay.
        activate: the slug of the one that is to take receipts; "" leaves that as it is.

    Raises:
        ApiError: N8N did not do it.
        NotInstalled: it could not be told what is ours.
    """
    found = {each.workflow.slug: each for each in remote_workflows(api)}
    _refuse_several(list(found.values()))
    credentials = listed(api)
    for sentence in set_ours(api, credentials):
        yield InstallStep(sentence)
    reporter = found.pop(REPORTER)
    reporter_id = yield from _bring(api, reporter, credentials, None, replace)
    if not reporter.is_active:
        api.post(f"workflows/{reporter_id}/activate")
        yield InstallStep(f"Activated “{reporter.workflow.name}”.")
    error_workflow = ErrorWorkflow(api, reporter_id)
    for each in found.values():
        yield from _bring(api, each, credentials, error_workflow, replace)
    if activate:
        yield from let_take_receipts(api, activate)


def let_take_receipts(api: PublicApi, slug: str) -> Iterator[InstallStep]:
    """Activate one of those with the webhook, and no other of ours; return once the webhook answers.

    One in which a credential is left to choose is not activated: each receipt would fail for want of it; nor is one
    that listens elsewhere: none would come. Where it is active already, that is said.

    Raises:
        ApiError: N8N did not do it; what was active before is again, or the sentence says that nothing is.
        NotInstalled: it is not there yet, or is there several times.
    """
    found = [each for each in remote_workflows(api) if each.workflow.takes_receipts]
    chosen = next(each for each in found if each.workflow.slug == slug)
    if chosen.state is State.ABSENT:
        raise NotInstalled(f"N8N holds no workflow “{chosen.workflow.name}”: install the workflows first.")
    _refuse_several([chosen])
    if chosen.to_choose:
        yield InstallStep(_left_to_choose(chosen), is_warning=True)
        return
    if not chosen.listens:
        yield InstallStep(f"“{chosen.workflow.name}” {LISTENS_ELSEWHERE}", is_warning=True)
        return
    if not chosen.is_active:
        yield from _put_in_place(api, chosen, [each for each in found if each.is_active])
    yield _wait_for_webhook(until=api.ends)


def _left_to_choose(chosen: RemoteWorkflow) -> str:
    kinds = " and ".join(chosen.to_choose)
    how = "takes receipts, and they fail" if chosen.is_active else "does not take receipts yet"
    return (
        f"“{chosen.workflow.name}” {how}: open it in N8N, choose a credential of {kinds} in each "
        "node that asks for one, then choose the workflow here once more, and install again."
    )


def _put_in_place(api: PublicApi, chosen: RemoteWorkflow, rivals: list[RemoteWorkflow]) -> Iterator[InstallStep]:
    """Activate one, or have its rivals as they were.

    Raises:
        ApiError: N8N did not do it; the sentence says so where no workflow takes receipts now.
    """
    try:
        yield from _switch(api, chosen, rivals)
    except ApiError as refusal:
        more_time = api.over_in(PUT_BACK_SECONDS)  # whatever else took too long
        are_back = yield from _put_back(more_time, rivals)
        error = _with_who_has_the_path(api, refusal)
        if not rivals or are_back or knock(until=more_time.ends) is Reached.ANSWERS:
            raise error from None
        raise ApiError(f"{error.sentence} {NONE_NOW}", error.cure, status=error.status, said=error.said) from None


def _with_who_has_the_path(api: PublicApi, refusal: ApiError) -> ApiError:
    """Return a refusal that names the workflow for whose sake N8N refused, where it is known."""
    if refusal.status != HTTPStatus.CONFLICT:
        return refusal
    with suppress(ApiError):  # what went wrong first is what is told
        if holder := find_path_conflict(api):
            sentence = f"“{holder}”, which is none of ours, is active in N8N and has the path of N8N_WEBHOOK_URL."
            cure = f"Unpublish “{holder}” in N8N, or give its Webhook node another path."
            return ApiError(sentence, cure, status=refusal.status, said=refusal.said)
    return refusal


def _switch(api: PublicApi, chosen: RemoteWorkflow, rivals: list[RemoteWorkflow]) -> Iterator[InstallStep]:
    """Activate one; its webhook is everybody's, and N8N refuses it while another has it (409)."""
    for rival in rivals:
        api.post(f"workflows/{rival.id}/deactivate")
        yield InstallStep(f"Deactivated “{rival.workflow.name}”.")
    if rivals:
        _wait_while(lambda: is_registered(until=api.ends), until=api.ends)
    api.post(f"workflows/{chosen.id}/activate")
    yield InstallStep(f"Activated “{chosen.workflow.name}”.")


def _put_back(api: PublicApi, rivals: list[RemoteWorkflow]) -> Generator[InstallStep, None, bool]:
    """Activate each that was active, as far as N8N does it; return whether one is."""
    are_back = False
    for rival in rivals:
        with suppress(ApiError):  # what went wrong first is what is told
            api.post(f"workflows/{rival.id}/activate")
            are_back = True
            yield InstallStep(f"“{rival.workflow.name}” takes receipts again, as before.", is_warning=True)
    return are_back


def _wait_for_webhook(*, until: float) -> InstallStep:
    """Knock until the webhook answers: for a moment after an activation N8N does not know it yet."""
    _wait_while(lambda: knock(until=until) is Reached.NOT_REGISTERED, until=until)
    reached = knock(until=until)
    return InstallStep(reached.sentence, is_warning=reached is not Reached.ANSWERS)


def _wait_while(is_so: Callable[[], bool], *, until: float) -> None:
    """Return once it is no longer so, it has been for longer than N8N takes, or the time for everything is over."""
    deadline = min(time.monotonic() + PATIENCE_SECONDS, until)
    while is_so() and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)


def _refuse_several(found: list[RemoteWorkflow]) -> None:
    for each in found:
        if each.state is State.SEVERAL:
            raise NotInstalled(f"N8N holds {len(each.copies)} workflows called “{each.workflow.name}”: {each.too_many}")


def _bring(
    api: PublicApi,
    found: RemoteWorkflow,
    credentials: Credentials,
    error_workflow: ErrorWorkflow | None,
    replace: Collection[str],
) -> Generator[InstallStep, None, str]:
    """Create, replace or complete a workflow, or leave it alone; return N8N's id of it."""
    name, slug = found.workflow.name, found.workflow.slug
    if found.state is State.ABSENT:
        created = known(api.post("workflows", _as_made(found, credentials, error_workflow)))
        yield InstallStep(f"Created “{name}”.")
        return str(created["id"])
    if slug in replace:
        api.put(f"workflows/{found.id}", _as_made(found, credentials, error_workflow))
        yield InstallStep(f"Replaced “{name}”.")
        return found.id
    is_completed = yield from _complete(api, found, credentials, error_workflow)
    if found.state is State.OTHER:
        rest = "the rest of " if is_completed else ""
        yield InstallStep(f"Left {rest}“{name}” as it is: it differs from this version.", is_warning=True)
    return found.id


def _complete(
    api: PublicApi, found: RemoteWorkflow, credentials: Credentials, error_workflow: ErrorWorkflow | None
) -> Generator[InstallStep, None, bool]:
    """Choose what is not chosen, where there is no choice of it; nothing else changes; return whether that was done."""
    content, name = found.content, found.workflow.name
    nodes = [_completed(node, found, credentials) for node in content["nodes"]]
    # N8N keeps what is not named
    settings = error_workflow.settings if error_workflow and not error_workflow.reports(content) else {}
    if nodes == content["nodes"] and not settings:
        return False
    if found.has_draft:  # to save would be to publish it
        yield InstallStep(
            f"Left “{name}” as it is: somebody has changed it, and not published that yet.", is_warning=True
        )
        return False
    api.put(f"workflows/{found.id}", _written(content, nodes, settings))
    yield InstallStep(f"Completed “{name}”.")
    return True


def _completed(node: Content, found: RemoteWorkflow, credentials: Credentials) -> Content:
    """Return one of N8N's nodes with what it lacks, as far as there is no choice."""
    rows = {kind: credentials.for_node(kind, wanted) for kind, wanted in found.lacking(node).items()}
    given = {kind: _reference(row) for kind, row in rows.items() if row}
    return {**node, "credentials": {**(node.get("credentials") or {}), **given}} if given else node


def _as_made(found: RemoteWorkflow, credentials: Credentials, error_workflow: ErrorWorkflow | None) -> Content:
    """Return our workflow as it is written into N8N; credentials that were chosen there stay."""
    content = found.workflow.content
    before = {node.get("name"): chosen_in(node) for node in found.content.get("nodes", [])}
    nodes = [_equipped(node, before.get(node["name"], {}), credentials) for node in content["nodes"]]
    settings = content["settings"] | (error_workflow.settings if error_workflow else {})
    return _written(content, nodes, settings)


def _equipped(node: Content, former: Content, credentials: Credentials) -> Content:
    """Return our node with the credentials of its former self, or those that there is no choice of."""
    given = {}
    for kind, wanted in wanted_by(node).items():
        row = credentials.still(kind, former.get(kind)) or credentials.for_node(kind, wanted)
        given[kind] = _reference(row) if row else {"id": None, "name": wanted}
    return {**node, "credentials": given} if given else node


def _reference(row: Row) -> Content:
    return {"id": row["id"], "name": row["name"]}


def _written(content: Content, nodes: list[Content], settings: Content) -> Content:
    """Return what N8N takes of a workflow: id, active, meta and tags it refuses."""
    return {"name": content["name"], "nodes": nodes, "connections": content["connections"], "settings": settings}
