"""What the log says of rights: which were given, and which were taken."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import BooleanField, ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.text import get_text_list

from .base import T


class TellsRights(admin.ModelAdmin[T]):
    """Logs what was given and what was taken; Django says only that it changed."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Return Django's words where no right changed; of all else that did, no more than its name."""
        rights = dict(_rights(form))
        if not rights:
            return super().construct_change_message(request, form, formsets, add)
        others = [str(form.fields[name].label) for name in form.changed_data if name not in rights]
        changed = "Added." if add else f"Changed {get_text_list(others, 'and')}." if others else ""
        return " ".join(filter(None, [changed, *rights.values()]))


def _rights(form: Any) -> Iterator[tuple[str, str]]:
    """Yield each field of the form that gave or took something, with a sentence of it."""
    for name in form.changed_data:
        field, now = form.fields.get(name), form.cleaned_data.get(name)
        if isinstance(field, ModelMultipleChoiceField):
            yield name, f"{field.label}: {_difference(field, form.initial.get(name, ()), now or ())}."
        elif isinstance(field, BooleanField):
            yield name, f"{field.label}: {'on' if now else 'off'}."


def _difference(field: "ModelMultipleChoiceField[Model]", before: Iterable[Model], now: Iterable[Model]) -> str:
    had, has = ({field.label_from_instance(each) for each in some} for some in (before, now))
    return ", ".join([f"+ {name}" for name in sorted(has - had)] + [f"− {name}" for name in sorted(had - has)])
