"""Makes one of the workflows take receipts, in the place of whichever does; where that fails, the former goes on."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from http import HTTPStatus

from jobs.n8n_api import ApiError, PublicApi

from .path_conflict import find_path_conflict
from .remote import LISTENS_ELSEWHERE, RemoteWorkflow, WorkflowState, remote_workflows
from .steps import InstallStep, NotInstalled, refuse_several
from .webhook import Reached, is_registered, knock

PATIENCE_SECONDS = 15.0
PUT_BACK_SECONDS = 10.0
PAUSE_SECONDS = 0.5
NONE_NOW = "No workflow takes receipts now."


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
    if chosen.state is WorkflowState.ABSENT:
        raise NotInstalled(f"N8N holds no workflow “{chosen.workflow.name}”: install the workflows first.")
    refuse_several(chosen)
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
    stands = f"“{chosen.workflow.name}” {how}:"
    if chosen.is_to_be_published:
        return f"{stands} a credential of {kinds} is chosen, but not published. Publish it in N8N."
    publish = ", publish it" if chosen.is_active else ""
    return (
        f"{stands} open it in N8N, choose a credential of {kinds} in each node that asks for one{publish}, "
        "then choose the workflow here once more, and install again."
    )


def _put_in_place(api: PublicApi, chosen: RemoteWorkflow, rivals: list[RemoteWorkflow]) -> Iterator[InstallStep]:
    """Activate one, or have its rivals as they were.

    Raises:
        ApiError: N8N did not do it; the sentence says so where no workflow takes receipts now.
    """
    _see_that_it_may_be_put_back(api, rivals)
    try:
        yield from _switch(api, chosen, rivals)
    except ApiError as refusal:
        more_time = api.over_in(PUT_BACK_SECONDS)  # whatever else took too long
        are_back = yield from _put_back(more_time, rivals)
        error = _with_who_has_the_path(api, refusal)
        if not rivals or are_back or knock(until=more_time.ends) is Reached.ANSWERS:
            raise error from None
        raise ApiError(f"{error.sentence} {NONE_NOW}", error.cure, status=error.status, said=error.said) from None


def _see_that_it_may_be_put_back(api: PublicApi, rivals: list[RemoteWorkflow]) -> None:
    """Activate each as it is: a key that may only deactivate would leave none on the air.

    N8N takes its webhook away for a moment for it, as it will with the switch.

    Raises:
        ApiError: N8N forbids it.
    """
    for rival in rivals:
        try:
            _activate_as_it_was(api, rival)
        except ApiError as refusal:
            if refusal.status == HTTPStatus.FORBIDDEN:
                raise  # of all else the switch will tell


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
            _activate_as_it_was(api, rival)
            are_back = True
            yield InstallStep(f"“{rival.workflow.name}” takes receipts again, as before.", is_warning=True)
    return are_back


def _activate_as_it_was(api: PublicApi, rival: RemoteWorkflow) -> None:
    """Activate what was published of it; unless it is named, N8N publishes its draft."""
    published = rival.content.get("activeVersionId")
    api.post(f"workflows/{rival.id}/activate", {"versionId": published} if published else None)


def _wait_for_webhook(*, until: float) -> InstallStep:
    """Knock until the webhook answers: for a moment after an activation N8N does not know it yet."""
    _wait_while(lambda: knock(until=until) is Reached.NOT_REGISTERED, until=until)
    reached = knock(until=until)
    return InstallStep(reached.value, is_warning=reached is not Reached.ANSWERS)


def _wait_while(is_so: Callable[[], bool], *, until: float) -> None:
    """Return once it is no longer so, it has been for longer than N8N takes, or the time for everything is over."""
    deadline = min(time.monotonic() + PATIENCE_SECONDS, until)
    while is_so() and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
