"""Forms of clients and keys."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.utils import timezone

from receipts.models import Client


class VisiblyNamed(ModelForm[Any]):
    """Takes new names that can be read, and told from others, as `manage.py create_api_key` does."""

    def clean_name(self) -> str:
        """Return the name.

        Raises:
            ValidationError: it holds what cannot be seen.
        """
        name = str(self.cleaned_data["name"])
        if "name" in self.changed_data and not name.isprintable():
            raise ValidationError("It needs letters, and nothing that cannot be seen.")
        return name


class ClientForm(VisiblyNamed):
    """Takes any name but those by which the service finds clients of its own: whoever has one has their jobs."""

    def clean_name(self) -> str:
        """Return the name.

        Raises:
            ValidationError: it is a client's of the service's own, or holds what cannot be seen.
        """
        name = super().clean_name()
        if "name" in self.changed_data and name in Client.OWN:
            raise ValidationError("The service's own client has this name: choose another one.")
        return name


class KeyForm(VisiblyNamed):
    """Makes keys that let somebody in."""

    def clean_expiry_date(self) -> datetime | None:
        """Return when it expires.

        Raises:
            ValidationError: a new key would have expired already.
        """
        expires_at: datetime | None = self.cleaned_data["expiry_date"]
        if self.instance._state.adding and expires_at is not None and expires_at <= timezone.now():
            raise ValidationError("This is over already: the key would let nobody in.")
        return expires_at
