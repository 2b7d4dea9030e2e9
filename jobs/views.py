"""Jobs over HTTP: their status for clients, and the callback for N8N."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import APIException, NotFound
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounting.api.openapi import problems
from accounting.api.openapi_headers import answered, retry_after_header
from accounting.clock import moment_in
from accounting.problems import Problem, problem_of
from accounting.throttling import count_failure
from receipts.authentication import client_of

from . import services, signatures
from .callbacks import Report, Verdict
from .filters import JobFilter
from .models import JobLog
from .parsers import BoundedJSONParser
from .polling import polling_headers
from .serializers import ExecutionCallbackPayload, JobCallbackPayload, JobCallbackResponse, JobSerializer
from .signatures import TOKEN_HEADER

token_header = partial(OpenApiParameter, TOKEN_HEADER, str, OpenApiParameter.HEADER, required=True)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="the ETag of an answer before: 304 unless it has changed"
)
ETAG = answered("ETag", 200, 304, description="another one once the job has changed")
describe_callback = partial(
    extend_schema,
    responses={200: OpenApiResponse(JobCallbackResponse, "the report is taken")}
    | problems(401, 404, 409, 413, 415, 429),
    tags=["callbacks"],
)
SAYS_NOTHING = Cursor(offset=0, reverse=False, position=None)


class NewestFirst(CursorPagination):
    """Pages that stay put while new jobs come in; one of those being uploaded just now may appear among them."""

    ordering = "-created_at"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    invalid_cursor_message = "The cursor is damaged; take it as it is from `next` or `previous`, or begin without one."
    cursor_query_description = "as it is in the address `next` or `previous` of another page"
    page_size_query_description = (
        f"how many jobs a page has; more than {max_page_size} count as {max_page_size}, what is no such number as "
        f"{page_size}"
    )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return what the OpenAPI document says of the parameters."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        sizes = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= sizes
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return what the OpenAPI document says of a page: both addresses are always there."""
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        for name, which in (("next", "older"), ("previous", "newer")):
            page["properties"][name] |= {"description": f"the page of {which} jobs; null if there is none"}
            del page["properties"][name]["example"]
        return page | {"required": ["next", "previous", "results"]}

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor, unless it was damaged on its way.

        Raises:
            NotFound: it was.
        """
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor == SAYS_NOTHING and request.query_params[self.cursor_query_param]:
            raise NotFound(self.invalid_cursor_message)
        if cursor is None or cursor.position is None:
            return cursor
        if (position := moment_in(str(cursor.position))) is None:
            raise NotFound(self.invalid_cursor_message)
        return cursor._replace(position=position.isoformat())  # type: ignore[arg-type] # the stubs have it wrong


@extend_schema_view(
    list=extend_schema(
        operation_id="list_jobs",
        summary="The client's own jobs, newest first",
        description="Jobs that are uploaded at the same time may appear a little later than `created_at` says, below "
        "newer ones. To follow the list, ask each time with `created_after` one minute before the newest job that you "
        "know, and ignore the jobs that you know already.",
        responses={200: OpenApiResponse(JobSerializer(many=True), "a page of them")} | problems(401, 404, 429),
    ),
    retrieve=extend_schema(
        operation_id="get_job",
        summary="What became of a receipt",
        responses={
            200: OpenApiResponse(JobSerializer, "the job"),
            304: OpenApiResponse(description="it is as the caller knows it"),
        }
        | problems(401, 404, 429),
        parameters=[IF_NONE_MATCH, ETAG, retry_after_header(200, 304, when="while the job is open")],
    ),
)
class JobViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[JobLog]):
    """The client's own jobs."""

    serializer_class = JobSerializer
    pagination_class = NewestFirst
    filterset_class = JobFilter
    queryset = JobLog.objects.none()
    lookup_field = "job_id"
    nothing_found = "You have no job with this id."  # whether it is another client's is not told

    def get_queryset(self) -> QuerySet[JobLog]:
        """Return the jobs of the client that asks."""
        return JobLog.objects.filter(client=client_of(self.request))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the job, or with 304 where the caller has it as it is (RFC 9110 section 13.1.2)."""
        job = self.get_object()
        data = self.get_serializer(job).data
        etag = f'"{hashlib.sha256(repr(data).encode()).hexdigest()[:32]}"'
        known = {tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))}
        headers = {"ETag": etag, **polling_headers(job)}
        return Response(status=304, headers=headers) if known & {etag, "*"} else Response(data, headers=headers)


class _TokenView(APIView):
    """Takes reports from whoever has a token; each looks at that itself."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (BoundedJSONParser,)


class CallbackView(_TokenView):
    """Where N8N reports what became of a receipt. Never redirected, always answered in JSON."""

    @describe_callback(
        operation_id="job_callback",
        summary="Report on a job",
        request=JobCallbackPayload,
        parameters=[token_header(description="the `callback_token` that came with the receipt, or a global one")],
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Take a report on one job, under the job's own token or a global one."""
        actor = _token_of(request, job_id)
        with _noting_refusal(lambda: job_id, actor):
            payload = JobCallbackPayload(data=request.data)
            payload.is_valid(raise_exception=True)
        return _complete(job_id, payload.to_report(), actor=actor)


class ExecutionCallbackView(_TokenView):
    """The same for error workflows, which know their execution and no job."""

    @describe_callback(
        operation_id="execution_callback",
        summary="Report on the job that an execution works on",
        request=ExecutionCallbackPayload,
        parameters=[token_header(description="a global one, of `CALLBACK_SECRET_TOKEN`")],
    )
    def post(self, request: Request) -> Response:
        """Take a report on the open job that the execution works on, under a global token."""
        actor = _token_of(request)
        payload = ExecutionCallbackPayload(data=request.data)
        with _noting_refusal(partial(_job_of, payload), actor):
            payload.is_valid(raise_exception=True)
        job_id = _job_of(payload)
        if job_id is None:
            raise Problem(404, "job_not_found", "No open job, or more than one, is worked on by this execution.")
        return _complete(job_id, payload.to_report(), actor=actor)


def _token_of(request: Request, job_id: UUID | None = None) -> str:
    """Return which kind of token the report came with: this job's own, or a global one.

    Raises:
        Problem: 401 `callback_token_invalid`.
        Throttled: the same, after too many of those from one address.
    """
    token = request.headers.get(TOKEN_HEADER, "")
    if job_id and signatures.is_job_token(job_id, token):
        return "job token"
    if signatures.is_global_token(token):
        return "global token"
    count_failure("callback_token", request)
    wanted = "the callback_token that came with the receipt" if job_id else "one of CALLBACK_SECRET_TOKEN"
    raise Problem(
        401,
        "callback_token_invalid",
        f"{TOKEN_HEADER} is missing or wrong: send {wanted}.",
        headers={"WWW-Authenticate": TOKEN_HEADER},
    )


@contextmanager
def _noting_refusal(job_id: Callable[[], UUID | None], actor: str) -> Iterator[None]:
    """Leave a trace of what is refused inside on the job that it was meant for."""
    try:
        yield
    except APIException as refusal:
        if (meant := job_id()) and (problem := problem_of(refusal)):
            services.note_refused_callback(meant, code=problem.code, actor=actor, fields=problem.errors or ())
        raise


def _job_of(payload: ExecutionCallbackPayload) -> UUID | None:
    """Return the open job that the execution works on, where the report names one at all."""
    if "execution_id" in payload.errors:
        return None
    return services.find_open_job(
        payload.fields["execution_id"].to_internal_value(payload.initial_data["execution_id"])
    )


def _complete(job_id: UUID, report: Report, *, actor: str) -> Response:
    try:
        completion = services.complete_job(job_id, report, actor=actor)
    except JobLog.DoesNotExist:
        raise Problem(404, "job_not_found", "There is no such job.") from None
    job = completion.job
    if completion.verdict is Verdict.CONTRADICTION:
        failed = job.status == JobLog.Status.FAILURE
        unless = ", unless another execution reports a success by its execution_id" if failed else ""
        raise Problem(409, "outcome_contradicts", f"The job has ended as {job.status} already, and stays so{unless}.")
    answer = {"job_id": job.job_id, "status": job.status, "duplicate": completion.verdict is Verdict.REPEAT}
    return Response(JobCallbackResponse(answer).data)
