"""What N8N is sent: the facts of a job and its picture, in the form that `N8N_PAYLOAD` names; never whole in memory."""

import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.files.base import File

from receipts.formats import name_as
from receipts.models import Receipt, Rendition
from receipts.rendering import can_be_sent
from receipts.renditions import prepare_rendition
from receipts.storage import StorageAway

from .encodings import ENCODINGS, Encoding, Fields
from .models import JobLog
from .signatures import callback_token

PIECE_BYTES = 3 * 32 * 1024  # a multiple of three, so that pieces in base64 join up
FRAME_BYTES = 16 * 1024  # what is around the picture: a name of 255 letters, written as twelve each, is the most of it


class FileMissing(Exception):
    """The receipt's file is not where its row says, not as long, or cannot be read."""


class Payload:
    """The body of one delivery: its length is known, its bytes come in pieces, as often as they are asked for.

    Its file is open for as long as there is somebody who holds it.

    Raises:
        FileMissing: there is nothing to send.
        StorageAway: whether there is something is not known now.
        Unreadable, NotMade: N8N could not read it as it came, and nothing was made of it.
    """

    def __init__(self, job: JobLog) -> None:
        self._sent, self._file = _chosen(job.receipt)  # opened once: what is deleted meanwhile can be read all the same
        weakref.finalize(self, self._file.close)
        self._encoding = _encoding()(_fields(job, self._sent))

    @property
    def content_type(self) -> str:
        """The type of the body."""
        return self._encoding.content_type

    @property
    def picture(self) -> dict[str, Any]:
        """What can be said of the picture in it."""
        return {"content_type": self._sent.content_type, "size": self._sent.size, "sha256": self._sent.sha256}

    def __len__(self) -> int:
        around = len(self._encoding.head) + len(self._encoding.tail)
        return around + self._encoding.encoded_size(self._sent.size)

    def __iter__(self) -> Iterator[bytes]:
        yield self._encoding.head
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield self._encoding.encode(piece)
        yield self._encoding.tail


def callback_url(job: JobLog) -> str:
    """Return the absolute address at which N8N reports on the job."""
    return f"{settings.CALLBACK_BASE_URL}/api/v1/jobs/{job.job_id}/callback"  # to reverse it would load all views


def most_bytes() -> int:
    """Return how large a file may be, so that it fits into a request that N8N takes."""
    return _encoding().room(settings.N8N_MAX_PAYLOAD_MB * 1024 * 1024 - FRAME_BYTES)


def _encoding() -> type[Encoding]:
    return ENCODINGS[settings.N8N_PAYLOAD]


def _chosen(receipt: Receipt) -> "tuple[Receipt | Rendition, File[bytes]]":
    """Return the receipt itself where N8N can read it, or what was made of it; and its bytes, which are here then."""
    with ExitStack() as unless_sent:
        file = unless_sent.enter_context(_opened(receipt))
        if file.size != receipt.size:
            raise FileMissing(str(receipt.pk))
        if can_be_sent(receipt, file, most_bytes=most_bytes()):
            unless_sent.pop_all()
            return receipt, file
        made = prepare_rendition(receipt, file, most_bytes=most_bytes(), seconds=settings.N8N_PREPARATION_SECONDS)
    return made, _opened(made)


def _fields(job: JobLog, sent: Receipt | Rendition) -> Fields:
    return {
        "job_id": str(job.job_id),
        # Notion refuses a suffix that is not the type's (https://developers.notion.com/reference/create-a-file-upload)
        "filename": name_as(sent.content_type, job.filename),
        "content_type": sent.content_type,
        "sha256": sent.sha256,
        "notion_database_id": job.notion_database_id,
        "callback_url": callback_url(job),
        "callback_token": callback_token(job.job_id),
        "attempt": job.attempts,
        **({"canary": True} if job.is_canary else {}),
    }


def _opened(sent: Receipt | Rendition) -> "File[bytes]":
    """Open the file and fetch it from where it lies: once a request has begun, nothing of it may be missing."""
    try:
        return sent.file.storage.open(sent.file.name or "").open()
    except StorageAway:
        raise
    except OSError:
        raise FileMissing(str(sent.pk)) from None
