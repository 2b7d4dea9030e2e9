"""The admin's site: Django's, without an address that fails, and deaf to query strings that mean nothing."""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import structlog
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounting.lockout import is_locked_out_by
from accounting.logging import OUR_MODULES
from jobs.connect import page as connect
from jobs.operations import page

from .lookups import LONGEST_SEARCH, MEANINGLESS, is_search_too_long, lookup_allowed
from .sections import in_sections

logger = structlog.get_logger(__name__)

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class OperationsSite(AdminSite):
    """Where staff work."""

    site_header = site_title = "Receipt automation"
    index_title = "Operations"
    site_url = None  # there is no other site to view
    empty_value_display = "–"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register it, whoever wrote it, as a list that is narrowed by its own filters only."""
        super().register(model_or_iterable, admin_class, **{"lookup_allowed": lookup_allowed, **options})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return Django's addresses without `r/…` (no row has a page elsewhere), and those of pages of our own."""
        guarded = self.admin_view
        return [
            path("attention/<slug:kind>/<slug:code>/", guarded(page.operate_on_group), name="operate_on_group"),
            path("connect/", guarded(connect.show), name="connect"),
            path("connect/test/", guarded(connect.test), name="connect_test"),
            path("connect/install/", guarded(connect.install), name="connect_install"),
            path("connect/workflows/<slug:slug>.json", guarded(connect.download), name="connect_workflow"),
            *(address for address in super().get_urls() if getattr(address, "name", "") != "view_on_site"),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the operations page."""
        return super().index(request, {**page.context_for(request), **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Let staff change their own password, which nobody may guess without end in a browser that was left open."""
        guess = request.POST.get("old_password")
        if guess and is_locked_out_by(request, guess):
            raise PermissionDenied
        return super().password_change(request, extra_context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return what the user may see: by section; of one app, as Django has it."""
        apps = super().get_app_list(request, app_label)
        return apps if app_label else in_sections(apps, request.path)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Return the view for staff only, and so that a query string can be wrong without harm."""
        return self._leading_back(super().admin_view(_forgiving(view), cacheable))

    def _leading_back(self, view: View) -> View:
        """Lead whoever sends a form after his session has ended by the log-in to the form; its address takes no GET."""

        @wraps(view)
        def leading_back(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            is_logout = request.path == reverse("admin:logout")
            if request.method != "POST" or is_logout or self.has_permission(request):
                return view(request, *args, **kwargs)
            messages.warning(request, "Nothing was done: you were no longer logged in. Log in, and do it once more.")
            return redirect_to_login(_page_before(request), reverse("admin:login"))

        return cast(View, leading_back)


def _page_before(request: HttpRequest) -> str:
    """Return the address of ours that a form was sent from, or the first page's."""
    came_from = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came_from, request.get_host(), require_https=request.is_secure()):
        return reverse("admin:index")
    return urlunsplit(("", "", *urlsplit(came_from)[2:]))


def _forgiving(view: View) -> View:
    @wraps(view)
    def forgiving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "\0" in request.path:
            raise Http404  # no row has it in its key, and PostgreSQL does not even ask
        if request.method == "GET" and is_search_too_long(request):
            messages.warning(
                request, f"Nothing is searched for that has over {LONGEST_SEARCH:,} letters; all is shown."
            )
            return HttpResponseRedirect(request.path)
        try:
            response = view(request, *args, **kwargs)
            if not _leaves_filters_out(request, response):
                # lists ask the database while they are drawn
                return response.render() if isinstance(response, SimpleTemplateResponse) else response
        except MEANINGLESS as fault:
            if request.method == "POST":  # no page has such a form, or it is a fault of ours
                logger.error("admin_form_refused", **_error_fields(fault))
                raise BadRequest from None
            if not request.GET:
                raise
            logger.warning("admin_query_refused", **_error_fields(fault))  # in case it is a fault of ours
        messages.warning(request, "The filter in the address cannot be understood; everything is shown.")
        return HttpResponseRedirect(request.path)

    return cast(View, forgiving)


def _error_fields(fault: Exception) -> dict[str, str]:
    """Return what a line of the log says of it: its kind, and where; its text quotes what somebody sent."""
    lines = [(frame.f_globals["__name__"], number) for frame, number in traceback.walk_tb(fault.__traceback__)]
    places = [f"{module}:{number}" for module, number in lines[:-1] if module.startswith(OUR_MODULES)]
    return {"error": type(fault).__name__, "place": " > ".join([*places, "{}:{}".format(*lines[-1])])}


def _leaves_filters_out(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether Django leads to the whole list, where it does not say why: it understood a filter no better."""
    return isinstance(response, HttpResponseRedirect) and response.url == f"{request.path}?{ERROR_FLAG}=1"
