"""The bare service: a row, two views, a worker's function."""

import base64
import hashlib
import io
import os
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import requests
from django.conf import settings
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from PIL import Image
from redis import Redis
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rq import Queue

EIGHTH = 8
redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue("default", connection=redis)
n8n = requests.Session()


class Job(models.Model):
    """One receipt and what became of it."""

    job_id = models.UUIDField(primary_key=True, default=uuid4)
    status = models.CharField(max_length=10, default="queued")
    file = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    filename = models.CharField(max_length=255)
    notion_database_id = models.CharField(max_length=36)
    notion_page_url = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    completed_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["Job"]] = models.Manager()

    class Meta:
        app_label = "bare"

    def __str__(self) -> str:
        return self.filename


class Form(serializers.Serializer[Any]):
    """What an upload brings."""

    file = serializers.FileField()
    notion_database_id = serializers.RegexField("^[0-9a-f]{32}$")


class Upload(APIView):
    """Takes a receipt."""

    parser_classes = (MultiPartParser,)

    def post(self, request: Request) -> Response:
        """Look at the picture, keep it, and ring."""
        form = Form(data=request.data)
        form.is_valid(raise_exception=True)
        file, database = form.validated_data["file"], form.validated_data["notion_database_id"]
        content = file.read()
        _look_at(content)
        job = Job.objects.create(
            file=_keep(content),
            sha256=hashlib.sha256(content).hexdigest(),
            filename=file.name,
            notion_database_id=database,
        )
        queue.enqueue("benchmarks.bare.app.deliver", str(job.pk))
        return Response({"job_id": str(job.pk), "status": job.status}, 202)


class Callback(APIView):
    """Takes N8N's report."""

    parser_classes = (JSONParser,)

    def post(self, request: Request, job_id: UUID) -> Response:
        """End the job."""
        if request.headers.get("X-Callback-Token") != os.environ["CALLBACK_SECRET_TOKEN"]:
            raise AuthenticationFailed
        report = dict(request.data)
        status, page = report["status"], report.get("notion_page_url", "")
        Job.objects.filter(pk=job_id).update(status=status, notion_page_url=page, completed_at=timezone.now())
        return Response({"job_id": str(job_id), "status": status})


def deliver(job_id: str) -> None:
    """Post a receipt to N8N: what the worker does."""
    job = Job.objects.get(pk=job_id)
    callback = f"{os.environ['PUBLIC_BASE_URL']}/api/v1/jobs/{job_id}/callback"
    payload = {
        "job_id": job_id, "image_data": base64.b64encode(Path(job.file).read_bytes()).decode(),
        "filename": job.filename, "notion_database_id": job.notion_database_id, "callback_url": callback,
    }  # fmt: skip
    n8n.post(os.environ["N8N_WEBHOOK_URL"], json=payload, timeout=60).raise_for_status()
    Job.objects.filter(pk=job_id, status="queued").update(status="processing")


def _look_at(content: bytes) -> None:
    """Decode it at an eighth of its size."""
    with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
        picture.draft("RGB", (picture.width // EIGHTH, picture.height // EIGHTH))
        picture.load()


def _keep(content: bytes) -> str:
    folder = Path(settings.MEDIA_ROOT)
    file = folder / f"{uuid4().hex}.jpg"
    with file.open("xb") as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
    entry = os.open(folder, os.O_RDONLY)
    os.fsync(entry)
    os.close(entry)
    return str(file)


def _health(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("health", _health),
    path("api/v1/receipts/upload", Upload.as_view()),
    path("api/v1/jobs/<uuid:job_id>/callback", Callback.as_view()),
]
