"""What clients are told of a job, and what N8N may report."""

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from accounting.api.body_limits import MAX_BODY_BYTES

from .callbacks import Report
from .models import JobLog
from .services.completion import MAX_LETTERS

MAX_DATA_CHARACTERS = 200_000
MAX_DATA_DEPTH = 20
EXECUTION_ID = "N8N's {{ $execution.id }}"
STATUSES = JobLog.Status.choices
OUTCOMES = [(status.value, status.label) for status in (JobLog.Status.SUCCESS, JobLog.Status.FAILURE)]


class JobCreationResponse(serializers.ModelSerializer[JobLog]):
    """The answer to an upload."""

    url = serializers.SerializerMethodField(help_text="where to ask what became of it")

    class Meta:
        model = JobLog
        fields = read_only_fields = ["job_id", "status", "receipt_id", "duplicate_of", "created_at", "url"]

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, job: JobLog) -> str:
        """Return where to ask what became of it."""
        return reverse("job-detail", args=[job.job_id], request=self.context.get("request"))


class NextStep(serializers.Serializer[Any]):
    """What happens next, unless something else happens first."""

    what = serializers.CharField(source="next_step", help_text="in words for people")
    at = serializers.DateTimeField(source="due_at")


class JobSerializer(serializers.ModelSerializer[JobLog]):
    """A job as its client sees it."""

    next = serializers.SerializerMethodField()
    # no choice in the document: clients have to expect codes that they do not know yet
    failure_code = serializers.CharField(read_only=True, help_text="why it failed; empty unless it did")

    class Meta:
        model = JobLog
        fields = read_only_fields = [
            "job_id", "status", "receipt_id", "filename", "notion_database_id", "created_at", "attempts",
            "delivered_at", "completed_at", "next", "last_error", "failure_code", "result_message", "notion_page_url",
            "result", "duplicate_of",
        ]  # fmt: skip
        extra_kwargs = {
            "notion_database_id": {"help_text": "as a dashed UUID"},
            "attempts": {"help_text": "how often a worker has begun to send it, whether or not it reached N8N"},
            "completed_at": {"help_text": "when it ended; null while it is open"},
            "result_message": {"help_text": "a sentence for people, once it has ended"},
            "notion_page_url": {"help_text": "where it was filed; empty unless it was"},
            "duplicate_of": {"help_text": "the job before it of the same bytes, where it was made on purpose"},
        }

    @extend_schema_field(NextStep(allow_null=True))
    def get_next(self, job: JobLog) -> dict[str, Any] | None:
        """Return what happens next and when; nothing once the job has ended."""
        return dict(NextStep(job).data) if job.is_open else None


class PlainTextField(serializers.CharField):
    """Text that every database can keep; a longer one is cut, since a result must not be lost for a long sentence."""

    def __init__(self, *, keep: int, **kwargs: Any) -> None:
        self.keep = keep
        super().__init__(required=False, allow_blank=True, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return at most `keep` characters."""
        return self.shortened(super().to_internal_value(data))

    def shortened(self, text: str) -> str:
        """Return what can be kept of the text."""
        return text[: self.keep]


class PageUrlField(PlainTextField):
    """The page's address; only http(s), since the admin makes a link of it."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address."""
        url = super().to_internal_value(data)
        if url and not url.lower().startswith(("https://", "http://")):  # in either case: RFC 3986 section 3.1
            raise serializers.ValidationError("Send an http(s) address.")
        return url

    def shortened(self, text: str) -> str:
        """Return the address, or none: what is left of a longer one leads nowhere."""
        return text if len(text) <= self.keep else ""


class DataField(serializers.JSONField):
    """Any JSON within bounds that every database can keep."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the data as it came."""
        if _depth(data) > MAX_DATA_DEPTH:
            raise serializers.ValidationError(f"Nested more than {MAX_DATA_DEPTH} levels deep.")
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))  # as N8N writes it
        if len(text) > MAX_DATA_CHARACTERS:
            raise serializers.ValidationError(f"Longer than {MAX_DATA_CHARACTERS} characters.")
        return data


class JobCallbackPayload(serializers.Serializer[Any]):
    """What N8N reports of a job."""

    # what was sent in its place is not quoted: it may be a secret in the wrong field
    status = serializers.ChoiceField(choices=OUTCOMES, error_messages={"invalid_choice": "Send success or failure."})
    # cut once the keys that it quotes are out of it: half a key is no key that could be found
    message = PlainTextField(
        keep=MAX_BODY_BYTES, help_text=f"a sentence for people; cut after {MAX_LETTERS} characters"
    )
    notion_page_url = PageUrlField(
        keep=JobLog.MAX_PAGE_URL,
        help_text=f"the page's http(s) address; one of more than {JobLog.MAX_PAGE_URL} characters is not kept",
    )
    execution_id = PlainTextField(keep=JobLog.MAX_EXECUTION_ID, help_text=EXECUTION_ID)  # which may come as a number
    data = DataField(  # type: ignore[assignment] # DRF takes declared fields off the class; its own `data` stays
        required=False, allow_null=True, help_text="the fields that the workflow read from the receipt"
    )

    def to_report(self) -> Report:
        """Return the checked report."""
        checked = {key: value for key, value in self.validated_data.items() if value is not None}
        return Report(**checked | {"status": JobLog.Status(checked["status"])})


class ExecutionCallbackPayload(JobCallbackPayload):
    """The same, of whichever open job the execution works on."""

    execution_id = serializers.CharField(max_length=JobLog.MAX_EXECUTION_ID, help_text=EXECUTION_ID)  # type: ignore[assignment] # required here


class JobCallbackResponse(serializers.Serializer[Any]):
    """The answer to a report."""

    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATUSES)
    duplicate = serializers.BooleanField(help_text="the outcome was known already; nothing has changed")


def _depth(data: Any) -> int:
    """Return how deeply lists and objects nest, without recursion."""
    depth, level = 0, [data]
    while level := [item for value in level if isinstance(value, list | dict) for item in _items(value)]:
        depth += 1
    return depth


def _items(value: list[Any] | dict[str, Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
