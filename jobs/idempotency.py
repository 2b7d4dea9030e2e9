"""What a client's repeat is known by."""

from django.db import models

from receipts.models import Client


class IdempotencyKey(models.Model):
    """A client's `Idempotency-Key`, what it came with, and the job that it was answered with."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what the request asked for")
    job = models.ForeignKey("jobs.JobLog", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="idempotency_key_once_per_client")]

    def __str__(self) -> str:
        return self.key
