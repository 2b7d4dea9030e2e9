"""Every address of the admin, each with an example: a page that is added without one is an error."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver
from redis import Redis
from rq import Queue, SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.connect.workflows import PURPOSES
from jobs.models import JobEvent, JobLog, Seal
from jobs.services import retry_job
from receipts.models import ApiKey, Client, Receipt
from receipts.services import create_api_key
from tests.factories import JobFactory, job_in

Examples = dict[str, list[str]]

QUEUE = "/admin/django_rq/dashboard/"
UPLOAD = "/admin/jobs/joblog/add/file/"


def every_page(redis: "Redis") -> Examples:
    """Fill the database and the queue, and return the addresses to look at by the names of their patterns.

    Raises:
        AssertionError: an address of the admin has no example here, or an example has no address.
    """
    examples = _plain_pages() | _pages_of_models() | _pages_of_the_queue(redis)
    missing = set(examples) ^ {name for name in _names() if name is not None}
    assert not missing, f"an address without an example, or an example without an address: {sorted(missing)}"
    return examples


def _names() -> Iterator[str | None]:
    """Return the names of the admin's patterns; Django leaves two that only redirect without."""
    (site,) = (part for part in get_resolver().url_patterns if getattr(part, "namespace", None) == "admin")
    yield from _names_below(site)


def _names_below(part: URLPattern | URLResolver) -> Iterator[str | None]:
    if isinstance(part, URLPattern):
        yield part.name
        return
    for below in part.url_patterns:
        yield from _names_below(below)


def _plain_pages() -> Examples:
    user = User.objects.create_user("colleague", is_staff=True)
    autocomplete = "app_label=receipts&model_name=apikey&field_name=client"
    job = JobFactory.create()
    return {
        "index": ["/admin/", "/admin/?period=7d", "/admin/?period=30d", "/admin/?period=x"],
        "operate_on_group": ["/admin/attention/failed/callback_timeout/"],
        "connect": ["/admin/connect/"],
        "connect_test": ["/admin/connect/test/"],
        "connect_install": ["/admin/connect/install/"],
        "connect_workflow": [f"/admin/connect/workflows/{slug}.json" for slug in PURPOSES],
        "login": ["/admin/login/"],
        "logout": ["/admin/logout/"],
        "password_change": ["/admin/password_change/"],
        "password_change_done": ["/admin/password_change/done/"],
        "autocomplete": [f"/admin/autocomplete/?{autocomplete}"],
        "jsi18n": ["/admin/jsi18n/"],
        "app_list": [f"/admin/{label}/" for label in sorted({model._meta.app_label for model in _models()})],
        "auth_user_password_change": [f"/admin/auth/user/{user.pk}/password/"],
        "jobs_joblog_upload": [UPLOAD],
        "jobs_joblog_export": ["/admin/jobs/joblog/export/"],
        "jobs_joblog_bulk": ["/admin/jobs/joblog/bulk/"],
        "receipts_receipt_thumbnail": [f"/admin/receipts/receipt/{job.receipt_id}/thumbnail/"],
        "jobs_joblog_operate": [f"/admin/jobs/joblog/{job.pk}/operate/retry/"],
    }


def _models() -> list[type[Model]]:
    admin.autodiscover()
    return list(admin.site._registry)


def _pages_of_models() -> Examples:
    rows = _rows()
    models = {model for model in _models() if model._meta.model_name != "dashboard"}
    assert set(rows) == models, "give each model of the admin a row here"
    return {name: pages for model in models for name, pages in _pages_of(model, rows[model]).items()}


def _rows() -> dict[type[Model], list[Any]]:
    jobs = [job_in(status) for status in JobLog.Status]
    again = JobFactory.create(failure=True)
    needy = JobFactory.create(failure=True, needs_attention=True, last_error="401", result={"total": "12.00"})
    retry_job(again.pk, actor="anna", reason="again")
    create_api_key(client_name="Shop", key_name="till")
    user = User.objects.create_user("somebody")
    entry = LogEntry.objects.log_actions(user.pk, [needy], CHANGE, "retry: again", single_object=True)
    return {
        JobLog: [*jobs, again, needy],
        JobEvent: [JobEvent.objects.get()],
        Seal: [Seal.objects.create(number=1, hour=entry.action_time, last_event=1, events=1, jobs=1, digest="0" * 64)],
        Receipt: [needy.receipt],
        Client: [needy.client],
        ApiKey: [ApiKey.objects.get()],
        AccessAttempt: [AccessAttempt.objects.create(username="anna", ip_address="::", failures_since_start=1)],
        Group: [Group.objects.create(name="Bookkeepers")],
        User: [user],
        LogEntry: [entry],
    }


def _pages_of(model: type[Model], rows: list[Model]) -> Examples:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    top = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    own = {
        f"{name}_{page}": [f"{top}{quote(str(row.pk), safe='')}/{page}/" for row in rows]
        for page in ("change", "history", "delete")
    }
    return {f"{name}_changelist": [top, f"{top}?q=nothing"], f"{name}_add": [f"{top}add/"]} | own


def _pages_of_the_queue(redis: "Redis") -> Examples:
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    failed = queue.enqueue("builtins.int", "x")
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    worker.register_birth()  # type: ignore[no-untyped-call] # rq is typed in part
    waiting, started = queue.enqueue("builtins.len", "abc"), queue.enqueue("builtins.len", "abc")
    queue.enqueue_in(timedelta(hours=1), "builtins.len", "abc")
    queue.enqueue("builtins.len", "abc", depends_on=waiting)
    with redis.pipeline() as pipeline:
        Execution.create(started, ttl=60, pipeline=pipeline)
        pipeline.execute()
    lists = {f"django_rq_{name}_jobs": [f"{QUEUE}queues/0/{name}/"] for name in _REGISTRIES}
    return lists | {
        "django_rq_dashboard_changelist": [QUEUE],
        "django_rq_home": [QUEUE],
        "django_rq_home_json": [f"{QUEUE}stats.json", f"{QUEUE}stats.json/token/"],
        "django_rq_jobs": [f"{QUEUE}queues/0/"],
        "django_rq_queue_details": [f"{QUEUE}queues/0/details/"],
        "django_rq_delete_failed_jobs": [f"{QUEUE}queues/0/failed/clear/"],
        "django_rq_clear": [f"{QUEUE}queues/0/empty/"],
        "django_rq_requeue_all": [f"{QUEUE}queues/0/requeue-all/"],
        "django_rq_job_detail": [f"{QUEUE}queues/0/{job.id}/" for job in (failed, waiting, started)],
        "django_rq_result_detail": [_result(failed)],
        **{f"django_rq_{name}_job": [f"{QUEUE}queues/0/{waiting.id}/{name}/"] for name in _VERBS},
        "django_rq_confirm_action": [f"{QUEUE}queues/confirm-action/0/"],
        "django_rq_actions": [f"{QUEUE}queues/actions/0/"],
        "django_rq_workers": [f"{QUEUE}workers/0/"],
        "django_rq_worker_details": [f"{QUEUE}workers/0/{worker.key}/"],
        "django_rq_scheduler_jobs": [f"{QUEUE}schedulers/0/"],
        "django_rq_cron_scheduler_detail": [f"{QUEUE}cron-schedulers/0/none/"],
        "django_rq_cron_job_detail": [f"{QUEUE}cron-schedulers/0/none/jobs/none/"],
    }


_REGISTRIES = ("finished", "failed", "scheduled", "started", "deferred")
_VERBS = ("delete", "requeue", "enqueue", "stop")


def _result(job: Job) -> str:
    (result,) = job.results()
    return f"{QUEUE}queues/0/{job.id}/results/{result.id}/"
