"""The verbs: everything that may happen to a job, each in one transaction with the event that tells of it."""

from .bulk import operate, operate_on_all
from .completion import complete_job, find_open_job, note_refused_callback
from .delivery import claim_job, free_places, is_claimed, mark_delivered, request_id_of
from .ending import fail, may_be_filed, why_refused
from .operation import NotNow, Seen, cancel_job, resend_job, retry_job, why_not_retry
from .purging import purge_receipt
from .submission import IdempotencyKeyReused, StoredLongAgo, Submission, UploadRequest, submit_receipt

__all__ = [
    "IdempotencyKeyReused",
    "NotNow",
    "Seen",
    "StoredLongAgo",
    "Submission",
    "UploadRequest",
    "cancel_job",
    "claim_job",
    "complete_job",
    "fail",
    "find_open_job",
    "free_places",
    "is_claimed",
    "mark_delivered",
    "may_be_filed",
    "note_refused_callback",
    "operate",
    "operate_on_all",
    "purge_receipt",
    "request_id_of",
    "resend_job",
    "retry_job",
    "submit_receipt",
    "why_not_retry",
    "why_refused",
]
