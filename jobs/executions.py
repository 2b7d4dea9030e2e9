"""What an execution of N8N's means for a job whose callback never came: pure, from what N8N's public API says of it."""

import json
from dataclasses import dataclass
from typing import Any

from .diagnosis import diagnose
from .failures import FailureCode
from .texts import part, text

# N8N's words for an execution that has failed; its API tells of what only where it is asked for.
FAILED = frozenset({"error", "crashed"})
STATUSES = FAILED | {"new", "running", "waiting", "success", "canceled"}  # which say how it stands; "unknown" does not
OWN_CALLBACK = "callback"  # in the parameters of a node that calls back: our address, or the name of what brought it


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One run of a workflow.

    Attributes:
        status: N8N's word: new, running, waiting, success, error, crashed, canceled or unknown.
        workflow_id: the workflow's; people find the execution by it.
        node: the last that ran; "" unless it was asked for.
        is_callback: that node was to call back.
        error: what it failed of, in the words of N8N or of the service that the node asked; "" as above.
    """

    id: str
    status: str
    workflow_id: str
    node: str = ""
    is_callback: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """How a job ends, from how its execution stands."""

    code: FailureCode
    sentence: str


def conclude(execution: Execution, *, refusal: str = "") -> Conclusion | None:
    """Say how a job ends whose execution stands so; None where it has not ended.

    Args:
        execution: what N8N says of it.
        refusal: why its report was refused, as a sentence; "" where none came.
    """
    match execution.status:
        case "success":
            why = refusal or "Its callback never came: it failed, or a node before it passed nothing on."
            return Conclusion(code=FailureCode.CALLBACK_LOST, sentence=f"N8N ran the workflow to its end. {why}")
        case "error":
            return _failed(FailureCode.WORKFLOW_FAILED, "error", execution)
        case "crashed":
            return _failed(FailureCode.WORKFLOW_CRASHED, "crashed", execution)
        case "canceled":
            return _failed(FailureCode.WORKFLOW_STOPPED, "stopped", execution)
    return None


def _failed(code: FailureCode, what: str, execution: Execution) -> Conclusion:
    """Say it as the error workflow in `n8n/` does; what failed to call back had done all the rest."""
    where = f"N8N: {what} in node '{execution.node}'" if execution.node else f"N8N: {what}"
    sentence = f"{where}: {execution.error}" if execution.error else f"{where}."
    if execution.is_callback:
        return Conclusion(code=FailureCode.CALLBACK_LOST, sentence=sentence)
    diagnosed = diagnose(sentence)
    return Conclusion(code=code if diagnosed is FailureCode.WORKFLOW_FAILED else diagnosed, sentence=sentence)


def read_execution(found: Any, execution_id: str) -> Execution:
    """Read what the API answered, with whatever part of it is missing or odd."""
    outcome = part(part(found, "data"), "resultData")
    error = part(outcome, "error")
    node = text(outcome, "lastNodeExecuted") or text(part(error, "node"), "name")
    return Execution(
        id=execution_id,
        status=text(found, "status"),
        workflow_id=text(found, "workflowId"),
        node=node,
        is_callback=_calls_back(part(found, "workflowData"), node),
        error=" ".join(filter(None, [text(error, "message"), text(error, "description")])),
    )


def _calls_back(workflow: Any, node: str) -> bool:
    nodes = part(workflow, "nodes")
    if not isinstance(nodes, list):
        return False
    return any(OWN_CALLBACK in json.dumps(part(each, "parameters")) for each in nodes if text(each, "name") == node)
