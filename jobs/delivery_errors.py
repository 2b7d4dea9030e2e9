"""Why a delivery did not arrive: codes of what kept N8N from answering, and of answers that tell of a wrong setting."""

from dataclasses import dataclass

from django.db import models

from .failures import FailureCode


class ErrorCode(models.TextChoices):
    """Why there is no HTTP answer; all but the last two prove that nothing arrived."""

    UNREACHABLE = "n8n_unreachable", "N8N could not be reached."
    UNTRUSTED = "n8n_certificate_untrusted", "N8N's TLS certificate is signed by nobody whom this service trusts."
    EXPIRED = "n8n_certificate_expired", "N8N's TLS certificate has expired, or is not valid yet."
    WRONG_HOST = "n8n_certificate_of_another_host", "N8N's TLS certificate is for another host than its address names."
    NO_TLS = "n8n_speaks_no_tls", "What answers at N8N's address speaks no TLS, or none that this service speaks."
    FILE_MISSING = "file_missing", "The receipt's file cannot be read where this worker looks for it."
    FILE_UNREADABLE = (
        "file_unreadable",
        "No picture can be made of the receipt's file: it is damaged, or takes too much.",
    )
    NOT_PREPARED = (
        "file_not_prepared",
        "The picture to be sent could not be made or stored: the machine is too busy or full.",
    )
    STORAGE_AWAY = "storage_unavailable", "The storage of the receipts' files could not be reached."
    PUT_OFF = "delivery_put_off", "It was not sent: the database was away, or too little of the worker's time was left."
    TIMED_OUT = "n8n_timed_out", "N8N did not answer in time."
    CUT = "n8n_connection_cut", "The connection to N8N was cut."


# The fault is on our side: N8N was not called.
NEVER_SENT = frozenset(
    {
        ErrorCode.FILE_MISSING,
        ErrorCode.FILE_UNREADABLE,
        ErrorCode.NOT_PREPARED,
        ErrorCode.STORAGE_AWAY,
        ErrorCode.PUT_OFF,
    }
)
MAY_HAVE_BEEN_SENT = frozenset({ErrorCode.TIMED_OUT, ErrorCode.CUT})
OF_TLS = frozenset({ErrorCode.UNTRUSTED, ErrorCode.EXPIRED, ErrorCode.WRONG_HOST, ErrorCode.NO_TLS})
MENDED_BY_PEOPLE = OF_TLS | {ErrorCode.FILE_MISSING, ErrorCode.NOT_PREPARED, ErrorCode.STORAGE_AWAY}
AT_LAST = {
    ErrorCode.FILE_MISSING: FailureCode.FILE_MISSING,
    ErrorCode.NOT_PREPARED: FailureCode.NOT_SENT,
    ErrorCode.STORAGE_AWAY: FailureCode.NOT_SENT,
    ErrorCode.PUT_OFF: FailureCode.NOT_SENT,
}

# N8N 2.41's words where it could not begin a workflow, and where one that answers by its last node was stopped.
NOT_EXECUTED = b"There was a problem executing the workflow"

# What an answer says that neither confirms nor tells of a wrong setting; its status may follow, so no full stop does.
OF_ANSWERS = {
    "n8n_busy": "N8N answered that it cannot take it now",
    "n8n_starting": "A page instead of a webhook answered; N8N may be starting up",
    "n8n_gateway_timeout": "A gateway before N8N gave up waiting",
    "n8n_cloud_timeout": "N8N Cloud gave up waiting for the workflow's answer",
    "n8n_answer_unclear": "N8N's answer does not say whether it took it",
    "n8n_run_unclear": "N8N's answer does not say whether it began the workflow, or somebody stopped it",
}


@dataclass(frozen=True, kw_only=True)
class WrongSetting:
    """An answer that tells of a wrong setting, of ours or of N8N's: it ends no receipt, and somebody must mend it.

    N8N's own words are not quoted: they name the webhook's path, which is a secret.

    Attributes:
        status: of HTTP.
        said: what the body holds; whatever, where it is empty.
        at_least_bytes: of the request that it answers.
        code: a stable one.
        sentence: the same for people.
        at_last: how the job ends where nobody mends it in time.
    """

    status: int
    said: bytes = b""
    at_least_bytes: int = 0
    code: str
    sentence: str
    at_last: FailureCode = FailureCode.N8N_UNAVAILABLE

    def fits(self, status: int, body: bytes, sent: int) -> bool:
        """Tell whether such an answer to so many bytes tells of it."""
        return status == self.status and self.said in body and sent >= self.at_least_bytes


# The first that fits counts. The words are those of N8N 2.41: of its Webhook node, and of what leads there.
WRONG_SETTINGS = (
    WrongSetting(
        status=401,
        said=b'"signature_wrong"',  # of the workflows in n8n/
        code="n8n_signature_wrong",
        sentence="The workflow did not accept the signature.",
    ),
    WrongSetting(status=401, code="n8n_unauthorized", sentence="N8N did not accept our credentials."),
    WrongSetting(
        status=403,
        said=b"IP is not allowed to access the webhook",
        code="n8n_address_not_allowed",
        sentence="N8N's Webhook node takes nothing from the address of this service.",
    ),
    WrongSetting(status=403, code="n8n_forbidden", sentence="N8N did not accept our credentials."),
    WrongSetting(
        status=404,
        said=b"This webhook is not registered for",
        code="n8n_webhook_method",
        sentence="N8N's Webhook node at this address takes another method than POST.",
    ),
    WrongSetting(
        status=404,
        said=b"on the canvas, then try again",
        code="n8n_test_webhook",
        sentence="This is the address of a test, which N8N answers only while somebody tests in its editor.",
    ),
    WrongSetting(
        status=404,
        said=b'"message"',
        code="n8n_webhook_not_found",
        sentence="N8N knows no active webhook at this address.",
    ),
    WrongSetting(
        status=404,
        code="n8n_not_at_this_address",
        sentence="What answers at this address is no webhook of N8N's, or N8N is just starting.",
    ),
    WrongSetting(status=410, code="n8n_webhook_gone", sentence="N8N's webhook at this address is gone."),
    WrongSetting(
        status=500,
        said=b"No authentication data defined on node",
        code="n8n_credential_missing",
        sentence="N8N's Webhook node asks for credentials and has none to compare them with.",
    ),
    WrongSetting(
        status=500,
        said=b"Respond to Webhook node found in the workflow",  # an unused one, or none; nothing has run
        code="n8n_webhook_respond",
        sentence="N8N's Webhook node answers in another way than the workflow does.",
    ),
    WrongSetting(
        status=500,
        said=NOT_EXECUTED,  # it says so of whatever it failed to read, too
        at_least_bytes=1024 * 1024,  # its limit is set in MiB
        code="n8n_payload_too_large",
        sentence="N8N could not begin the workflow, most likely because the request is larger than it takes.",
        at_last=FailureCode.PAYLOAD_TOO_LARGE,
    ),
)


def find_wrong_setting(status: int, body: bytes, sent: int) -> WrongSetting | None:
    """Return which wrong setting an answer to so many bytes tells of, or None."""
    return next((each for each in WRONG_SETTINGS if each.fits(status, body, sent)), None)
