"""What whoever sees the admin's pages may open from there: they lead nowhere else."""

from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest


def may_open(request: HttpRequest, model: type[Model]) -> bool:
    """Tell whether the user may open the pages of a model, as its admin says."""
    return admin.site.get_model_admin(model).has_view_permission(request)


def staff_actions(request: HttpRequest) -> QuerySet[LogEntry]:
    """Return the log of what staff did, where `leads` says whether the user may open what it was done to."""
    models = [model for model in admin.site._registry if may_open(request, model)]
    types = ContentType.objects.get_for_models(*models).values()
    return LogEntry.objects.annotate(leads=Q(content_type__in=list(types)) & ~Q(action_flag=DELETION))
