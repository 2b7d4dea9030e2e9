"""Receipts, for staff."""

import hashlib
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils.cache import get_conditional_response
from django.utils.formats import date_format
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from accounting.admin.base import CursorAdmin, TimeFilter, in_utc
from accounting.admin.change_list import CursorChangeList
from jobs.models import JobEvent, JobLog
from receipts.models import Receipt
from receipts.pictures import is_lost, picture_url
from receipts.renditions import rendition_to_show
from receipts.search import find_receipts
from receipts.thumbnails import find_thumbnail

from .filters import ClientFilter

MAX_NAMES = 20  # of so many latest jobs


class ReceiptList(CursorChangeList):
    """The list of receipts, without the canaries' pictures."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Receipt]:
        """Return what the filters leave, each with the name under which it came last."""
        receipts = super().get_queryset(request, *args, **kwargs).exclude(jobs__is_canary=True)
        jobs = JobLog.objects.filter(receipt=OuterRef("pk")).order_by("-created_at")
        named: QuerySet[Receipt] = receipts.annotate(filename=Subquery(jobs.values("filename")[:1]))
        return named


@admin.register(Receipt)
class ReceiptAdmin(CursorAdmin[Receipt]):
    """What was uploaded."""

    change_form_template = "admin/receipts/receipt/change_form.html"
    list_display = ["name", "short_id", "client", "content_type", "length", "created"]
    list_filter = [("client", ClientFilter), "content_type", ("created_at", TimeFilter)]
    search_fields = ["id"]
    search_help_text = "Receipt id or SHA-256; 8 digits of it will do. By its file's name the list of jobs finds it."
    fields = [
        "shown", "names", "id", "client", "picture", "sent", "jobs", "sha256", "length", "content_type", "width",
        "height", "created", "purged",
    ]  # fmt: skip
    readonly_fields = ["shown", "names", "picture", "sent", "jobs", "length", "created", "purged"]
    created = in_utc("created_at", "created")
    purged = in_utc("purged_at", "purged")

    class Media:
        css = {"all": ["jobs/jobs.css"]}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one receipt, headed by the name under which it came last, for those who may see its jobs."""
        receipt = self.get_object(request, object_id)
        names = _names_of(receipt) if receipt and request.user.has_perm("jobs.view_joblog") else []
        heading = {"title": names[0] if names else "Receipt", "subtitle": None}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **heading})

    @admin.display(description="picture")
    def shown(self, receipt: Receipt) -> str:
        """Return the picture, which leads to itself in full."""
        image = format_html(
            '<img class="receipt" src="{0}" alt="The uploaded receipt" width="{1}" height="{2}">',
            picture_url(receipt), receipt.width, receipt.height,
        )  # fmt: skip
        return format_html('<a href="{}">{}</a>', picture_url(receipt), image)

    @admin.display(description="came as")
    def names(self, receipt: Receipt) -> str:
        """Return the names under which it came, the latest first."""
        return ", ".join(_names_of(receipt)) or "–"

    @admin.display(description="file")
    def picture(self, receipt: Receipt) -> str:
        """Return a link to the bytes, for those who may see them, when they were deleted, or that they are lost."""
        if receipt.purged_at is not None:
            return f"{receipt}; deleted by rule on {date_format(receipt.purged_at)}"
        if is_lost(receipt):
            return f"{receipt}; missing, or not of the size that came"
        return format_html('<a href="{}">{}</a>', reverse("receipt-file", args=[receipt.pk]), receipt)

    @admin.display(description="sent to N8N")
    def sent(self, receipt: Receipt) -> str:
        """Return a link to the picture that was made to be sent, or that the receipt itself was."""
        made = rendition_to_show(receipt)
        if made is not None:
            return format_html('<a href="{}">{}</a>', reverse("receipt-rendition", args=[receipt.pk]), made)
        sent = _hashes_sent(receipt)
        if receipt.sha256 in sent:
            return "as it came"
        return "a picture that was made of it" if sent else "–"

    @admin.display(description="jobs")
    def jobs(self, receipt: Receipt) -> str:
        """Return a link to what became of it."""
        found = reverse("admin:jobs_joblog_changelist", query={"q": receipt.sha256})
        return format_html('<a href="{}">Jobs of this receipt</a>', found)

    @admin.display(description="size")
    def length(self, receipt: Receipt) -> str:
        """Return how large the file is, in the unit that one would say it in."""
        return filesizeformat(receipt.size)

    @admin.display(description="file name")
    def name(self, receipt: Receipt) -> str:
        """Return the name that its latest job has for it."""
        return str(getattr(receipt, "filename", "") or "Receipt")

    @admin.display(description="id")
    def short_id(self, receipt: Receipt) -> str:
        """Return the beginning of its id, as long as the list of jobs has it."""
        return format_html("<code>{}</code>", str(receipt.pk)[:13])

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns; what a job says is for those who may see jobs."""
        columns = list(super().get_list_display(request))
        return columns if request.user.has_perm("jobs.view_joblog") else [one for one in columns if one != "name"]

    def get_fields(self, request: HttpRequest, obj: Receipt | None = None) -> list[Any]:
        """Return the rows that say something; what is known from the jobs is for those who may see them."""
        without = [] if request.user.has_perm("jobs.view_joblog") else ["jobs", "names"]
        if obj is not None and obj.purged_at is None:
            without.append("purged")
        if obj is not None and not picture_url(obj):
            without.append("shown")
        return [name for name in super().get_fields(request, obj) if name not in without]

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[CursorChangeList]:
        """Return the list without the canaries' pictures."""
        return ReceiptList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Receipt], search_term: str
    ) -> tuple[QuerySet[Receipt], bool]:
        """Return the receipts whose id or SHA-256 begins so."""
        return (find_receipts(queryset, search_term) if search_term.strip() else queryset), False

    def get_urls(self) -> list[URLPattern]:
        """Return Django's addresses, and that of the small pictures in lists."""
        thumbnail = self.admin_site.admin_view(require_safe(self.thumbnail_view), cacheable=True)
        return [path("<uuid:pk>/thumbnail/", thumbnail, name="receipts_receipt_thumbnail"), *super().get_urls()]

    def thumbnail_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Return a small picture of the receipt, or lead to one that stands for it.

        The file itself is never cached by a browser. This may be, by the one browser and for an hour: nothing can be
        read in it, and a list that is looked at all day need not fetch it each time.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        data = find_thumbnail(get_object_or_404(Receipt, pk=pk))
        if not data:
            return HttpResponseRedirect(static("receipts/no-thumbnail.svg"), headers={"Cache-Control": "no-store"})
        response = HttpResponse(data, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})
        response["ETag"] = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        return get_conditional_response(request, response["ETag"], None, response) or response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        """Return the receipts with their clients."""
        return super().get_queryset(request).select_related("client")


def _names_of(receipt: Receipt) -> list[str]:
    """Return the names under which it came, each once, the latest first."""
    latest = receipt.jobs.order_by("-created_at").values_list("filename", flat=True)[:MAX_NAMES]
    return [name for name in dict.fromkeys(latest) if name]


def _hashes_sent(receipt: Receipt) -> set[str]:
    """Return the SHA-256 of each picture that N8N took of it, also of those that are gone."""
    taken = JobEvent.objects.filter(job__receipt=receipt, kind__in=(JobEvent.Kind.DELIVERED, JobEvent.Kind.UNCONFIRMED))
    return set(taken.values_list("detail__request__sha256", flat=True)) - {None}
