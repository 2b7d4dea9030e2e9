"""Rows and files for tests."""

import hashlib
from functools import cache
from typing import Any

import factory
from django.core.files.base import ContentFile
from django.utils import timezone
from factory.django import DjangoModelFactory

from jobs.failures import FailureCode
from jobs.models import JobLog
from receipts.models import Client, Receipt, Rendition
from receipts.sample import draw_receipt

SMALL = (180, 280)
DATABASE_ID = "0123abcd-4567-89ab-cdef-0123456789ab"
END_OF_JPEG = b"\xff\xd9"


def small_receipt(number: int = 1) -> bytes:
    """Return a drawn receipt, each number another file: to draw each takes long, so that a comment tells them apart."""
    comment = b"\xff\xfe" + (2 + 10).to_bytes(2) + b"%010d" % number
    return _drawn().removesuffix(END_OF_JPEG) + comment + END_OF_JPEG


@cache
def _drawn() -> bytes:
    return draw_receipt(size=SMALL)


class ClientFactory(DjangoModelFactory[Client]):
    """Whoever uploads."""

    class Meta:
        model = Client

    name = factory.Sequence(lambda number: f"Shop {number}")


class ReceiptFactory(DjangoModelFactory[Receipt]):
    """A receipt whose file is really there."""

    class Meta:
        model = Receipt

    class Params:
        content = factory.Sequence(small_receipt)

    client = factory.SubFactory(ClientFactory)
    file = factory.LazyAttribute(lambda receipt: ContentFile(receipt.content, name="receipt.jpg"))
    sha256 = factory.LazyAttribute(lambda receipt: hashlib.sha256(receipt.content).hexdigest())
    size = factory.LazyAttribute(lambda receipt: len(receipt.content))
    content_type = "image/jpeg"
    width, height = SMALL


class RenditionFactory(DjangoModelFactory[Rendition]):
    """What was made of a receipt for N8N; its file is really there, though no picture."""

    class Meta:
        model = Rendition

    class Params:
        content = b"made"

    receipt = factory.SubFactory(ReceiptFactory)
    file = factory.LazyAttribute(lambda rendition: ContentFile(rendition.content, name="rendition.jpg"))
    sha256 = factory.LazyAttribute(lambda rendition: hashlib.sha256(rendition.content).hexdigest())
    size = factory.LazyAttribute(lambda rendition: len(rendition.content))
    content_type = "image/jpeg"
    width, height = 1, 1
    most_bytes = 100


class JobFactory(DjangoModelFactory[JobLog]):
    """A job, queued and due unless a trait says otherwise."""

    class Meta:
        model = JobLog

    receipt = factory.SubFactory(ReceiptFactory)
    client = factory.SelfAttribute("receipt.client")
    filename = "receipt.jpg"
    notion_database_id = DATABASE_ID
    due_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[JobLog], *args: Any, **fields: Any) -> JobLog:
        job: JobLog = super()._create(model_class, *args, **fields)
        job.now = timezone.now()  # as of a claim
        return job

    class Params:
        sending = factory.Trait(status=JobLog.Status.SENDING, attempts=1, tries=1)
        processing = factory.Trait(
            status=JobLog.Status.PROCESSING,
            attempts=1,
            tries=1,
            delivered_at=factory.LazyFunction(timezone.now),
            n8n_execution_id="17",
        )
        unconfirmed = factory.Trait(status=JobLog.Status.PROCESSING, attempts=1, tries=1)
        success = factory.Trait(
            status=JobLog.Status.SUCCESS,
            attempts=1,
            tries=1,
            due_at=None,
            completed_at=factory.LazyFunction(timezone.now),
            notion_page_url="https://www.notion.so/0123",
            n8n_execution_id="17",
        )
        failure = factory.Trait(
            status=JobLog.Status.FAILURE,
            attempts=1,
            tries=1,
            due_at=None,
            completed_at=factory.LazyFunction(timezone.now),
            failure_code=FailureCode.CALLBACK_TIMEOUT,
        )


def job_in(status: JobLog.Status, **fields: Any) -> JobLog:
    """Return a job with that status."""
    traits = {} if status == JobLog.Status.QUEUED else {str(status): True}
    return JobFactory.create(**traits, **fields)
