"""Receipts over HTTP: upload one, ask for its facts, have its bytes back."""

from collections.abc import Callable
from functools import partial

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.authentication import SessionAuthentication
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from accounting.api.openapi import problems
from accounting.api.openapi_headers import answered, retry_after_header
from accounting.problems import Problem
from jobs.models import JobEvent, JobLog
from jobs.polling import polling_headers
from jobs.serializers import JobCreationResponse

from .authentication import ApiKeyAuthentication, client_of, key_of
from .formats import SHOWN_BY_BROWSERS, SUFFIXES
from .models import Client, Receipt, Rendition
from .parsers import ReceiptFormParser
from .permissions import IsClientOrMayViewReceipts
from .renditions import find_rendition
from .serializers import ReceiptSerializer, ReceiptUploadSerializer
from .services import has_file
from .throttles import UploadThrottle
from .uploading import Uploader, accept_upload_request

NO_RENDITION = "There is no other picture of this receipt: it is sent as it came, or one is made when it is sent."

OF_A_FILE = (401, 403, 404, 410, 429)
FILE_NAME = answered(
    "Content-Disposition", 200, description="its name; `attachment` unless every browser shows such files"
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="the same key, the same job: a request that brings one may be repeated safely",
)
describe_upload = partial(
    extend_schema,
    request={"multipart/form-data": ReceiptUploadSerializer},
    responses={
        200: OpenApiResponse(JobCreationResponse, "the job that the same upload was answered with before"),
        202: OpenApiResponse(JobCreationResponse, "a new job"),
    }
    | problems(401, 403, 408, 413, 415, 422, 429, 507),
    parameters=[
        IDEMPOTENCY_KEY,
        OpenApiParameter(
            "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[200, 202], description="the job"
        ),
        retry_after_header(200, 202, when="while the job is open"),
    ],
    auth=[{"ApiKey": []}],  # type: ignore[list-item] # the document takes objects; a session uploads nothing
)


@extend_schema_view(
    retrieve=extend_schema(
        operation_id="get_receipt",
        summary="A receipt's facts",
        responses={200: OpenApiResponse(ReceiptSerializer, "the receipt")} | problems(401, 403, 404, 429),
    )
)
class ReceiptViewSet(RetrieveModelMixin, GenericViewSet[Receipt]):
    """A client's own receipts; staff who may see receipts may look at all of them."""

    authentication_classes = (ApiKeyAuthentication, SessionAuthentication)
    permission_classes = (IsClientOrMayViewReceipts,)
    parser_classes = (ReceiptFormParser,)
    serializer_class = ReceiptSerializer
    queryset = Receipt.objects.none()
    nothing_found = "You have no receipt with this id."  # whether it is somebody else's is not told

    def get_queryset(self) -> QuerySet[Receipt]:
        """Return the receipts that the caller may see."""
        if isinstance(self.request.user, Client):
            return Receipt.objects.filter(client=self.request.user)
        return Receipt.objects.all()

    def get_throttles(self) -> list[BaseThrottle]:
        """Return what bounds uploads, and nothing else; it is asked before the body is looked at."""
        return [UploadThrottle()] if self.action in ("upload", "create") else []

    @describe_upload(operation_id="upload_receipt", summary="Upload a receipt")
    def upload(self, request: Request) -> Response:
        """Take a receipt in: 202 with a new job, or 200 with the job that it was answered with before."""
        uploader = Uploader(client=client_of(request), source=JobEvent.Source.API, actor=key_of(request))
        submission = accept_upload_request(request, uploader)
        return _answer(request, submission.job, status=202 if submission.created else 200)

    @describe_upload(operation_id="create_receipt", summary="Upload a receipt, under another address")
    def create(self, request: Request) -> Response:
        """Take a receipt in, as `upload_receipt` does."""
        return self.upload(request)

    @extend_schema(
        operation_id="get_receipt_file",
        summary="A receipt's file",
        responses={
            (200, content_type): OpenApiResponse(OpenApiTypes.BINARY, "the bytes as they came")
            for content_type in ("image/*", "application/pdf", "application/octet-stream")
        }
        | problems(*OF_A_FILE),
        parameters=[FILE_NAME],
    )
    def file(self, request: Request, pk: str) -> FileResponse:
        """Return the bytes as they came, to their own client or to staff."""
        return self._served(_file)

    @extend_schema(
        operation_id="get_receipt_rendition",
        summary="The picture that N8N gets of a receipt",
        responses={(200, "image/jpeg"): OpenApiResponse(OpenApiTypes.BINARY, "the picture")} | problems(*OF_A_FILE),
        parameters=[FILE_NAME],
    )
    def rendition(self, request: Request, pk: str) -> FileResponse:
        """Return the picture that N8N gets of it, where it is not the bytes as they came."""
        return self._served(_rendition)

    def _served(self, answer: Callable[[Receipt], FileResponse]) -> FileResponse:
        try:
            return answer(self.get_object())
        except FileNotFoundError:  # deleted, or made anew, since the row was read
            return answer(self.get_object())


def _file(receipt: Receipt) -> FileResponse:
    if not has_file(receipt):
        raise _gone(receipt)
    return _serve(receipt)


def _rendition(receipt: Receipt) -> FileResponse:
    if receipt.purged_at is not None:
        raise _gone(receipt)
    made = find_rendition(receipt)
    if made is None:
        raise Problem(404, "rendition_missing", NO_RENDITION)
    return _serve(made)


def _gone(receipt: Receipt) -> Problem:
    if receipt.purged_at is None:
        return Problem(404, "file_gone", "The receipt's file is no longer there.")
    return Problem(410, "file_gone", f"The receipt's file was deleted by rule on {receipt.purged_at:%Y-%m-%d}.")


def _serve(stored: Receipt | Rendition) -> FileResponse:
    """Answer with a file so that it can do no harm, and so that a browser asks where to put what it cannot show."""
    known = stored.content_type in SUFFIXES  # what a browser is told it is comes from our own list, or is nothing
    response = FileResponse(
        stored.file.open("rb"),
        as_attachment=stored.content_type not in SHOWN_BY_BROWSERS,
        content_type=stored.content_type if known else "application/octet-stream",
        filename=f"receipt-{stored.pk}{SUFFIXES.get(stored.content_type, '')}",
    )
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _answer(request: Request, job: JobLog, *, status: int) -> Response:
    data = JobCreationResponse(job, context={"request": request}).data
    return Response(data, status=status, headers={"Location": data["url"], **polling_headers(job)})
