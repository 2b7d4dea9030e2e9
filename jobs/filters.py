"""What a client may narrow its list of jobs by."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from accounting.filenames import display_name
from receipts.notion import NO_DATABASE_ID, parse_database_id

from .failures import FailureCode
from .models import JobLog

# beyond these a time zone's offset makes a time that no database has
WITHIN_REASON = [
    MinValueValidator(datetime(1970, 1, 1, tzinfo=UTC)),
    MaxValueValidator(datetime(9000, 1, 1, tzinfo=UTC)),
]

# a plus that is not escaped comes as a blank; django-filter takes two of % for one
NO_MOMENT = "Send a moment as 2026-01-31T08:00:00Z, or with an offset, its plus as %%2B: 2026-01-31T08:00:00%%2B01:00."


class MomentField(IsoDateTimeField):  # type: ignore[misc] # django-filter has no types
    """A moment of ISO 8601, whose letters may be small as well (RFC 3339 section 5.6); Python takes no small z."""

    def to_python(self, value: str | None) -> Any:
        """Return the moment, or None where none was asked for."""
        return super().to_python(value and value.upper())


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc] # as above
    """Compares with a moment, in UTC: PostgreSQL takes no offset of 16 hours or more, and ISO 8601 knows them."""

    field_class = MomentField

    def filter(self, qs: QuerySet[JobLog], value: datetime | None) -> Any:
        """Return the jobs that remain."""
        return super().filter(qs, value and value.astimezone(UTC))


class DatabaseIdField(forms.CharField):
    """A Notion database's id in any form that an upload takes."""

    def clean(self, value: Any) -> str:
        """Return the id as it is stored, or "" where none was asked for.

        Raises:
            ValidationError: it is no such id.
        """
        text: str = super().clean(value)
        try:
            return parse_database_id(text) if text else ""
        except ValueError:
            raise forms.ValidationError(NO_DATABASE_ID) from None


class DatabaseIdFilter(filters.CharFilter):  # type: ignore[misc] # as above
    """Finds the jobs of one Notion database."""

    field_class = DatabaseIdField


class NameFilter(filters.CharFilter):  # type: ignore[misc] # as above
    """Finds the jobs of files by the name that their client has for them."""

    def filter(self, qs: QuerySet[JobLog], value: str | None) -> Any:
        """Return the jobs that remain."""
        return qs.filter(filename=display_name(value)) if value else qs


class OneValueEach(forms.Form):
    """Refuses two values of one filter: whichever were taken, the other was meant as well."""

    data: QueryDict

    def clean(self) -> None:
        """Say of which there are several."""
        for name in self.fields:
            if len(set(self.data.getlist(name))) > 1:
                self.add_error(name, "Send it once.")


class JobFilter(filters.FilterSet):  # type: ignore[misc] # as above
    """What a client may narrow its list by."""

    created_after = MomentFilter(
        field_name="created_at", lookup_expr="gte", validators=WITHIN_REASON, error_messages={"invalid": NO_MOMENT},
        help_text="those made at this moment or later; UTC unless it has an offset",
    )  # fmt: skip
    created_before = MomentFilter(
        field_name="created_at", lookup_expr="lt", validators=WITHIN_REASON, error_messages={"invalid": NO_MOMENT},
        help_text="those made before this moment; UTC unless it has an offset",
    )  # fmt: skip
    receipt_id = filters.UUIDFilter(field_name="receipt_id", help_text="those of one receipt")
    notion_database_id = DatabaseIdFilter(help_text="those of one database, in any form that an upload takes")
    filename = NameFilter(strip=False, help_text="those whose file had exactly this name")
    status = filters.ChoiceFilter(
        choices=JobLog.Status.choices, error_messages={"invalid_choice": f"Send one of {', '.join(JobLog.Status)}."}
    )
    failure_code = filters.ChoiceFilter(
        choices=FailureCode.choices,
        error_messages={"invalid_choice": "There is no such code; the API's document lists them."},
    )

    class Meta:
        model = JobLog
        form = OneValueEach
        fields: list[str] = []
