"""django-rq's pages in the admin: for those with the permission only, and only to look at.

Its own views ask for `is_staff` alone, and can empty a queue by URL without a trace. Nothing is lost by reading only:
the queue holds rings, not receipts; jobs are changed by the audited actions of `jobs.admin`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.views.decorators.http import require_safe
from django_rq.models import Dashboard
from django_rq.urls import get_admin_urlpatterns, get_api_urlpatterns
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError

PERMISSION = "django_rq.admin"
PREFIX = "django_rq_"
WRITES = frozenset(
    PREFIX + name
    for name in (
        "clear", "requeue_all", "delete_failed_jobs", "delete_job", "requeue_job", "enqueue_job", "stop_job",
        "confirm_action", "actions",
    )
)  # fmt: skip

# What django-rq's views raise for a queue, scheduler, job or worker that there is none of.
NO_SUCH_THING = (AssertionError, ImproperlyConfigured, IndexError, NoSuchJobError, ValueError)

View = Callable[..., HttpResponse]


@admin.register(Dashboard)
class QueueAdmin(admin.ModelAdmin[Dashboard]):
    """The queue's statistics."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may see the queue at all."""
        return request.user.has_perm(PERMISSION)

    def has_view_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Tell the same of its pages."""
        return request.user.has_perm(PERMISSION)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Refuse."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return django-rq's addresses, each behind the permission; those that write are refused to everybody."""
        patterns = get_api_urlpatterns(name_prefix=PREFIX) + get_admin_urlpatterns(name_prefix=PREFIX)
        for pattern in patterns:
            pattern.callback = self._guard(pattern.callback, writes=pattern.name in WRITES)
        # Django's own list page would look for a table that there is none of
        patterns[0:0] = [_list_page(patterns)]
        return patterns

    def _guard(self, view: View, *, writes: bool) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if writes or not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            request.current_app = self.admin_site.name  # django-rq reverses by it
            try:
                return view(request, *args, **kwargs)
            except RedisError:
                return self._away(request)
            except NO_SUCH_THING:
                raise Http404 from None

        return self.admin_site.admin_view(require_safe(guarded))

    def _away(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": "Queue"}
        return TemplateResponse(request, "admin/queue_away.html", context, status=503)


def _list_page(patterns: list[URLPattern]) -> URLPattern:
    home = next(pattern for pattern in patterns if pattern.name == f"{PREFIX}home")
    return URLPattern(home.pattern, home.callback, name="django_rq_dashboard_changelist")
