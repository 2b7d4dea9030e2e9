"""What accepts an upload, whichever door it came through: the API's, or the admin's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounting.api.body_limits import body_limit_of
from accounting.api.content_encoding import refuse_encoded
from accounting.filenames import display_name
from accounting.problems import Problem, busy
from accounting.request_facts import waited_seconds
from jobs.models import JobEvent
from jobs.services import IdempotencyKeyReused, StoredLongAgo, Submission, UploadRequest, submit_receipt

from .models import Client
from .serializers import ReceiptUploadSerializer
from .services import JustPurged
from .validators import check_upload

PATIENCE_SECONDS = 20.0  # for a thread; with all else that an upload may wait for it is answered within a minute
ONE_FILE = "Send one receipt per request, as the part `file`; the other parts are text, without file names."
FORM = ("notion_database_id", "allow_duplicate")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, kw_only=True)
class Uploader:
    """Who uploads, and how that is written down.

    Attributes:
        client: whose receipt it is.
        source, actor, log: as `UploadRequest` has them.
    """

    client: Client
    source: JobEvent.Source
    actor: str
    log: Callable[[Submission], None] | None = None


def accept_upload_request(request: Request, uploader: Uploader) -> Submission:
    """Accept the one receipt that a request brings.

    Raises:
        Problem, ValidationError: what is wrong with it.
    """
    refuse_unread(request)
    _refuse_further_files(request)
    _refuse_several_answers(request)
    key = _idempotency_key(request)
    return accept_upload(request.data, uploader, idempotency_key=key)


def accept_upload(form: Any, uploader: Uploader, *, idempotency_key: str) -> Submission:
    """Accept a receipt: look at the form, then at the file, and submit it.

    Args:
        form: the fields of `ReceiptUploadSerializer`.

    Raises:
        Problem, ValidationError: what is wrong with it.
    """
    serializer = ReceiptUploadSerializer(data=form)
    serializer.is_valid(raise_exception=True)
    fields = serializer.validated_data
    upload = UploadRequest(
        client=uploader.client,
        upload=check_upload(fields["file"]),
        filename=display_name(fields["file"].name or ""),
        notion_database_id=fields["notion_database_id"],
        allow_duplicate=fields["allow_duplicate"],
        idempotency_key=idempotency_key,
        source=uploader.source,
        actor=uploader.actor,
        log=uploader.log,
    )
    try:
        return submit_receipt(upload)
    except IdempotencyKeyReused:
        raise Problem(
            422, "idempotency_key_reused", "This Idempotency-Key came with another request before; use a new one."
        ) from None
    except (JustPurged, StoredLongAgo):
        raise busy() from None


def refuse_unread(request: Request | HttpRequest) -> None:
    """Refuse an upload before its form is read.

    Raises:
        Problem: it is compressed, or over the limit; or it has waited for so long that its client may have gone, and
            would send again what is being looked at.
    """
    refuse_encoded(request)
    limit = body_limit_of(request.path)
    if declared_length(request) > limit.size:
        raise limit.problem()
    if waited_seconds(request) > PATIENCE_SECONDS:
        raise busy()


def declared_length(request: Request | HttpRequest) -> int:
    """Return how many bytes the body has, by its header."""
    try:
        return int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return 0  # as Django takes it: there is no body then


def _refuse_further_files(request: Request) -> None:
    """Refuse all rather than take one and lose the others."""
    if sum(len(files) for _, files in request.FILES.lists()) > 1:
        raise Problem(400, "too_many_files", ONE_FILE)


def _refuse_several_answers(request: Request) -> None:
    """Refuse a form that says two things of one: whichever were taken, the other was meant as well."""
    several = [name for name, values in request.POST.lists() if name in FORM and len(set(values)) > 1]
    if several:
        raise ValidationError({name: ["Send it once."] for name in several})


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(400, "idempotency_key_invalid", "Idempotency-Key takes 1 to 255 visible ASCII characters.")
    return key
