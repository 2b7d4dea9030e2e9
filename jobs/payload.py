"""What is sent to N8N: one JSON object with the receipt in base64, never whole in memory."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.urls import reverse

from receipts.models import Receipt

from .models import JobLog
from .signatures import callback_token

PIECE_BYTES = 3 * 32 * 1024  # base64 turns three bytes into four characters: pieces of a multiple of three join up


class FileMissing(Exception):
    """The receipt's file is not where its row says, not as long, or cannot be read."""


class Payload:
    """The body of one delivery: its length is known, its bytes come in pieces, as often as they are asked for.

    Raises:
        FileMissing: there is nothing to send.
    """

    def __init__(self, job: JobLog) -> None:
        self._receipt = job.receipt
        _check_file(self._receipt)
        self._head = json.dumps(_fields(job))[:-1].encode() + b', "image_data": "'
        self._tail = b'"}'

    def __len__(self) -> int:
        encoded = (self._receipt.size + 2) // 3 * 4
        return len(self._head) + encoded + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from _encoded(self._receipt)
        yield self._tail


def callback_url(job: JobLog) -> str:
    """Return the absolute address at which N8N reports on the job."""
    return f"{settings.CALLBACK_BASE_URL}{reverse('job-callback', args=[job.job_id])}"


def _fields(job: JobLog) -> dict[str, Any]:
    return {
        "job_id": str(job.job_id),
        "filename": job.filename,
        "content_type": job.receipt.content_type,
        "sha256": job.receipt.sha256,
        "notion_database_id": job.notion_database_id,
        "callback_url": callback_url(job),
        "callback_token": callback_token(job.job_id),
        "attempt": job.attempts,
    }


def _check_file(receipt: Receipt) -> None:
    with _opened(receipt) as file:
        if file.size != receipt.size:
            raise FileMissing(str(receipt.pk))


def _encoded(receipt: Receipt) -> Iterator[bytes]:
    with _opened(receipt) as file:
        while piece := file.read(PIECE_BYTES):
            yield base64.b64encode(piece)


def _opened(receipt: Receipt) -> "File[bytes]":
    try:
        return receipt.file.storage.open(receipt.file.name or "")
    except OSError:
        raise FileMissing(str(receipt.pk)) from None
