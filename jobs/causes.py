"""What goes wrong, and what cures it: one catalogue of every code that a job can carry, for people."""

from dataclasses import dataclass

from .delivery_errors import OF_ANSWERS, WRONG_SETTINGS, ErrorCode
from .failures import FailureCode
from .models import JobLog


@dataclass(frozen=True)
class Cause:
    """Why something went wrong.

    Attributes:
        sentence: what it is.
        cure: what somebody should do, in one sentence.
    """

    sentence: str
    cure: str


UNKNOWN = Cause("The reason has no entry here.", "Read the timeline of one of the jobs.")

# Cures that several causes have in common.
LOOK_FIRST = "Look in Notion first, since it may have been filed; then retry what is missing there."
NO_CALLBACK = (
    "If the timeline shows a refused callback, correct what the workflow reports; else see that it calls back and that "
    "N8N reaches CALLBACK_BASE_URL; look in Notion before you retry, since it may have been filed."
)
MEND_FOLDER = "See that every worker has the MEDIA_ROOT of the web, or restore the file"
NEW_PICTURE = "Ask the client for another picture of the receipt; a retry helps only after an update."
PROPERTIES = "Give the database the properties that the page Connect N8N lists, by these names and types, then retry."
RAISE_LIMITS = (
    "Raise N8N_PAYLOAD_SIZE_MAX in N8N and the body's limit of any proxy before it, or lower N8N_MAX_PAYLOAD_MB here."
)
RESPOND_AT_ONCE = "Let the workflow answer the webhook before its work, and call back when it is done."
RETRY_LATER = "Retry in a while; let the node retry on fail, so that the workflow waits by itself."
SAME_KEY = "Give N8N_API_KEY and the credential of N8N's Webhook node the same value; start the workers again."
START_SWEEP = "Start the sweep: manage.py sweep_jobs."

FAILURES = {
    FailureCode.WORKFLOW_FAILED: (
        "Look at the execution in N8N, mend the workflow or let another take receipts, then retry."
    ),
    FailureCode.WORKFLOW_STOPPED: (
        "Look in Notion first, since it may have been filed; see in N8N who stopped it, or whether its time-out is too "
        "short, then retry what is missing there."
    ),
    FailureCode.WORKFLOW_CRASHED: (
        "Look in Notion first, since it may have been filed; see whether N8N ran out of memory or was restarted, then "
        "retry what is missing there."
    ),
    FailureCode.CREDENTIAL_MISSING: "Open the node that the message names, choose a credential, publish, then retry.",
    FailureCode.CREDENTIAL_REFUSED: "Renew the credential of the node that the message names, then retry.",
    FailureCode.SERVICE_BUSY: RETRY_LATER,
    FailureCode.SERVICE_UNAVAILABLE: RETRY_LATER,
    FailureCode.NOTION_NOT_SHARED: (
        "See that the id is the database's own, share the database with the integration in Notion, then retry."
    ),
    FailureCode.NOTION_KEY_REFUSED: "Give N8N's Notion credential the integration's present secret, then retry.",
    FailureCode.NOTION_NOT_ALLOWED: "Let the integration read, insert and update content in Notion, then retry.",
    FailureCode.NOTION_PROPERTY_WRONG: PROPERTIES,
    FailureCode.NOTION_SEVERAL_SOURCES: (
        "Use a database with one data source, or name the data source in the workflow, then retry."
    ),
    FailureCode.NOTION_BUSY: "Let fewer receipts be under way at once (N8N_MAX_IN_FLIGHT), then retry.",
    FailureCode.NOTION_UNAVAILABLE: "Wait until Notion is back, or mend the proxy on N8N's way to it, then retry.",
    FailureCode.AI_KEY_REFUSED: "Give the AI model's credential in N8N a valid key, then retry.",
    FailureCode.AI_QUOTA_USED_UP: "Add credit to the AI model's account, or raise its limit, then retry.",
    FailureCode.AI_BUSY: RETRY_LATER,
    FailureCode.AI_MODEL_UNKNOWN: "Choose another model in the workflow's AI node, publish, then retry.",
    FailureCode.AI_ANSWER_UNREADABLE: "Retry; if it comes again, choose a better model or another picture.",
    FailureCode.CALLBACK_LOST: (
        "Look in Notion first, since it was probably filed; then see in the execution why its callback failed, or "
        "which node passed nothing on."
    ),
    FailureCode.CALLBACK_TIMEOUT: NO_CALLBACK,
    FailureCode.DELIVERY_UNCONFIRMED: LOOK_FIRST,
    FailureCode.N8N_UNAVAILABLE: "See that N8N runs and its webhook is active, then retry.",
    FailureCode.N8N_REJECTED: "See in the timeline what N8N answered, mend its Webhook node or the proxy, then retry.",
    FailureCode.N8N_REDIRECTED: "Set N8N_WEBHOOK_URL to where it redirects, start the workers again, then retry.",
    FailureCode.PAYLOAD_TOO_LARGE: RAISE_LIMITS,
    FailureCode.NOT_SENT: "See that the storage, its disk and the database are well, then retry.",
    FailureCode.FILE_MISSING: f"{MEND_FOLDER}, then retry.",
    FailureCode.FILE_UNREADABLE: NEW_PICTURE,
    FailureCode.CANCELLED: "Nothing needs to be done; retry it if that was a mistake.",
}

# Why a delivery did not arrive, or may not have: `JobLog.last_error`.
DELIVERIES = {
    "n8n_unauthorized": SAME_KEY,
    "n8n_signature_wrong": (
        "Give N8N_WEBHOOK_SECRET and the credential of the workflow's node that signs the same value, and see that the "
        "clocks of both machines are right."
    ),
    "n8n_forbidden": SAME_KEY,
    "n8n_address_not_allowed": "Add the address of the workers to the Webhook node's list of allowed addresses.",
    "n8n_credential_missing": "Choose a credential in N8N's Webhook node, and publish the workflow.",
    "n8n_webhook_respond": (
        "Set Respond of N8N's Webhook node to Using 'Respond to Webhook' Node if the workflow has such a node, else to "
        "Immediately; publish the workflow."
    ),
    "n8n_webhook_not_found": "Activate the workflow in N8N, or set N8N_WEBHOOK_URL to its production address.",
    "n8n_webhook_method": "Set the HTTP method of N8N's Webhook node to POST, and publish the workflow.",
    "n8n_test_webhook": "Set N8N_WEBHOOK_URL to the production address, without -test; start the workers again.",
    "n8n_not_at_this_address": "If it goes on, correct N8N_WEBHOOK_URL, its port too, and start the workers again.",
    "n8n_payload_too_large": RAISE_LIMITS,
    "n8n_webhook_gone": "Set N8N_WEBHOOK_URL to the webhook's present address, and start the workers again.",
    ErrorCode.UNREACHABLE: "See that N8N runs and can be reached from the workers; it is tried again by itself.",
    ErrorCode.UNTRUSTED: "Set N8N_VERIFY_SSL to the file of the authority that signed it; start the workers again.",
    ErrorCode.EXPIRED: "Renew N8N's certificate, and see that the clocks of both machines are right.",
    ErrorCode.WRONG_HOST: (
        "Let the address name the host as the certificate does, or get one for the host that it names."
    ),
    ErrorCode.NO_TLS: "See whether N8N's address should begin with http instead of https, or have another port.",
    ErrorCode.FILE_MISSING: f"{MEND_FOLDER}.",
    ErrorCode.FILE_UNREADABLE: NEW_PICTURE,
    ErrorCode.NOT_PREPARED: "Make room on the disk of MEDIA_ROOT, or let fewer workers run on that machine.",
    ErrorCode.STORAGE_AWAY: (
        "See that the volume of MEDIA_ROOT is mounted and belongs to the service's user, or that the S3 storage runs "
        "and takes our key; it is tried again by itself."
    ),
    ErrorCode.PUT_OFF: "See that the database and the worker's machine are well; it is tried again by itself.",
    ErrorCode.TIMED_OUT: "See whether N8N is overloaded; its callback is awaited before it is sent again.",
    ErrorCode.CUT: "See whether N8N or a proxy before it restarts; its callback is awaited before it is sent again.",
    "n8n_busy": "See whether N8N is overloaded; it is tried again by itself.",
    "n8n_starting": (
        "Wait until N8N has started; if it goes on, see what page it is, and correct N8N_WEBHOOK_URL or the log-in "
        "before N8N."
    ),
    "n8n_gateway_timeout": RESPOND_AT_ONCE,
    "n8n_cloud_timeout": RESPOND_AT_ONCE,
    "n8n_answer_unclear": "Let the Webhook node respond with JSON, so that a delivery is confirmed.",
    "n8n_run_unclear": "See in N8N's executions whether it ran; its callback is awaited before it is sent again.",
}

# Why an open job is overdue, by its status.
OVERDUE = {
    JobLog.Status.QUEUED: Cause(
        "No worker has taken it.", "See that workers and Redis are alive; N8N may also have as much as it may at once."
    ),
    JobLog.Status.SENDING: Cause("Its worker fell silent, and nobody has taken it back.", START_SWEEP),
    JobLog.Status.PROCESSING: Cause("N8N's callback is overdue, and nobody has acted on it.", START_SWEEP),
}


def cause_of_failure(code: str) -> Cause:
    """Return why jobs fail with that code."""
    return CAUSES_OF_FAILURE.get(code, UNKNOWN)


def cause_of_delay(code: str) -> Cause:
    """Return why the latest delivery of an open job did not arrive."""
    return CAUSES_OF_DELAY.get(code, UNKNOWN)


def cause_of(code: str) -> Cause:
    """Return what a code means, wherever it was found."""
    return CAUSES_OF_DELAY.get(code) or cause_of_failure(code)


SENTENCES = (
    {code: f"{words}." for code, words in OF_ANSWERS.items()}
    | {setting.code: setting.sentence for setting in WRONG_SETTINGS}
    | {code: code.label for code in ErrorCode}
)
CAUSES_OF_FAILURE: dict[str, Cause] = {code: Cause(f"{code.label}.", cure) for code, cure in FAILURES.items()}
CAUSES_OF_DELAY: dict[str, Cause] = {str(code): Cause(SENTENCES[code], cure) for code, cure in DELIVERIES.items()}
