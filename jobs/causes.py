"""What goes wrong, and what cures it: one catalogue of every code that a job can carry, for people."""

from dataclasses import dataclass

from .answers import TROUBLE_SENTENCES, WRONG_SETTING, Trouble
from .models import FailureCode, JobLog


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
MEND_FOLDER = "See that every worker has the MEDIA_ROOT of the web, or restore the file, then retry."
NEW_PICTURE = "Ask the client for another picture of the receipt; a retry helps only after an update."
SAME_KEY = "Give N8N_API_KEY and the credential of N8N's Webhook node the same value; start the workers again."
START_SWEEP = "Start the sweep: manage.py sweep_jobs."

FAILURES = {
    FailureCode.WORKFLOW_FAILED: "Look at the execution in N8N, mend the workflow, then retry.",
    FailureCode.CALLBACK_TIMEOUT: LOOK_FIRST,
    FailureCode.DELIVERY_UNCONFIRMED: LOOK_FIRST,
    FailureCode.N8N_UNAVAILABLE: "See that N8N runs and its webhook is active, then retry.",
    FailureCode.N8N_REJECTED: "See in the timeline what N8N answered, mend its Webhook node or the proxy, then retry.",
    FailureCode.N8N_REDIRECTED: "Set N8N_WEBHOOK_URL to where it redirects, start the workers again, then retry.",
    FailureCode.FILE_MISSING: MEND_FOLDER,
    FailureCode.FILE_UNREADABLE: NEW_PICTURE,
    FailureCode.CANCELLED: "Nothing needs to be done; retry it if that was a mistake.",
}

# Why a delivery did not arrive, or may not have: `JobLog.last_error`.
DELIVERIES = {
    "n8n_unauthorized": SAME_KEY,
    "n8n_forbidden": SAME_KEY,
    "n8n_webhook_not_found": "Activate the workflow in N8N, or set N8N_WEBHOOK_URL to its production address.",
    "n8n_webhook_gone": "Set N8N_WEBHOOK_URL to the webhook's present address, and start the workers again.",
    Trouble.UNREACHABLE: "See that N8N runs and can be reached from the workers; it is tried again by itself.",
    Trouble.UNTRUSTED: "Renew N8N's certificate, or set N8N_VERIFY_SSL to the file of the authority that signed it.",
    Trouble.FILE_MISSING: MEND_FOLDER,
    Trouble.FILE_UNREADABLE: NEW_PICTURE,
    Trouble.NOT_PREPARED: "Make room on the disk of MEDIA_ROOT, or let fewer workers run on that machine.",
    Trouble.STORAGE_AWAY: "See that the S3 storage runs and takes our key; it is tried again by itself.",
    Trouble.TIMED_OUT: "See whether N8N is overloaded; its callback is awaited before it is sent again.",
    Trouble.CUT: "See whether N8N or a proxy before it restarts; its callback is awaited before it is sent again.",
    "n8n_busy": "See whether N8N is overloaded; it is tried again by itself.",
    "n8n_starting": "Wait until N8N has started; it is tried again by itself.",
    "n8n_gateway_timeout": "Let the Webhook node respond immediately, or give the proxy before N8N more time.",
    "n8n_answer_unclear": "Let the Webhook node respond with JSON, so that a delivery is confirmed.",
}

OF_ANSWERS = {
    "n8n_busy": "N8N answered that it cannot take it now.",
    "n8n_starting": "A page instead of a webhook answered; N8N may be starting up.",
    "n8n_gateway_timeout": "A gateway before N8N gave up waiting.",
    "n8n_answer_unclear": "N8N's answer does not say whether it took it.",
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


def _sentence(code: str) -> str:
    wrong_settings = dict(WRONG_SETTING.values())
    return OF_ANSWERS.get(code) or wrong_settings.get(code) or TROUBLE_SENTENCES[Trouble(code)]


CAUSES_OF_FAILURE: dict[str, Cause] = {code: Cause(f"{code.label}.", cure) for code, cure in FAILURES.items()}
CAUSES_OF_DELAY: dict[str, Cause] = {str(code): Cause(_sentence(code), cure) for code, cure in DELIVERIES.items()}
