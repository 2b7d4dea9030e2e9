"""The catalogue of causes: every code that a job can carry has a sentence and a cure."""

import ast
import re
from inspect import getsource

import pytest

from jobs import answers, causes, delivery_errors
from jobs.causes import CAUSES_OF_DELAY, CAUSES_OF_FAILURE, OVERDUE, UNKNOWN, Cause
from jobs.delivery_errors import ErrorCode
from jobs.failures import MAY_BE_FILED, FailureCode
from jobs.models import JobLog


def codes_in_answers() -> set[str]:
    """Return every code that the rules for N8N's answers can name."""
    nodes = [node for module in (answers, delivery_errors) for node in ast.walk(ast.parse(getsource(module)))]
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if re.fullmatch(r"(?:n8n|file|storage|delivery)_[a-z_]+", text)}


def test_every_failure_code_has_a_cause() -> None:
    assert set(CAUSES_OF_FAILURE) == set(FailureCode)


def test_every_reason_of_a_delay_has_a_cause() -> None:
    assert {"n8n_busy", "n8n_unauthorized", *ErrorCode} <= codes_in_answers()
    assert set(CAUSES_OF_DELAY) == codes_in_answers()


def test_every_open_status_has_a_cause_of_being_overdue() -> None:
    assert set(OVERDUE) == set(JobLog.OPEN)


@pytest.mark.parametrize(
    "cause",
    [*CAUSES_OF_FAILURE.values(), *CAUSES_OF_DELAY.values(), *OVERDUE.values(), UNKNOWN],
    ids=lambda c: c.sentence,
)
def test_a_cause_is_one_sentence_and_its_cure_another(cause: Cause) -> None:
    for sentence in (cause.sentence, cause.cure):
        assert re.fullmatch(r"[A-Z][^.]+(?:\.py[^.]+)?\.", sentence)


def test_no_job_that_goes_on_by_itself_is_to_be_retried() -> None:
    assert not [cause.cure for cause in CAUSES_OF_DELAY.values() if "then retry" in cause.cure]


def test_the_cure_of_what_may_be_filed_says_to_look_in_notion() -> None:
    says_so = {code for code, cause in CAUSES_OF_FAILURE.items() if "look in notion" in cause.cure.lower()}
    assert says_so == MAY_BE_FILED


def test_a_code_that_nobody_foresaw_is_no_fault() -> None:
    assert causes.cause_of("new") == causes.cause_of_delay("new") == causes.cause_of_failure("new") == UNKNOWN
