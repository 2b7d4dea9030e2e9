"""What installing tells of: each thing that it does, and what somebody has to put right first."""

from dataclasses import dataclass

from .remote import RemoteWorkflow, WorkflowState


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


def refuse_several(found: RemoteWorkflow) -> None:
    """Raise `NotInstalled` where N8N holds more than one of that name: nobody can tell which of them is meant."""
    if found.state is WorkflowState.SEVERAL:
        raise NotInstalled(f"N8N holds {len(found.copies)} workflows called “{found.workflow.name}”: {found.too_many}")
