"""Uploads by staff: a page for many files, and the address that its script sends each of them to."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, NoReturn

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounting.admin.base import ReadOnlyAdmin
from accounting.admin_site.access import may_open
from accounting.api.body_limits import body_limit_of, not_logged_in
from accounting.problems import Problem, problem_of
from accounting.staff import log_action
from jobs.models import JobEvent, JobLog
from jobs.services import Submission
from receipts.formats import CONTENT_TYPES
from receipts.models import Client
from receipts.parsers import ReceiptFormParser
from receipts.permissions import is_staff_with
from receipts.uploading import Uploader, accept_upload, accept_upload_request, declared_length, refuse_unread

PERMISSION = "jobs.add_joblog"
LATELY = 500  # jobs that are looked through for databases
CHOICES = 6
NO_FILE = "Choose at least one file."
FORM_KEY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class UploadOutcome:
    """What became of one file, for the page without script."""

    name: str
    submission: Submission | None = None
    refusal: str = ""


class Database(NamedTuple):
    """A Notion database, how many of the latest jobs are for it, and whose they are, the latest client first."""

    pk: str
    number: int
    clients: list[str]


class MayUpload(BasePermission):
    """Lets in staff who may add jobs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the request comes from such staff."""
        return is_staff_with(PERMISSION, request)


@extend_schema(exclude=True)  # it is the page's own, and no part of the API
@method_decorator(never_cache, name="dispatch")
class UploadView(APIView):
    """Takes one file of the page in; errors are problem details, as the API's are."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (MayUpload,)
    parser_classes = (ReceiptFormParser,)

    def post(self, request: Request) -> Response:
        """Answer 202 with a new job, or 200 with the one that was there."""
        submission = accept_upload_request(request, _uploader(request.user))
        job = submission.job
        address = reverse("admin:jobs_joblog_change", args=[job.pk]) if may_open(request, JobLog) else ""
        answer = {"job_id": job.pk, "created": submission.created, "name": str(job), "address": address}
        return Response(answer, status=202 if submission.created else 200)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Say which of the two it is.

        Raises:
            Problem: always.
        """
        if request.user is None:
            raise not_logged_in()
        raise Problem(403, "permission_denied", "You may not upload receipts.")


class UploadsReceipts(ReadOnlyAdmin[JobLog]):
    """Lets whoever may add jobs do so: by uploading receipts."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may upload."""
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        """Return Django's addresses and that to which the page's script sends files."""
        return [path("add/file/", UploadView.as_view(), name="jobs_joblog_upload"), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the page; take in what it sends where no script does."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Upload receipts",
            "opts": self.opts,
            "outcomes": list(_accept_all(request)) if request.method == "POST" else [],
            "form_key": secrets.token_hex(16),
            "chosen": request.POST.get("notion_database_id", ""),
            "written": request.POST.get("other_database", ""),
            "allow_duplicate": "allow_duplicate" in request.POST,
            "databases": databases_of_late(),
            "accept": ",".join(accepted_types()),
            "formats": ", ".join(name.upper() for name in settings.UPLOAD_FORMATS),
            "most_bytes": settings.UPLOAD_MAX_BYTES,
            "most_megabytes": settings.UPLOAD_MAX_MB,
            "most_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        }
        return TemplateResponse(request, "admin/jobs/joblog/upload.html", context)


def databases_of_late() -> list[Database]:
    """Return the databases of the latest jobs, the one used last first."""
    latest = JobLog.objects.filter(is_canary=False).order_by("-created_at")
    used: dict[str, list[str]] = {}
    for database, client in latest.values_list("notion_database_id", "client__name")[:LATELY]:
        used.setdefault(database, []).append(client)
    return [Database(pk, len(names), list(dict.fromkeys(names))) for pk, names in used.items()][:CHOICES]


def accepted_types() -> list[str]:
    """Return what a browser's file dialogue shows; phones name HEIC pictures in either way."""
    types = [CONTENT_TYPES[name] for name in settings.UPLOAD_FORMATS]
    return [*types, "image/heif", ".heic", ".heif"] if "heic" in settings.UPLOAD_FORMATS else types


def _accept_all(request: HttpRequest) -> Iterator[UploadOutcome]:
    """Accept each file of a form by itself: what is wrong with one stops no other."""
    files = request.FILES.getlist("file")
    if not files:
        yield UploadOutcome(name="", refusal=NO_FILE)
    if len(files) > 1 and declared_length(request) > body_limit_of(request.path).size:
        yield UploadOutcome(
            name="", refusal=f"Together they are larger than {settings.UPLOAD_MAX_MB} MB; send fewer at once."
        )
        return
    for number, file in enumerate(files):
        yield _accept_one(request, file, number)


def _accept_one(request: HttpRequest, file: "UploadedFile[bytes]", number: int) -> UploadOutcome:
    """Accept one; the form's own key lets a page that is loaded again send it again and have the same job."""
    form_key = request.POST.get("form_key", "")
    key = f"{form_key}-{number}" if FORM_KEY.fullmatch(form_key) else ""
    written, chosen = (request.POST.get(name, "").strip() for name in ("other_database", "notion_database_id"))
    form = {
        "file": file,
        "notion_database_id": written or chosen,
        "allow_duplicate": "allow_duplicate" in request.POST,
    }
    try:
        refuse_unread(request)
        submission = accept_upload(form, _uploader(request.user), idempotency_key=key)
    except Exception as exception:
        problem = problem_of(exception)
        if problem is None:
            raise
        return UploadOutcome(name=file.name or "", refusal=_problem_text(problem))
    return UploadOutcome(name=file.name or "", submission=submission)


def _problem_text(problem: Problem) -> str:
    """Return what is wrong, without the names that the API has for the page's fields."""
    messages = [message for messages in (problem.errors or {}).values() for message in messages]
    return " ".join(messages) or str(problem.detail)


def _uploader(user: User | AnonymousUser) -> Uploader:
    return Uploader(
        client=Client.objects.get_or_create(name=Client.STAFF)[0],
        source=JobEvent.Source.ADMIN,
        actor=user.get_username(),
        log=partial(_log_upload, user),
    )


def _log_upload(user: User | AnonymousUser, submission: Submission) -> None:
    flag, message = (ADDITION, "uploaded") if submission.created else (CHANGE, "uploaded again: it was there already")
    log_action(user, submission.job, message, flag=flag)
