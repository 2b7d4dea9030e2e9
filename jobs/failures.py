"""Why jobs end without a page: the codes, and which of them are the last word of N8N's."""

from django.db import models


class FailureCode(models.TextChoices):
    """Why a job ended without a page."""

    # what the workflow said, or N8N when it was asked (jobs/diagnosis.py tells them apart)
    WORKFLOW_FAILED = "workflow_failed", "The workflow ran and failed"
    WORKFLOW_STOPPED = "workflow_stopped", "The workflow was stopped before its end"
    WORKFLOW_CRASHED = "workflow_crashed", "N8N stopped while it ran the workflow"
    CREDENTIAL_MISSING = "credential_missing", "A node of the workflow has no credential"
    CREDENTIAL_REFUSED = "credential_refused", "A service did not accept the credential of the workflow's node"
    SERVICE_BUSY = "service_busy", "A service that the workflow uses had too many requests"
    SERVICE_UNAVAILABLE = "service_unavailable", "A service that the workflow uses was away"
    NOTION_NOT_SHARED = "notion_not_shared", "Notion knows no such database, or the integration may not see it"
    NOTION_KEY_REFUSED = "notion_key_refused", "Notion did not accept the integration's secret"
    NOTION_NOT_ALLOWED = "notion_not_allowed", "Notion does not allow that to the integration"
    NOTION_PROPERTY_WRONG = "notion_property_wrong", "A property of the Notion database is missing or of another type"
    NOTION_SEVERAL_SOURCES = "notion_several_sources", "The Notion database has several data sources"
    NOTION_BUSY = "notion_busy", "Notion had too many requests"
    NOTION_UNAVAILABLE = "notion_unavailable", "Notion was away"
    AI_KEY_REFUSED = "ai_key_refused", "The AI model's service did not accept its key"
    AI_QUOTA_USED_UP = "ai_quota_used_up", "The AI model's account has nothing left to spend"
    AI_BUSY = "ai_busy", "The AI model's service had too many requests"
    AI_MODEL_UNKNOWN = "ai_model_unknown", "The AI model does not exist, or not for this key"
    AI_ANSWER_UNREADABLE = "ai_answer_unreadable", "The AI model's answer was not what the workflow reads"

    # what we concluded
    CALLBACK_LOST = "callback_lost", "The workflow ran to its end, and no valid report came"
    CALLBACK_TIMEOUT = "callback_timeout", "N8N took it, and no valid report came"
    DELIVERY_UNCONFIRMED = "delivery_unconfirmed", "N8N may have it, but never said so"
    N8N_UNAVAILABLE = "n8n_unavailable", "N8N did not take it in any of the tries"
    N8N_REJECTED = "n8n_rejected", "N8N refused the request"
    N8N_REDIRECTED = "n8n_redirected", "The webhook's address redirects elsewhere"
    PAYLOAD_TOO_LARGE = "payload_too_large", "The request is larger than N8N, or a proxy before it, takes"
    NOT_SENT = "not_sent", "It could not be sent to N8N in any of the tries"
    FILE_MISSING = "file_missing", "The receipt's file is gone"
    FILE_UNREADABLE = "file_unreadable", "No picture could be made of the receipt's file"
    CANCELLED = "cancelled", "Cancelled by staff"


# There may be a page all the same: whoever files the receipt once more looks in Notion first.
MAY_BE_FILED = frozenset(
    {
        FailureCode.WORKFLOW_STOPPED,  # by somebody or by N8N's own end, maybe after the page was made; it may go on
        FailureCode.WORKFLOW_CRASHED,
        FailureCode.CALLBACK_LOST,
        FailureCode.CALLBACK_TIMEOUT,
        FailureCode.DELIVERY_UNCONFIRMED,
    }
)
ENDED_BY_US = MAY_BE_FILED | {
    FailureCode.N8N_UNAVAILABLE,
    FailureCode.N8N_REJECTED,
    FailureCode.N8N_REDIRECTED,
    FailureCode.PAYLOAD_TOO_LARGE,
    FailureCode.NOT_SENT,
    FailureCode.FILE_MISSING,
    FailureCode.FILE_UNREADABLE,
    FailureCode.CANCELLED,
}
# The workflow itself came to a failure; every other end was ours, and N8N may know better later.
ENDED_BY_N8N = frozenset(FailureCode) - ENDED_BY_US
