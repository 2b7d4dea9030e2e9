"""What was uploaded, and by whom."""

import secrets
import uuid
from datetime import datetime
from pathlib import PurePosixPath
from typing import ClassVar

from django.db import models
from django.utils import timezone
from rest_framework_api_key.crypto import concatenate
from rest_framework_api_key.models import AbstractAPIKey, APIKeyManager


class Client(models.Model):
    """Whoever uploads receipts: a shop, a phone, a script. Its keys may change, its jobs stay its own."""

    CANARY = "Canary"  # the service itself
    STAFF = "Admin uploads"  # whoever uploads in the admin
    OWN = (STAFF, CANARY)  # which the service finds by their names; neither has a key

    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    is_authenticated = True  # DRF asks this of whatever stands for the user of a request

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKeyManager(APIKeyManager):
    """Finds keys together with their client, in one query."""

    def get_usable_keys(self) -> models.QuerySet["ApiKey"]:
        """Return the keys that were not revoked."""
        return self.select_related("client").filter(revoked=False)

    def assign_key(self, obj: "ApiKey", prefix: str = "") -> str:  # type: ignore[override] # one of any subclass there
        """Give it a key, and return that. It is known by its prefix; the library's id holds the hash, for addresses.

        Args:
            prefix: a sound one, which no other key has; or "" for any.
        """
        generator = self.key_generator
        obj.pk = obj.prefix = prefix or generator.get_prefix()
        key: str = concatenate(obj.prefix, generator.get_secret_key())
        obj.hashed_key = generator.hash(key)
        return key


class ApiKey(AbstractAPIKey):
    """One of a client's keys: stored as a hash, revocable, expiring, shown once."""

    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, related_name="keys", limit_choices_to=~models.Q(name__in=Client.OWN)
    )

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta(AbstractAPIKey.Meta):
        abstract = False
        verbose_name = "API key"
        verbose_name_plural = "API keys"


def stored_name(receipt: "Receipt", filename: str) -> str:
    """Return a random name below the folder of the day on which it came; nothing that the client sent is in it."""
    return _random_name(Receipt, filename, receipt.created_at)


def rendition_name(rendition: "Rendition", filename: str) -> str:
    """Return a random name for a file of ours, below another folder of the day."""
    return _random_name(Rendition, filename, timezone.now())


def _random_name(model: "type[Receipt | Rendition]", filename: str, day: datetime) -> str:
    return day_folder(model, day) + "/" + secrets.token_hex(16) + PurePosixPath(filename).suffix


def day_folder(model: "type[Receipt | Rendition]", day: datetime) -> str:
    """Return the folder in which a model's files of one day (UTC) are kept."""
    return f"{model.FOLDER}/{day:%Y/%m/%d}"


class Receipt(models.Model):
    """The bytes of one upload, kept as they came: the evidence."""

    FOLDER = "receipts"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="receipts")
    file = models.FileField(upload_to=stored_name, max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    size = models.PositiveIntegerField(help_text="bytes")
    content_type = models.CharField(max_length=50, help_text="found in the bytes")
    width = models.PositiveIntegerField(help_text="pixels; a PDF's: of the picture that is made of its first pages")
    height = models.PositiveIntegerField(help_text="pixels; a PDF's: of the picture that is made of its first pages")
    created_at = models.DateTimeField(default=timezone.now)
    purged_at = models.DateTimeField(null=True, blank=True, help_text="when its file was deleted by the retention rule")

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"]),
            models.Index(fields=["sha256"], name="receipt_sha256"),
            models.Index(fields=["file"], name="receipt_file"),  # whose is a file that nobody seems to know?
        ]
        constraints = [
            models.UniqueConstraint(fields=["client", "sha256"], name="receipt_once_per_client"),
        ]

    def __str__(self) -> str:
        return f"{self.content_type}, {self.width} × {self.height}, {self.sha256[:12]}"


class Rendition(models.Model):
    """What was made of a receipt to be sent: a picture, upright and small enough, where the receipt itself is not."""

    FOLDER = "renditions"

    receipt = models.OneToOneField(Receipt, on_delete=models.PROTECT, primary_key=True)
    file = models.FileField(upload_to=rendition_name, max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    size = models.PositiveIntegerField(help_text="bytes")
    content_type = models.CharField(max_length=50)
    width = models.PositiveIntegerField(help_text="pixels")
    height = models.PositiveIntegerField(help_text="pixels")
    most_bytes = models.PositiveIntegerField(help_text="what it had to fit into; another limit asks for another one")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["file"], name="rendition_file")]

    def __str__(self) -> str:
        return f"{self.content_type}, {self.width} × {self.height}, {self.sha256[:12]}"
