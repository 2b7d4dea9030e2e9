"""What a workflow failed of, told from its message: a pure function.

The message is N8N's own `error.message` and `error.description`, so it holds the words of N8N, or those of the service
that a node asked. Where they are from stands beside each.
"""

import re

from .failures import FailureCode

Code = FailureCode

# The first that fits counts: a service's own words say more than what N8N makes of a status of HTTP.
SIGNS: tuple[tuple[FailureCode, str], ...] = (
    # N8N 2.41: n8n-core's node-execution-context, credential-not-found.error
    (
        Code.CREDENTIAL_MISSING,
        r"does not have any credentials|Credentials not found|Credential with ID \S{1,100} does not exist",
    ),
    # n8n-core and n8n-workflow: node-crashed.error, workflow-crashed.error; the error workflow after a restart of N8N's
    (Code.WORKFLOW_CRASHED, r"possible out-of-memory issue|error in node 'unknown': it was stopped"),
    # n8n-workflow: execution-cancelled.error
    (Code.WORKFLOW_STOPPED, r"execution was cancelled|: it was stopped"),
    # https://developers.notion.com/reference/status-codes, and the messages that come with the codes
    (Code.NOTION_SEVERAL_SOURCES, r"multiple[ _]data[ _]sources"),
    (Code.NOTION_NOT_SHARED, r"object_not_found|Could not find (?:database|data[ _]source|page|block) with ID"),
    (Code.NOTION_KEY_REFUSED, r"API token is invalid"),
    (Code.NOTION_NOT_ALLOWED, r"restricted_resource|Insufficient permissions for this endpoint"),
    (
        Code.NOTION_PROPERTY_WRONG,
        r"is not a property that exists|is expected to be [a-z_]+\.|Could not find (?:sort )?property with name or id"
        r"|The database needs an? [a-z]+ property",  # the last of the workflows in n8n/
    ),
    (Code.NOTION_BUSY, r"You have been rate limited|Conflict occurred while saving"),
    (
        Code.NOTION_UNAVAILABLE,
        r"Notion is unavailable|Notion encountered an internal error|Notion timed out"
        # of the workflows in n8n/; anybody may have an unexpected error
        r"|What answered was not Notion|Notion made no page, and has none of this job: Unexpected error",
    ),
    # https://platform.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors,
    # https://ai.google.dev/gemini-api/docs/troubleshooting, and N8N's words for the first
    (Code.AI_QUOTA_USED_UP, r"insufficient[ _]quota|exceeded your current quota|credit balance is too low"),
    (
        Code.AI_KEY_REFUSED,
        r"invalid_api_key|Incorrect API key provided|invalid x-api-key|API[ _]key[ _](?:not valid|invalid)",
    ),
    (Code.AI_BUSY, r"rate_limit_(?:error|exceeded)|Rate limit reached|overloaded|RESOURCE_EXHAUSTED"),
    (
        Code.AI_MODEL_UNKNOWN,
        r"model_not_found|The model `[^`]{1,100}` does not exist|not_found_error|models/\S{1,100} is not found",
    ),
    (
        Code.AI_ANSWER_UNREADABLE,
        r"output doesn't fit required format|empty response to the Structured Output Parser|OUTPUT_PARSING_FAILURE"
        r"|Failed to parse\. Text:",
    ),
    # n8n-workflow: what NodeApiError makes of a status of HTTP, and NodeError of an error of Node's; the HTTP node
    (Code.CREDENTIAL_REFUSED, r"please check your credentials|perhaps check your credentials"),
    (Code.SERVICE_BUSY, r"receiving too many requests from you"),
    (
        Code.SERVICE_UNAVAILABLE,
        r"Service unavailable|Bad gateway|Gateway timed out|(?:service failed|not able) to process your request"
        r"|perhaps (?:it|the server) is offline|connection cannot be established|connection timed out"
        r"|server closed the connection|timeout of \d+ms exceeded"
        r"|Response body is not valid JSON"  # a proxy's page, with 200
        # OpenAI's client in N8N: the service did not answer, or what answered was no such service
        r"|(?:^|': )(?:Request timed out|Connection error)\.(?: |$)"
        r"|\(reading 'message'\) Original error: TypeError",
    ),
)
PATTERNS = [(code, re.compile(pattern, re.IGNORECASE)) for code, pattern in SIGNS]


def diagnose(message: str) -> FailureCode:
    """Return what a workflow failed of, `workflow_failed` where the message does not tell.

    Args:
        message: what the workflow reported, or N8N said of the execution.
    """
    return next((code for code, pattern in PATTERNS if pattern.search(message)), FailureCode.WORKFLOW_FAILED)
