"""Puts the workflows into N8N through its public API, and makes one of them take receipts.

To install again does no harm: nothing is made twice, and what users changed stays, unless they say otherwise.
"""

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass

from jobs.n8n_api import PublicApi

from .activation import let_take_receipts
from .credentials import Credentials, chosen_in, listed, set_ours, wanted_by
from .error_workflow import ErrorWorkflow
from .listing import Row, known
from .remote import RemoteWorkflow, WorkflowState, remote_workflows
from .steps import InstallStep, refuse_several
from .workflows import REPORTER, Content


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
    for each in found.values():
        refuse_several(each)
    credentials = listed(api)
    for sentence in set_ours(api, credentials):
        yield InstallStep(sentence)
    reporter = found.pop(REPORTER)
    reporter_id = yield from _Installer(api, credentials, replace).bring(reporter)
    if not reporter.is_active:
        api.post(f"workflows/{reporter_id}/activate")
        yield InstallStep(f"Activated “{reporter.workflow.name}”.")
    installer = _Installer(api, credentials, replace, ErrorWorkflow(api, reporter_id))
    for each in found.values():
        yield from installer.bring(each)
    if activate:
        yield from let_take_receipts(api, activate)


@dataclass(frozen=True)
class _Installer:
    """Puts one workflow after the other into N8N.

    Attributes:
        credentials: that nodes may get.
        replace: the slugs of those that are made anew though they differ.
        error_workflow: that is to be called when one fails; None of the one that is called itself.
    """

    api: PublicApi
    credentials: Credentials
    replace: Collection[str]
    error_workflow: ErrorWorkflow | None = None

    def bring(self, found: RemoteWorkflow) -> Generator[InstallStep, None, str]:
        """Create, replace or complete a workflow, or leave it alone; return N8N's id of it."""
        name = found.workflow.name
        if found.state is WorkflowState.ABSENT:
            created = known(self.api.post("workflows", self._as_made(found)))
            yield InstallStep(f"Created “{name}”.")
            return str(created["id"])
        if found.workflow.slug in self.replace:
            self.api.put(f"workflows/{found.id}", self._as_made(found))
            yield InstallStep(f"Replaced “{name}”.")
            return found.id
        is_completed = yield from self._complete(found)
        if found.state is WorkflowState.OTHER:
            rest = "the rest of " if is_completed else ""
            yield InstallStep(f"Left {rest}“{name}” as it is: it differs from this version.", is_warning=True)
        return found.id

    def _complete(self, found: RemoteWorkflow) -> Generator[InstallStep, None, bool]:
        """Choose what is not chosen, where there is no choice of it; nothing else changes; return whether it did."""
        content, name = found.content, found.workflow.name
        nodes = [self._completed(node, found) for node in content["nodes"]]
        settings = self._missing_settings(content)
        if nodes == content["nodes"] and not settings:
            return False
        if found.has_draft:  # to save would be to publish it
            yield InstallStep(
                f"Left “{name}” as it is: somebody has changed it, and not published that yet.", is_warning=True
            )
            return False
        self.api.put(f"workflows/{found.id}", _written(content, nodes, settings))
        yield InstallStep(f"Completed “{name}”.")
        return True

    def _missing_settings(self, content: Content) -> Content:
        """Return the settings that one of N8N's workflows lacks; N8N keeps those that are not named."""
        if self.error_workflow is None or self.error_workflow.reports(content):
            return {}
        return self.error_workflow.settings

    def _completed(self, node: Content, found: RemoteWorkflow) -> Content:
        """Return one of N8N's nodes with what it lacks, as far as there is no choice."""
        rows = {kind: self.credentials.for_node(kind, wanted) for kind, wanted in found.lacking(node).items()}
        given = {kind: _reference(row) for kind, row in rows.items() if row}
        return {**node, "credentials": {**(node.get("credentials") or {}), **given}} if given else node

    def _as_made(self, found: RemoteWorkflow) -> Content:
        """Return our workflow as it is written into N8N; credentials that were chosen there stay."""
        content = found.workflow.content
        before = {node.get("name"): chosen_in(node) for node in found.content.get("nodes", [])}
        nodes = [self._equipped(node, before.get(node["name"], {})) for node in content["nodes"]]
        settings = content["settings"] | (self.error_workflow.settings if self.error_workflow else {})
        return _written(content, nodes, settings)

    def _equipped(self, node: Content, former: Content) -> Content:
        """Return our node with the credentials of its former self, or those that there is no choice of."""
        given = {}
        for kind, wanted in wanted_by(node).items():
            row = self.credentials.still(kind, former.get(kind)) or self.credentials.for_node(kind, wanted)
            given[kind] = _reference(row) if row else {"id": None, "name": wanted}
        return {**node, "credentials": given} if given else node


def _reference(row: Row) -> Content:
    return {"id": row["id"], "name": row["name"]}


def _written(content: Content, nodes: list[Content], settings: Content) -> Content:
    """Return what N8N takes of a workflow: id, active, meta and tags it refuses."""
    return {"name": content["name"], "nodes": nodes, "connections": content["connections"], "settings": settings}
