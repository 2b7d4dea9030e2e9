"""API keys, for staff: made, shown once, and revoked."""

import re
from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from rest_framework_api_key.admin import APIKeyModelAdmin
from rest_framework_api_key.models import APIKey as UnusedApiKey

from accounting.admin.base import in_utc
from accounting.admin_site.access import may_open
from jobs.models import JobEvent, JobLog
from receipts.models import ApiKey, Client

from .filters import ClientFilter
from .forms import KeyForm

LATEST = 500  # jobs of its client, among which the latest upload by a key is looked for
PREFIX = re.compile("[0-9A-Za-z]{8}")
MADE_ALREADY = (
    "No other key was made: this form has made one already, which was shown then. "
    "If nobody has copied it, revoke it and make a new one."
)

admin.site.unregister(UnusedApiKey)  # the library's own table; ours knows the client


@admin.register(ApiKey)
class ApiKeyAdmin(APIKeyModelAdmin):
    """Makes keys, shows each once, and revokes them; none is deleted."""

    form = KeyForm
    list_display = ["prefix", "client", "name", "made", "expires", "state"]  # type: ignore[assignment] # the library names others
    list_filter = [("client", ClientFilter), "revoked"]  # type: ignore[assignment] # as above
    list_select_related = ["client"]
    search_fields = ["name", "prefix", "client__name"]  # type: ignore[assignment] # as above
    autocomplete_fields = ["client"]
    made = in_utc("created", "created")
    expires = in_utc("expiry_date", "expires")
    add_form_template = "admin/receipts/apikey/add.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may make keys, and see the clients, one of which each key is for."""
        return super().has_add_permission(request) and may_open(request, Client)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: timelines name a key by its prefix, and its row alone says whose it was; revoke it instead."""
        return False

    @admin.display(description="state")
    def state(self, api_key: ApiKey) -> str:
        """Return whether it lets anybody in, as a word and a sign; what was done on purpose is no alarm."""
        if api_key.revoked:
            return format_html('<span class="badge">{}</span>', "Revoked")
        if api_key.has_expired:
            return format_html('<span class="badge badge-warn">{}</span>', "Expired")
        return format_html('<span class="badge badge-good">{}</span>', "Active")

    @admin.display(description="latest upload")
    def latest_upload(self, api_key: ApiKey) -> str:
        """Return when it was last used to upload, with a link to the job, and one to all that it did."""
        jobs = JobLog.objects.filter(client=api_key.client_id).order_by("-created_at")
        events = JobEvent.objects.filter(job__in=jobs.values("pk")[:LATEST])
        event = events.filter(actor=f"key {api_key.prefix}").select_related("job").order_by("-id").first()
        if event is None:
            return f"none among the latest {LATEST} jobs of its client"
        return format_html(
            '{} (UTC): <a href="{}">{}</a> · <a href="{}">all its uploads</a>',
            date_format(event.at, "DATETIME_FORMAT"),
            reverse("admin:jobs_joblog_change", args=[event.job_id]),
            event.job,
            reverse("admin:jobs_jobevent_changelist", query={"q": event.actor}),
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the rows; when it was used last is for those who may see jobs and their events."""
        if obj is None:
            return ["client", "name", "expiry_date"]
        fields = [field for field in super().get_fields(request, obj) if field != "latest_upload"]
        may_see = request.user.has_perms(["jobs.view_joblog", "jobs.view_jobevent"])
        return [*fields, "latest_upload"] if may_see else fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the address fills in, but for the expiry: Django's fields for it fail at any text."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        return {name: value for name, value in given.items() if name != "expiry_date"}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Name the two fields of the expiry: the library's form gives both one label, which reaches neither."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "expiry_date" and field is not None:
            for part, name in zip(field.widget.widgets, ("Expiry date", "Expiry time"), strict=True):
                part.attrs["aria-label"] = name
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any = None, change: bool = False) -> None:
        """Save it, and keep a new key for the answer; the library would send it through a cookie, as a message."""
        if not change:
            obj.key = ApiKey.objects.assign_key(obj, _prefix_in(request))
        obj.save(force_insert=not change)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a key, and one only of each form: the form names its prefix, so that sent again it makes no other."""
        named = {"prefix": ApiKey.objects.key_generator.get_prefix()}
        try:
            return super().add_view(request, form_url, {**(extra_context or {}), **named})
        except IntegrityError:
            if not ApiKey.objects.filter(prefix=_prefix_in(request)).exists():
                raise
        messages.warning(request, MADE_ALREADY)
        return HttpResponseRedirect(reverse("admin:receipts_apikey_changelist"))

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the new key, in this one answer and nowhere else."""
        context = {**self.admin_site.each_context(request), "title": "The new API key", "opts": self.opts, "made": obj}
        return TemplateResponse(request, "admin/receipts/apikey/made.html", context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return what stays as it was made: a key never passes to another client."""
        return (*super().get_readonly_fields(request, obj), *(("client", "latest_upload") if obj else ()))


def _prefix_in(request: HttpRequest) -> str:
    """Return the prefix that the form has for its key, or "" where it has none."""
    prefix = request.POST.get("prefix", "")
    return prefix if PREFIX.fullmatch(prefix) else ""
