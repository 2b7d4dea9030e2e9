"""What really goes wrong: each answer of N8N's, Notion's or an AI service's gets its entry of the catalogue.

The webhook's answers are those of N8N 2.41.1. The messages are put together as its error workflow does, from what N8N
makes of the services' answers.
"""

import pytest
from django.utils import timezone

from jobs.answers import Answer, Decision, decide
from jobs.causes import cause_of, cause_of_delay, cause_of_failure
from jobs.delivery_errors import WRONG_SETTINGS
from jobs.diagnosis import SIGNS, diagnose
from jobs.failures import ENDED_BY_N8N, FailureCode
from jobs.models import JobLog

QUEUED, PROCESSING, FAILURE = JobLog.Status.QUEUED, JobLog.Status.PROCESSING, JobLog.Status.FAILURE

NOT_REGISTERED = b'{"code":404,"message":"The requested webhook \\"POST receipts\\" is not registered.","hint":"%s"}'
IN_PRODUCTION = (
    b"The workflow must be active for a production URL to run successfully. You can activate the workflow using the "
    b"toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on the "
    b"canvas (only in the executions list)"
)
IN_A_TEST = (
    b"Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only works for one "
    b"call after you click this button)"
)

ANSWERS = [
    (401, "", b"Authorization is required!", "n8n_unauthorized"),
    (
        401,
        "application/json",
        b'{"accepted":false,"code":"signature_wrong","message":"The signature is wrong or too old, or could not be '
        b'checked: N8N_WEBHOOK_SECRET and the credential of the node that signs must be the same text."}',
        "n8n_signature_wrong",
    ),
    (403, "", b"Authorization data is wrong!", "n8n_forbidden"),
    (403, "", b"IP is not allowed to access the webhook!", "n8n_address_not_allowed"),
    (404, "application/json", NOT_REGISTERED % IN_PRODUCTION, "n8n_webhook_not_found"),
    (404, "application/json", NOT_REGISTERED % IN_A_TEST, "n8n_test_webhook"),
    (
        404,
        "application/json",
        b'{"code":404,"message":"This webhook is not registered for POST requests. Did you mean to make a GET '
        b'request?"}',
        "n8n_webhook_method",
    ),
    (
        404,
        "application/json",
        b'{"code":404,"message":"Active version not found for workflow with id \\"wf4EZnTJHk2c8oQX\\""}',
        "n8n_webhook_not_found",
    ),
    (404, "text/html", b"<!DOCTYPE html>\n<pre>Cannot POST /webhook/receipts</pre>", "n8n_not_at_this_address"),
    (410, "text/html", b"Gone", "n8n_webhook_gone"),
    (500, "", b"No authentication data defined on node!", "n8n_credential_missing"),
    (
        500,
        "application/json",
        b'{"code":0,"message":"Unused Respond to Webhook node found in the workflow"}',
        "n8n_webhook_respond",
    ),
    (
        500,
        "application/json",
        b'{"code":0,"message":"No Respond to Webhook node found in the workflow"}',
        "n8n_webhook_respond",
    ),
    (
        500,
        "application/json",
        b'{"code":0,"message":"There was a problem executing the workflow"}',
        "n8n_payload_too_large",
    ),
]


def decision(status: int, content_type: str, body: bytes, tries: int = 1, sent: int = 2_000_000) -> Decision:
    answer = Answer(status=status, content_type=content_type, body=body, request={"bytes": sent})
    return decide(answer, tries=tries, schedule=[5], now=timezone.now(), jitter=0.0)


@pytest.mark.parametrize(("status", "content_type", "body", "code"), ANSWERS)
def test_a_wrong_setting_is_told_apart_and_ends_no_receipt(
    status: int, content_type: str, body: bytes, code: str
) -> None:
    decided = decision(status, content_type, body)
    assert (decided.status, decided.needs_attention, decided.code) == (QUEUED, True, code)
    assert cause_of_delay(code).sentence == decided.sentence
    assert "receipts" not in decided.sentence  # the webhook's path is a secret


def test_every_wrong_setting_that_is_known_has_been_seen() -> None:
    assert {code for *_, code in ANSWERS} == {setting.code for setting in WRONG_SETTINGS}


@pytest.mark.parametrize(
    ("status", "content_type", "body", "became", "code"),
    [
        (524, "text/html", b"<title>error code: 524</title>", PROCESSING, "n8n_cloud_timeout"),
        (504, "text/html", b"<h1>504 Gateway Time-out</h1>", PROCESSING, "n8n_gateway_timeout"),
        (503, "application/json", b'{"code":503,"message":"Database is not ready!"}', QUEUED, "n8n_busy"),
        (200, "text/html", b"n8n is starting up. Please wait", QUEUED, "n8n_starting"),
        (200, "", b"", PROCESSING, "n8n_answer_unclear"),
        (413, "text/html", b"<h1>413 Request Entity Too Large</h1>", FAILURE, "payload_too_large"),
        (422, "application/json", b'{"code":422,"message":"Failed to parse request body"}', FAILURE, "n8n_rejected"),
        (301, "text/html", b"", FAILURE, "n8n_redirected"),
        (500, "application/json", b'{"message":"Error in workflow"}', FAILURE, "workflow_failed"),
        (
            500,
            "application/json",
            b'{"code":0,"message":"The execution was cancelled because it timed out"}',
            FAILURE,
            "workflow_stopped",
        ),
    ],
)
def test_every_other_answer_has_its_entry_too(
    status: int, content_type: str, body: bytes, became: JobLog.Status, code: str
) -> None:
    decided = decision(status, content_type, body)
    assert (decided.status, decided.code) == (became, code)
    assert cause_of(code).cure


def test_a_small_receipt_whose_run_was_stopped_is_not_taken_for_one_that_is_too_large() -> None:
    """A workflow that answers by its last node, and was stopped, may have filed the receipt before."""
    said = b'{"code":0,"message":"There was a problem executing the workflow"}'
    decided = decision(500, "application/json", said, sent=200_000)
    assert (decided.status, decided.confirmed, decided.code) == (PROCESSING, False, "n8n_run_unclear")


@pytest.mark.parametrize("body", [b"n8n is starting up. Please wait", b"<!DOCTYPE html><title>Log in</title>"])
def test_a_page_that_is_there_for_good_does_not_let_people_wait_for_n8n_alone(body: bytes) -> None:
    assert "correct N8N_WEBHOOK_URL" in cause_of(decision(200, "text/html", body).code).cure


def test_what_n8n_could_not_take_in_to_the_last_ends_as_too_large() -> None:
    decided = decision(500, "application/json", ANSWERS[-1][2], tries=2)
    assert (decided.status, decided.code) == (FAILURE, "payload_too_large")
    assert "N8N_PAYLOAD_SIZE_MAX" in cause_of_failure("payload_too_large").cure


NOTION = "N8N: error in node 'Create the page': {}"
NO_PAGE = "N8N: error in node 'End: Notion made no page': Notion made no page, and has none of this job: {}"
BY_AI = "N8N: error in node 'Read the receipt': {}"
BAD_REQUEST = "Bad request - please check your parameters "
UNAUTHORIZED = "Authorization failed - please check your credentials "
NOT_FOUND = "The resource you are requesting could not be found "
TOO_MANY = "The service is receiving too many requests from you "

MESSAGES = [
    (
        NOTION.format(
            NOT_FOUND + "Could not find database with ID: 0123abcd-4567-89ab-cdef-0123456789ab. Make sure the relevant "
            'pages and databases are shared with your integration "Receipts".'
        ),
        "notion_not_shared",
    ),
    (
        '404 - "{\\"object\\":\\"error\\",\\"status\\":404,\\"code\\":\\"object_not_found\\",\\"message\\":\\"Could '
        'not find data_source with ID: 0123abcd-4567-89ab-cdef-0123456789ab.\\"}"',
        "notion_not_shared",
    ),
    (NOTION.format(UNAUTHORIZED + "API token is invalid."), "notion_key_refused"),
    (
        NOTION.format("Forbidden - perhaps check your credentials? Insufficient permissions for this endpoint."),
        "notion_not_allowed",
    ),
    (NOTION.format(BAD_REQUEST + "Vendor is not a property that exists."), "notion_property_wrong"),
    (NOTION.format(BAD_REQUEST + "Total is expected to be number."), "notion_property_wrong"),
    (NOTION.format(BAD_REQUEST + "Could not find property with name or id: Job id"), "notion_property_wrong"),
    (
        "N8N: error in node 'Choose the properties': The database needs a text property 'Job ID': by it a receipt that "
        "comes twice is known.",
        "notion_property_wrong",
    ),
    (
        NOTION.format(BAD_REQUEST + "Databases with multiple data sources are not supported in this API version."),
        "notion_several_sources",
    ),
    (NOTION.format(TOO_MANY + "You have been rate limited. Please try again in a few minutes."), "notion_busy"),
    (
        NOTION.format(
            "Service unavailable - try again later or consider setting this node to retry automatically (in the node "
            "settings) Notion is unavailable. Please try again later."
        ),
        "notion_unavailable",
    ),
    (NO_PAGE.format("What answered was not Notion, but perhaps a proxy on the way there."), "notion_unavailable"),
    (NO_PAGE.format("Unexpected error occurred."), "notion_unavailable"),
    (NO_PAGE.format("Notion timed out while completing this request. Please try again later."), "notion_unavailable"),
    (NO_PAGE.format("Conflict occurred while saving. Please try again."), "notion_busy"),
    (
        BY_AI.format(
            'Insufficient quota detected. <a href="https://docs.n8n.io/" target="_blank">Learn more</a> about '
            "resolving this issue"
        ),
        "ai_quota_used_up",
    ),
    (
        BY_AI.format(
            TOO_MANY + "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, read the docs."
        ),
        "ai_quota_used_up",
    ),
    (
        BY_AI.format(
            BAD_REQUEST + "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits."
        ),
        "ai_quota_used_up",
    ),
    (BY_AI.format(UNAUTHORIZED + "Incorrect API key provided: …. You can find your API key at …"), "ai_key_refused"),
    (BY_AI.format(UNAUTHORIZED + "invalid x-api-key"), "ai_key_refused"),
    (BY_AI.format(BAD_REQUEST + "API key not valid. Please pass a valid API key."), "ai_key_refused"),
    (BY_AI.format("Rate limit reached for gpt-4o in organization … on tokens per min"), "ai_busy"),
    (BY_AI.format('529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'), "ai_busy"),
    (
        BY_AI.format(NOT_FOUND + "The model `gpt-9` does not exist or you do not have access to it."),
        "ai_model_unknown",
    ),
    (
        BY_AI.format('404 {"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}'),
        "ai_model_unknown",
    ),
    (
        BY_AI.format("models/gemini-9 is not found for API version v1beta, or is not supported for generateContent."),
        "ai_model_unknown",
    ),
    (BY_AI.format("Model output doesn't fit required format"), "ai_answer_unreadable"),
    (
        BY_AI.format(
            "The AI model returned an empty response to the Structured Output Parser This usually happens when the "
            "model runs out of tokens before it can generate the structured output."
        ),
        "ai_answer_unreadable",
    ),
    (BY_AI.format("Node does not have any credentials set"), "credential_missing"),
    (NOTION.format('Credential with ID "x1" does not exist for type "notionApi".'), "credential_missing"),
    ("N8N: error in node 'Look up the rate': " + UNAUTHORIZED.strip(), "credential_refused"),
    ("N8N: error in node 'Look up the rate': " + TOO_MANY.strip(), "service_busy"),
    (
        "N8N: error in node 'Look up the rate': The service refused the connection - perhaps it is offline",
        "service_unavailable",
    ),
    ("N8N: error in node 'Look up the rate': timeout of 300000ms exceeded", "service_unavailable"),
    (
        'N8N: error in node \'Find the database\': Response body is not valid JSON. Change "Response Format" to "Text"',
        "service_unavailable",
    ),
    (BY_AI.format("Request timed out."), "service_unavailable"),
    (BY_AI.format("Connection error."), "service_unavailable"),
    (
        BY_AI.format("Cannot read properties of undefined (reading 'message') Original error: TypeError"),
        "service_unavailable",
    ),
    ("N8N: error in node 'Ask the till': The till said: Connection error. Nothing was read.", "workflow_failed"),
    ("N8N: error in node 'Look up the rate': Unexpected error occurred.", "workflow_failed"),
    ("N8N: error in node 'unknown': it was stopped", "workflow_crashed"),
    ("Workflow did not finish, possible out-of-memory issue", "workflow_crashed"),
    ("The execution was cancelled because it timed out", "workflow_stopped"),
    ("N8N: error in node 'Read the total': Cannot read properties of undefined (reading 'total')", "workflow_failed"),
    ("No receipt in the picture.", "workflow_failed"),
    ("", "workflow_failed"),
]


@pytest.mark.parametrize(("message", "code"), MESSAGES)
def test_a_report_of_a_failure_is_told_apart_by_its_message(message: str, code: str) -> None:
    assert diagnose(message) == code
    assert cause_of_failure(code).cure


def test_every_failure_that_a_message_can_tell_of_has_been_seen_and_counts_as_n8ns_own_if_it_ran_to_its_end() -> None:
    known = {code for code, _ in SIGNS} | {FailureCode.WORKFLOW_FAILED}
    assert {code for _, code in MESSAGES} == known
    assert known - {FailureCode.WORKFLOW_STOPPED, FailureCode.WORKFLOW_CRASHED} == ENDED_BY_N8N


@pytest.mark.timeout(20)
@pytest.mark.parametrize("word", ["Credential with ID ", "The model `", "models/", "timeout of 1"])
def test_a_long_message_is_read_in_no_time(word: str) -> None:
    assert diagnose(word * 100_000) == FailureCode.WORKFLOW_FAILED
