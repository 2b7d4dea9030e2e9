"""Forms of clients and keys."""

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import ModelForm


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
