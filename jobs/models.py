"""What becomes of a receipt, and everything that happened to it."""

import uuid
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounting.clock import DatabaseNow
from receipts.models import Client, Receipt

from .delivery_errors import NEVER_SENT
from .failures import FailureCode
from .figures import HourlyFigures as HourlyFigures
from .figures import SpanFigures as SpanFigures
from .heartbeats import Heartbeat as Heartbeat
from .idempotency import IdempotencyKey as IdempotencyKey
from .metrics.totals import EventTotals as EventTotals
from .proof.seal import Seal as Seal
from .texts import safe_link


class JobLog(models.Model):
    """One receipt on its way to one Notion database."""

    class Status(models.TextChoices):
        """Where the job is; `ALLOWED` says where it may go from there."""

        QUEUED = "queued", "Queued"  # waits for a worker; may be claimed from due_at on
        SENDING = "sending", "Sending"  # a worker is posting it; its lease ends at due_at
        PROCESSING = "processing", "Processing"  # N8N has it, or may have it; the callback must be in by due_at
        SUCCESS = "success", "Success"  # N8N filed it
        FAILURE = "failure", "Failure"  # it ended without a page; failure_code says why

    ALLOWED = {
        Status.QUEUED: {Status.SENDING, Status.SUCCESS, Status.FAILURE},
        Status.SENDING: {Status.QUEUED, Status.PROCESSING, Status.SUCCESS, Status.FAILURE},
        Status.PROCESSING: {Status.QUEUED, Status.SUCCESS, Status.FAILURE},
        Status.SUCCESS: frozenset[Status](),
        Status.FAILURE: {Status.QUEUED, Status.SUCCESS},
    }
    OPEN = (Status.QUEUED, Status.SENDING, Status.PROCESSING)
    IN_FLIGHT = (Status.SENDING, Status.PROCESSING)
    MAX_PAGE_URL, MAX_EXECUTION_ID = 2000, 100  # letters
    LATE = timedelta(minutes=1)  # a sweep passes every five seconds, and a worker comes by sooner

    job_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    receipt = models.ForeignKey(Receipt, on_delete=models.PROTECT, related_name="jobs")
    # repeated here, like the file's name, so that the row reads alone and a client's list needs no join
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="jobs")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    filename = models.CharField(max_length=255, blank=True, help_text="as the client named it; for display only")
    notion_database_id = models.CharField(max_length=36)
    attempts = models.PositiveIntegerField(default=0, help_text="all deliveries ever begun")
    tries = models.PositiveIntegerField(default=0, help_text="deliveries begun in the present round")
    due_at = models.DateTimeField(null=True, blank=True, help_text="when something must happen next")
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="when N8N said that it took it")
    completed_at = models.DateTimeField(null=True, blank=True)
    result_message = models.TextField(blank=True)
    notion_page_url = models.CharField("Notion page", max_length=MAX_PAGE_URL, blank=True)
    failure_code = models.CharField(max_length=40, blank=True, choices=FailureCode.choices)
    last_error = models.CharField(
        max_length=40, blank=True, help_text="why the latest delivery did not arrive; empty once one has"
    )
    needs_attention = models.BooleanField(
        default=False, help_text="deliveries fail because of a setting that somebody must mend"
    )
    result = models.JSONField(null=True, blank=True, help_text="what the workflow read from the receipt")
    n8n_execution_id = models.CharField("N8N execution", max_length=MAX_EXECUTION_ID, blank=True)
    duplicate_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="duplicates")
    is_canary = models.BooleanField(
        "canary",
        default=False,
        db_default=False,  # an older version, which knows no such column, goes on inserting
        editable=False,
        help_text="sent by the service itself, to see whether the way to N8N and back works",
    )
    chain_length = models.PositiveIntegerField(default=0, editable=False, help_text="events written so far")
    chain_head = models.CharField(max_length=64, blank=True, editable=False, help_text="signs the next event, too")

    now: datetime  # the database's clock, where the row was read by transitions.lock_job
    is_overdue: bool | None  # by that clock, where the row was read by the admin; None of what has ended

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "job"
        permissions = [
            ("operate_joblog", "Can retry, send again and cancel jobs"),
            ("change_queue", "Can empty the queue, and delete and requeue its rings"),
            ("install_workflows", "Can set up N8N: download and install workflows"),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="job_newest"),
            models.Index(fields=["status", "-created_at"], name="job_newest_by_status"),
            models.Index(fields=["client", "-created_at"], name="job_newest_by_client"),
            # what staff narrow the list by
            models.Index(fields=["client", "status", "-created_at"], name="job_newest_by_client_state"),
            models.Index(fields=["-created_at"], condition=Q(needs_attention=True), name="job_newest_needy"),
            models.Index(fields=["-created_at"], condition=Q(due_at__isnull=False), name="job_newest_open"),
            models.Index(fields=["failure_code", "-created_at"], name="job_newest_by_code"),
            # what was made of the same receipt for the same database
            models.Index(fields=["receipt", "notion_database_id", "-created_at"], name="job_newest_of_receipt"),
            # what staff search by
            models.Index(fields=["notion_database_id", "-created_at"], name="job_newest_by_database"),
            models.Index(fields=["filename"], opclasses=["varchar_pattern_ops"], name="job_filename"),
            # of the open ones only, so that a sweep costs what is overdue and not what was ever done
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="job_due"),
            models.Index(fields=["n8n_execution_id"], condition=Q(due_at__isnull=False), name="job_open_execution"),
            # what the operations page asks besides: what failed lately
            models.Index(
                fields=["status", "completed_at", "failure_code"],
                condition=Q(status="failure", is_canary=False),
                name="job_failed",
            ),
            # whether the way to N8N and back works
            models.Index(fields=["-created_at"], condition=Q(is_canary=True), name="job_newest_canary"),
        ]
        constraints = [
            models.CheckConstraint(
                name="job_status_known",
                condition=Q(status__in=["queued", "sending", "processing", "success", "failure"]),
            ),
            models.CheckConstraint(
                name="job_open_has_due_at",
                condition=Q(status__in=["queued", "sending", "processing"], due_at__isnull=False)
                | Q(status__in=["success", "failure"], due_at__isnull=True),
            ),
            models.CheckConstraint(
                name="job_ended_has_completed_at",
                condition=Q(status__in=["queued", "sending", "processing"], completed_at__isnull=True)
                | Q(status__in=["success", "failure"], completed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="job_failure_has_code",
                condition=(Q(status="failure") & ~Q(failure_code="")) | (~Q(status="failure") & Q(failure_code="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.filename or 'receipt'} ({str(self.job_id)[:8]})"

    @property
    def is_open(self) -> bool:
        """Whether something is still to happen."""
        return self.status in self.OPEN

    @property
    def is_cancelled(self) -> bool:
        """Whether staff gave it up; its status is that of a failure, as it may be retried like one."""
        return self.failure_code == FailureCode.CANCELLED

    @property
    def state(self) -> str:
        """The status in words, and "Cancelled" of what did not fail by itself."""
        return "Cancelled" if self.is_cancelled else self.get_status_display()

    @classmethod
    def overdue(cls, now: datetime | DatabaseNow) -> Q:
        """Return what tells whether what was to happen at `due_at` should have happened by now.

        Args:
            now: by the database's clock.
        """
        return Q(due_at__lt=now - cls.LATE)

    @property
    def took(self) -> float | None:
        """Seconds from the upload to the end; None while it is open."""
        return max((self.completed_at - self.created_at).total_seconds(), 0.0) if self.completed_at else None

    @property
    def notion_link(self) -> str:
        """The page's address where it may be a link, "" for any other."""
        return safe_link(self.notion_page_url)

    @property
    def says_its_failure(self) -> bool:
        """Whether the message says itself what the failure's code stands for."""
        return self.result_message.startswith(self.get_failure_code_display())

    @property
    def next_step(self) -> str:
        """What happens at `due_at`, in words; empty once the job has ended."""
        match self.status:
            case self.Status.QUEUED if self.tries:
                return "is sent to N8N again"
            case self.Status.QUEUED:
                return "is sent to N8N"
            case self.Status.SENDING:
                return "is taken back from its worker unless N8N has answered"
            case self.Status.PROCESSING if self.delivered_at:
                return "fails unless N8N calls back"
            case self.Status.PROCESSING:
                return "is sent again, or fails, unless N8N calls back"
        return ""


class JobEvent(models.Model):
    """One thing that happened to a job; written once, never changed."""

    class Kind(models.TextChoices):
        """What happened."""

        RECEIVED = "received", "Received"
        REPEATED = "repeated", "Uploaded again"
        CLAIMED = "claimed", "Claimed by a worker"
        DELIVERED = "delivered", "Delivered to N8N"
        UNCONFIRMED = "unconfirmed", "Sent, but not confirmed"
        STILL_RUNNING = "still_running", "Still running in N8N"
        REFUSED = "refused", "Not taken by N8N"
        LEASE_ENDED = "lease_ended", "Taken back from a silent worker"
        RESENT = "resent", "Queued to be sent again"
        BROUGHT_FORWARD = "brought_forward", "Brought forward"
        RETRIED = "retried", "Retried by staff"
        CANCELLED = "cancelled", "Cancelled by staff"
        SUCCEEDED = "succeeded", "Filed in Notion"
        FAILED = "failed", "Failed"
        CALLBACK_REPEATED = "callback_repeated", "Callback repeated"
        CALLBACK_REFUSED = "callback_refused", "Callback refused"
        PURGED = "purged", "File deleted"
        RESTORED = "restored", "File stored anew"
        ADOPTED = "adopted", "Taken into the chain as it was found"

    class Source(models.TextChoices):
        """Which part of the system did it."""

        API = "api", "API"
        WORKER = "worker", "Worker"
        CALLBACK = "callback", "Callback"
        SWEEP = "sweep", "Sweep"
        ADMIN = "admin", "Admin"

    MAX_ACTOR = 150  # letters

    # the constraint's index serves the job's key, too
    job = models.ForeignKey(JobLog, on_delete=models.PROTECT, related_name="events", db_index=False)
    number = models.PositiveIntegerField(editable=False, help_text="its place among the job's events, from 1 on")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    source = models.CharField(max_length=10, choices=Source.choices)
    actor = models.CharField(max_length=MAX_ACTOR, blank=True, help_text="the user, key, worker or token that did it")
    from_status = models.CharField(max_length=10, blank=True, choices=JobLog.Status.choices)
    to_status = models.CharField(max_length=10, blank=True, choices=JobLog.Status.choices)
    attempt = models.PositiveIntegerField()
    detail = models.JSONField(default=dict, blank=True)
    facts = models.JSONField(default=dict, editable=False, help_text="fingerprints of the columns that it changed")
    digest = models.CharField(max_length=64, editable=False, help_text="its signature, over those before as well")

    class Meta:
        ordering = ["id"]
        verbose_name = "event"
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="event_once_per_place")]
        indexes = [models.Index(fields=["at"], name="event_at")]

    def __str__(self) -> str:
        return self.label

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new event.

        Raises:
            TypeError: the event exists already.
        """
        if not self._state.adding:
            raise TypeError("An event is written once and never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: events stay.

        Raises:
            TypeError: always.
        """
        raise TypeError("An event is never deleted.")

    @property
    def told(self) -> dict[str, Any]:
        """The detail; nothing where somebody made it anything but an object, which the audit names."""
        return self.detail if isinstance(self.detail, dict) else {}

    @property
    def label(self) -> str:
        """What happened; some succeed and are filed nowhere, canaries for one, and some were not sent, or not yet."""
        if self.kind == self.Kind.SUCCEEDED and not self.told.get("notion_page_url"):
            return "Succeeded"
        if self.kind == self.Kind.REFUSED and self.told.get("code") in NEVER_SENT:
            return "Not sent"
        if self.kind == self.Kind.RESENT and not self.to_status:
            return "Queued to be sent now"
        return self.get_kind_display()

    @property
    def by(self) -> str:
        """Which part of the system did it, and who; a worker that is named `worker-1` says both."""
        source = self.get_source_display()
        is_said = self.actor.lower().startswith(source.lower())
        return self.actor if is_said else " · ".join(filter(None, [source, self.actor]))
