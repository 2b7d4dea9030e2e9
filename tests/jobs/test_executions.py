"""What an execution of N8N's means for a job whose callback never came, as a table."""

from typing import Any

import pytest

from jobs.executions import Execution, conclude, read_execution

FAILED = {
    "status": "error",
    "workflowId": "wf4EZnTJHk2c8oQX",
    "data": {"resultData": {"lastNodeExecuted": "Report", "error": {"message": "Refused", "description": "by all"}}},
}


def with_node(name: str, parameters: Any) -> dict[str, Any]:
    return FAILED | {"workflowData": {"nodes": [{"name": "Other"}, {"name": name, "parameters": parameters}]}}


@pytest.mark.parametrize(
    ("execution", "code", "sentence"),
    [
        (Execution(id="1", status="success", workflow_id="w"), "callback_lost", "N8N ran the workflow to its end."),
        (Execution(id="1", status="error", workflow_id="w"), "workflow_failed", "N8N: error."),
        (Execution(id="1", status="error", workflow_id="w", node="A"), "workflow_failed", "N8N: error in node 'A'."),
        (Execution(id="1", status="crashed", workflow_id="w"), "workflow_crashed", "N8N: crashed."),
        (Execution(id="1", status="canceled", workflow_id="w"), "workflow_stopped", "N8N: stopped."),
    ],
)
def test_an_execution_that_has_ended_ends_the_job(execution: Execution, code: str, sentence: str) -> None:
    conclusion = conclude(execution)
    assert conclusion is not None
    assert conclusion.code == code
    assert conclusion.sentence.startswith(sentence)


@pytest.mark.parametrize("status", ["new", "running", "waiting", "unknown", "", "what comes next"])
def test_an_execution_that_has_not_ended_ends_nothing(status: str) -> None:
    assert conclude(Execution(id="1", status=status, workflow_id="w")) is None


def test_a_failed_execution_is_read_with_its_node_and_its_error() -> None:
    read = read_execution(FAILED, "17")
    assert (read.workflow_id, read.node, read.error) == ("wf4EZnTJHk2c8oQX", "Report", "Refused by all")


@pytest.mark.parametrize(
    ("found", "calls_back"),
    [
        (with_node("Report", {"url": "={{ $json.body.callback_url }}"}), True),
        (with_node("Report", {"url": "https://receipts.example.com/api/v1/jobs/1/callback"}), True),
        (with_node("Report", {"url": "https://api.notion.com/v1/pages"}), False),
        (with_node("Another", {"url": "={{ $json.body.callback_url }}"}), False),
        (FAILED, False),
    ],
)
def test_a_node_that_calls_back_is_known_by_its_parameters(found: Any, calls_back: bool) -> None:
    execution = read_execution(found, "17")
    conclusion = conclude(execution)
    assert conclusion is not None
    assert execution.is_callback is calls_back
    assert (conclusion.code == "callback_lost") is calls_back
