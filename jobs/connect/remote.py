"""What of ours is in N8N, and how it stands there."""

import time
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from django.conf import settings

from jobs.n8n_api import NOT_THE_API, ApiError, PublicApi

from .credentials import Credentials, chosen_in, listed, wanted_by
from .listing import Row, rows, with_deadline_at
from .path_conflict import listens, nodes_at_work
from .workflows import Content, Workflow, version_in, workflows

LISTENS_ELSEWHERE = (
    "gets no receipts: its Webhook node has another path than N8N_WEBHOOK_URL or another method than POST, or is off. "
    "Put that right in N8N and publish it; or tick Replace, and install; or set N8N_WEBHOOK_URL to the address that "
    "the node shows."
)
FIRST_WORD = "Receipts:"  # of all our names; N8N lists the workflows that have it in theirs
KINDS = {
    "httpHeaderAuth": "Header Auth",
    "crypto": "Crypto",
    "notionApi": "Notion",
    "openAiApi": "OpenAI",
    "anthropicApi": "Anthropic",
    "googlePalmApi": "Google Gemini",
}


class WorkflowState(StrEnum):
    """How a workflow of ours stands in N8N."""

    ABSENT = "absent"  # there is none of its name
    CURRENT = "current"  # it came from this version; what users changed in it since is theirs
    OTHER = "other"  # it came from another version, or from elsewhere
    SEVERAL = "several"  # there is more than one of its name


@dataclass(frozen=True)
class RemoteWorkflow:
    """A workflow of ours, what N8N holds under its name, and the credentials that its nodes may refer to."""

    workflow: Workflow
    copies: list[Content]
    credentials: Credentials

    @property
    def state(self) -> WorkflowState:
        """Return how it stands."""
        if not self.copies:
            return WorkflowState.ABSENT
        if len(self.copies) > 1:
            return WorkflowState.SEVERAL
        return WorkflowState.CURRENT if version_in(self.content) == self.workflow.version else WorkflowState.OTHER

    @property
    def content(self) -> Content:
        """Return what N8N holds, of several one that is active; nothing where it holds none."""
        return self.copies[0] if self.copies else {}

    @property
    def too_many(self) -> str:
        """Return what somebody should do about the copies; "" where there is one at most."""
        if self.state is not WorkflowState.SEVERAL:
            return ""
        which = "that which is active" if self.is_active else "one"
        return f"rename or archive all but {which}."

    @property
    def id(self) -> str:
        """Return N8N's id of it; "" where it holds none."""
        return str(self.content.get("id", ""))

    @property
    def is_active(self) -> bool:
        """Tell whether it runs."""
        return bool(self.content.get("active"))

    @property
    def listens(self) -> bool:
        """Tell whether receipts come to it, once it is active: somebody may have changed its webhook's path."""
        return listens(self.content)

    @property
    def may_be_replaced(self) -> bool:
        """Tell whether there is a reason to make it anew."""
        is_elsewhere = self.workflow.takes_receipts and not self.listens
        return self.state is WorkflowState.OTHER or (self.state is WorkflowState.CURRENT and is_elsewhere)

    @property
    def has_draft(self) -> bool:
        """Tell whether somebody changed it, and has not published that."""
        return self.is_active and self.content.get("activeVersionId") not in (None, self.content.get("versionId"))

    @property
    def address(self) -> str:
        """Return where people open it."""
        return f"{settings.N8N_BASE_URL}/workflow/{quote(self.id, safe='')}" if self.id else ""

    @property
    def to_choose(self) -> list[str]:
        """Return the kinds of credential that somebody has yet to choose in what works of it, by N8N's names."""
        return self._kinds_lacking_in(nodes_at_work(self.content) or [])

    @property
    def is_to_be_published(self) -> bool:
        """Tell whether what lacks credentials at work has them all in its draft."""
        return bool(self.to_choose) and not self._kinds_lacking_in(self.content["nodes"])

    def _kinds_lacking_in(self, nodes: list[Content]) -> list[str]:
        kinds = {kind for node in nodes for kind in self.lacking(node)}
        return [KINDS.get(kind, kind) for kind in sorted(kinds)]

    def lacking(self, node: Content) -> dict[str, str]:
        """Return what is not chosen in one of N8N's nodes that is ours: kinds, and the names that are asked for.

        N8N leaves the id of a credential in the nodes when that is deleted: such a one is not chosen either.
        """
        ours: Content = next((own for own in self.workflow.content["nodes"] if own["name"] == node.get("name")), {})
        if node.get("disabled") or node.get("type", ours.get("type")) != ours.get("type"):  # another maker's AI model
            return {}
        chosen, there = chosen_in(node), self.credentials.still
        return {kind: name for kind, name in wanted_by(ours).items() if not there(kind, chosen.get(kind))}


def remote_workflows(api: PublicApi) -> list[RemoteWorkflow]:
    """Return how each workflow of ours stands, by two questions within the deadline of one; raises `ApiError`."""
    ends = time.monotonic() + api.deadline
    named_so = rows(api, "workflows", name=FIRST_WORD, excludePinnedData="true")
    found = [row for row in named_so if not row.get("isArchived")]
    there = listed(with_deadline_at(api, ends))
    found.sort(key=lambda row: (not row.get("active"), not listens(row)))  # of several first what receipts come to
    return [
        RemoteWorkflow(each, [_whole(row) for row in found if row["name"] == each.name], there) for each in workflows()
    ]


def _whole(row: Row) -> Content:
    """Return a row that has what N8N keeps of a workflow; raises `ApiError` where it has not."""
    are_nodes = all(map(_are_nodes, (row.get("nodes"), nodes_at_work(row))))
    if are_nodes and isinstance(row.get("connections"), dict):
        return row
    raise ApiError("What answered is no workflow of N8N's.", NOT_THE_API)


def _are_nodes(found: object) -> bool:
    return isinstance(found, list) and all(map(_is_node, found))


def _is_node(each: object) -> bool:
    return (
        isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("credentials") or {}, dict)
    )
