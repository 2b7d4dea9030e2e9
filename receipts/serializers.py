"""What clients send with a receipt, and what they are told of it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from .models import Receipt
from .notion import NO_DATABASE_ID, parse_database_id


class NotionDatabaseIdField(serializers.CharField):
    """A Notion database's id: 32 hex digits, a dashed UUID, or the database's address; kept dashed."""

    default_error_messages = {
        "required": "Send the Notion database: 32 hex digits, a dashed UUID, or its address.",
        "invalid_database": NO_DATABASE_ID,
        "blank": NO_DATABASE_ID,
    }

    def to_internal_value(self, data: Any) -> str:
        """Return the dashed UUID."""
        try:
            return parse_database_id(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid_database")


NO_FILE = "Send the picture as the form's part `file`, with a file name (in UTF-8)."


@extend_schema_field(OpenApiTypes.BINARY)
class PictureField(serializers.FileField):
    """The file itself; without the annotation the document would ask for an address."""


class ReceiptUploadSerializer(serializers.Serializer[Any]):
    """The form of an upload."""

    file = PictureField(
        allow_empty_file=True,  # receipts.validators says it better
        error_messages={"required": NO_FILE, "invalid": NO_FILE, "null": NO_FILE},
        help_text="a photograph or scan of a receipt: JPEG, PNG, WebP, HEIC (other HEIF pictures, too) or PDF",
    )
    notion_database_id = NotionDatabaseIdField(
        help_text="the Notion database to file it in: 32 hex digits, a dashed UUID, or its address"
    )
    allow_duplicate = serializers.BooleanField(
        default=False,
        error_messages={"invalid": "Send true or false."},
        help_text="make a new job although these bytes were filed in this database already; "
        "send an `Idempotency-Key` with it, or a repeated request makes one job more",
    )


class ReceiptSerializer(serializers.ModelSerializer[Receipt]):
    """The facts of a receipt."""

    file_url = serializers.SerializerMethodField(help_text="where its bytes can be had")

    class Meta:
        model = Receipt
        fields = read_only_fields = [
            "id", "sha256", "size", "content_type", "width", "height", "created_at", "purged_at", "file_url",
        ]  # fmt: skip

    @extend_schema_field(OpenApiTypes.URI)
    def get_file_url(self, receipt: Receipt) -> str:
        """Return where its bytes can be had."""
        return reverse("receipt-file", args=[receipt.pk], request=self.context.get("request"))
