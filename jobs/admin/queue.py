"""django-rq's pages in the admin: to look at for those with the permission, to change for administrators.

Its own views ask for `is_staff` alone, and empty a queue without a trace. Here django-rq shows; what changes the queue
is in `jobs.admin.queue_writing`, is confirmed first, and stands in Django's log afterwards.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.views.decorators.http import require_http_methods
from django_rq.models import Dashboard
from django_rq.queues import get_queue_by_index
from django_rq.urls import get_admin_urlpatterns, get_api_urlpatterns
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

from accounting.admin.base import ReadOnlyAdmin
from accounting.staff import log_action

from .queue_writing import VERBS, Verb

logger = structlog.get_logger(__name__)

PERMISSION = "django_rq.admin"
WRITING = "jobs.change_queue"
PREFIX = "django_rq_"
# Many rings are emptied or requeued together; and our workers, which fork for no delivery, cannot stop one.
REFUSED = frozenset(PREFIX + name for name in ("confirm_action", "actions", "stop_job"))

# What django-rq's views raise for a queue, scheduler, job or worker that there is none of.
NO_SUCH_THING = (AssertionError, ImproperlyConfigured, IndexError, NoSuchJobError, ValueError)

View = Callable[..., HttpResponse]


@admin.register(Dashboard)
class QueueAdmin(ReadOnlyAdmin[Dashboard]):
    """The queue's statistics."""

    def has_view_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Tell whether the user may see the queue at all."""
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        """Return django-rq's addresses, each behind its permission, with views of ours where they change something."""
        theirs = get_api_urlpatterns(name_prefix=PREFIX) + get_admin_urlpatterns(name_prefix=PREFIX)
        patterns = [pattern for pattern in theirs if pattern.name != f"{PREFIX}metrics"]  # /metrics has them all
        for pattern in patterns:
            verb = VERBS.get(str(pattern.name).removeprefix(PREFIX))
            if verb is not None:
                pattern.callback = self._guard(self._verb_view(verb), WRITING, methods=["GET", "HEAD", "POST"])
            else:
                permission = "" if pattern.name in REFUSED else PERMISSION
                pattern.callback = self._guard(pattern.callback, permission, methods=["GET", "HEAD"])
        # Django's own list page would look for a table that there is none of
        return [_list_page(patterns), *patterns]

    def _guard(self, view: View, permission: str, *, methods: list[str]) -> View:
        """Return the view for whoever has the permission; "" is nobody's."""

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not permission or not request.user.has_perms([PERMISSION, permission]):
                raise PermissionDenied
            request.current_app = self.admin_site.name  # django-rq reverses by it
            try:
                return view(request, *args, **kwargs)
            except RedisError:
                return self._redis_away_page(request)
            except NO_SUCH_THING:
                raise Http404 from None

        return self.admin_site.admin_view(require_http_methods(methods)(guarded))

    def _verb_view(self, verb: Verb) -> View:
        """Return the view that asks whether that is meant, and does it."""

        def write(request: HttpRequest, queue_index: int, job_id: str = "") -> HttpResponse:
            queue = get_queue_by_index(queue_index)
            ring = Job.fetch(job_id, queue.connection, queue.serializer) if job_id else None
            if request.method != "POST":
                return self._confirmation_page(request, verb, queue, ring, queue_index)
            done = _do(request, verb, queue, ring)
            messages.success(request, f"{verb.label}: {_rings(done)}.")
            return HttpResponseRedirect(reverse(f"admin:{PREFIX}jobs", args=[queue_index]))

        return write

    def _confirmation_page(
        self, request: HttpRequest, verb: Verb, queue: Queue, ring: Job | None, queue_index: int
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.label}?",
            "verb": verb,
            "queue": queue,
            "queue_index": queue_index,
            "ring": ring,
            "waiting": queue.count,
            "failed": queue.failed_job_registry.count,
        }
        return TemplateResponse(request, "django_rq/confirm.html", context)

    def _redis_away_page(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": "Queue"}
        return TemplateResponse(request, "admin/queue_away.html", context, status=503)


def _do(request: HttpRequest, verb: Verb, queue: Queue, ring: Job | None) -> int:
    """Do it, and write down to how many rings, though Redis fall silent in between."""
    done = 0
    try:
        for number in verb.action(queue, ring.id if ring else ""):
            done += number
    finally:
        _log_change(request, verb, queue, ring, done)
    return done


def _log_change(request: HttpRequest, verb: Verb, queue: Queue, ring: Job | None, done: int) -> None:
    which = f" ({ring.description})" if ring else ""
    message = f"{verb.label}: {_rings(done)}{which}"
    log_action(request.user, f"queue {queue.name}", message, model=Dashboard, key=queue.name)
    logger.warning("queue_changed", verb=verb.label, queue=queue.name, rings=done)


def _rings(number: int) -> str:
    return f"{number} ring{pluralize(number)}"


def _list_page(patterns: list[URLPattern]) -> URLPattern:
    home = next(pattern for pattern in patterns if pattern.name == f"{PREFIX}home")
    return URLPattern(home.pattern, home.callback, name="django_rq_dashboard_changelist")
