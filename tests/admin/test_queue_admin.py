"""The queue's page: who may looks; administrators empty, delete and requeue, and it is written down."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.admin import queue_writing
from jobs.models import JobLog
from jobs.queue import queue_service
from jobs.sweep import sweep
from tests.factories import JobFactory
from tests.support import staff as people
from tests.support.admin_pages import QUEUE, every_page
from tests.support.job_pages import page as page_of
from tests.support.staff import words_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

RINGS = f"{QUEUE}queues/0/"
EMPTY = f"{RINGS}empty/"
WRITES = "delete|requeue|enqueue|stop|empty|clear|requeue-all|actions"
WRITE = re.compile(rf'(?:href|action)="({QUEUE}[^"]*/(?:{WRITES})/)"')


def staff(*roles: str) -> Browser:
    user = User.objects.create_user(" and ".join(roles) or "nobody", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def administrator() -> Browser:
    """Return the browser of an administrator."""
    return staff("Administrator")


@pytest.fixture
def queue(redis: "Redis") -> Queue:
    """Return RQ's queue itself."""
    return Queue("default", connection=redis, serializer=JSONSerializer)


def failed_ring(queue: Queue) -> Job:
    ring = queue.enqueue("builtins.int", "x")
    worker = SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    return ring


def test_a_rings_times_are_written_as_everywhere_else(administrator: Browser, queue: Queue) -> None:
    ring = failed_ring(queue)
    at = f"{ring.created_at:%-d %b %Y %H:%M:%S}"
    for page in (f"{RINGS}failed/", f"{RINGS}{ring.id}/"):
        assert f">{at}</time>" in administrator.get(page).content.decode()


def test_a_workers_times_are_written_as_everywhere_else_and_none_is_said_to_be(
    administrator: Browser, queue: Queue
) -> None:
    workers = f"{QUEUE}workers/0/"
    assert "No worker is alive." in administrator.get(workers).content.decode()
    failed_ring(queue)
    worker = SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer)
    worker.register_birth()  # type: ignore[no-untyped-call] # rq is typed in part
    at = f"{worker.birth_date:%-d %b %Y %H:%M:%S}"
    for page in (workers, f"{workers}{worker.key}/"):
        text = administrator.get(page).content.decode()
        assert f">{at}</time>" in text
        assert worker.name in text


def logged() -> list[str]:
    return list(LogEntry.objects.order_by("id").values_list("change_message", flat=True))


# -- looking


def test_the_queue_is_shown_to_whoever_has_the_permission() -> None:
    browser = staff("Auditor")
    queue_service().ring([JobFactory.create().pk])
    assert "default" in browser.get(QUEUE).content.decode()
    assert "trigger_n8n_workflow" in browser.get(RINGS).content.decode()
    assert QUEUE in browser.get("/admin/").content.decode()


@pytest.mark.parametrize("path", ["", "queues/0/", "queues/0/details/", "workers/0/", "stats.json", "stats.json/token"])
def test_the_queue_is_shown_to_nobody_else(path: str) -> None:
    browser = staff()
    assert browser.get(f"{QUEUE}{path}").status_code == 403
    assert QUEUE not in browser.get("/admin/").content.decode()


def test_without_redis_each_page_says_so(settings: LazySettings, administrator: Browser) -> None:
    url = "redis://127.0.0.1:9/0"
    settings.RQ_QUEUES = {"default": settings.RQ_QUEUES["default"] | {"URL": url}}
    for send, address in ((administrator.get, QUEUE), (administrator.get, EMPTY), (administrator.post, EMPTY)):
        answer = send(address)
        assert answer.status_code == 503
        assert "Redis cannot be reached" in answer.content.decode()


def test_a_ring_leads_to_the_job_that_it_is_for(administrator: Browser, queue: Queue) -> None:
    job = JobFactory.create()
    queue_service().ring([job.pk])
    (ring,) = queue.jobs
    for address, words in ((RINGS, str(job.pk)[:13]), (f"{RINGS}{ring.id}/", str(job.pk))):
        assert f'<a href="{page_of(job)}">{words}</a>' in administrator.get(address).content.decode()
    text = words_of(administrator.get(f"{RINGS}{ring.id}/"))
    assert f"Ring {ring.id}" in text
    assert f"Job {ring.id}" not in text
    assert "Arguments" not in text


def test_it_leads_nobody_there_who_may_not_see_jobs(queue: Queue) -> None:
    job = JobFactory.create()
    queue_service().ring([job.pk])
    text = people.staff("django_rq.admin").get(RINGS).content.decode()
    assert f"<code>{str(job.pk)[:13]}</code>" in text
    assert page_of(job) not in text


def test_a_ring_of_another_kind_and_one_that_cannot_be_read_are_shown_without_a_job(
    administrator: Browser, queue: Queue
) -> None:
    rings = [queue.enqueue("builtins.len", "abc"), queue.enqueue("builtins.len", "abc")]
    queue.connection.hset(rings[1].key, mapping={"data": b"nothing"})
    assert "builtins.len" in administrator.get(RINGS).content.decode()
    assert "Arguments abc" in words_of(administrator.get(f"{RINGS}{rings[0].id}/"))
    assert "Arguments cannot be read" in words_of(administrator.get(f"{RINGS}{rings[1].id}/"))


@pytest.mark.parametrize("name", ["finished", "failed", "scheduled", "started", "deferred"])
def test_a_list_without_rings_says_so_and_calls_them_rings(administrator: Browser, name: str) -> None:
    text = words_of(administrator.get(f"{RINGS}{name}/"))
    assert f"{name.capitalize()} rings in default" in text
    assert "There is no ring here." in text


# -- changing


def test_emptying_is_asked_first_and_loses_no_job(administrator: Browser, queue: Queue) -> None:
    jobs = JobFactory.create_batch(3)
    queue_service().ring([job.pk for job in jobs])
    question = administrator.get(EMPTY).content.decode()
    assert "No receipt can be lost by it" in question
    assert queue.count == 3

    answer = administrator.post(EMPTY, follow=True)
    assert "Empty the queue: 3 rings." in answer.content.decode()
    assert queue.count == 0
    assert logged() == ["Empty the queue: 3 rings"]
    assert JobLog.objects.filter(status="queued").count() == 3

    JobLog.objects.update(due_at="2020-01-01T00:00Z")
    sweep()
    assert {ring.args[0] for ring in queue.jobs} == {str(job.pk) for job in jobs}


def test_what_failed_is_requeued(administrator: Browser, queue: Queue) -> None:
    rings = [failed_ring(queue), failed_ring(queue)]
    administrator.post(f"{RINGS}requeue-all/")
    assert set(queue.job_ids) == {ring.id for ring in rings}
    assert queue.failed_job_registry.count == 0
    assert logged() == ["Requeue all failed: 2 rings"]


def test_what_failed_is_deleted(administrator: Browser, queue: Queue) -> None:
    rings = [failed_ring(queue), failed_ring(queue)]
    administrator.post(f"{RINGS}failed/clear/")
    assert queue.failed_job_registry.count == 0
    assert not any(Job.exists(ring.id, queue.connection) for ring in rings)
    assert logged() == ["Delete all failed: 2 rings"]


def test_one_ring_is_deleted_and_the_log_says_which(administrator: Browser, queue: Queue) -> None:
    jobs = JobFactory.create_batch(2)
    queue_service().ring([job.pk for job in jobs])
    first, second = queue.jobs
    administrator.post(f"{RINGS}{first.id}/delete/")
    assert queue.job_ids == [second.id]
    assert logged() == [f"Delete: 1 ring (deliver {first.args[0]})"]


def test_one_ring_that_failed_is_requeued_and_another_stays_where_it_is(administrator: Browser, queue: Queue) -> None:
    failed = failed_ring(queue)
    waiting = queue.enqueue("builtins.len", "abc")
    for ring in (failed, waiting):
        administrator.post(f"{RINGS}{ring.id}/requeue/")
    assert sorted(queue.job_ids) == sorted([failed.id, waiting.id])
    assert [message.partition(" (")[0] for message in logged()] == ["Requeue: 1 ring", "Requeue: 0 rings"]


def test_a_ring_that_waits_for_its_time_or_for_another_rings_now(administrator: Browser, queue: Queue) -> None:
    waiting = queue.enqueue("builtins.len", "abc")
    deferred = queue.enqueue("builtins.len", "abc", depends_on=waiting)
    administrator.post(f"{RINGS}{deferred.id}/enqueue/")
    assert queue.job_ids == [waiting.id, deferred.id]
    assert queue.deferred_job_registry.count == 0


def test_a_ring_that_a_worker_has_in_hand_is_left_alone(administrator: Browser, queue: Queue) -> None:
    ring = queue.enqueue("builtins.len", "abc")
    ring.set_status("started")  # type: ignore[arg-type] # as a worker does
    administrator.post(f"{RINGS}{ring.id}/delete/")
    assert Job.exists(ring.id, queue.connection)


def test_what_was_done_before_redis_fell_silent_is_written_down(
    administrator: Browser, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings = [failed_ring(queue), failed_ring(queue)]
    delete = queue_writing._delete

    def fall_silent(queue: Queue, ring_id: str) -> Any:
        if Job.exists(rings[0].id, queue.connection) and Job.exists(rings[1].id, queue.connection):
            return delete(queue, ring_id)
        raise RedisConnectionError

    monkeypatch.setattr(queue_writing, "_delete", fall_silent)
    assert administrator.post(f"{RINGS}failed/clear/").status_code == 503
    assert logged() == ["Delete all failed: 1 ring"]


@pytest.mark.parametrize("role", ["Auditor", "Operator"])
@pytest.mark.parametrize(
    "path", ["empty/", "requeue-all/", "failed/clear/", "{0}/delete/", "{0}/requeue/", "{0}/enqueue/"]
)
def test_nobody_else_changes_the_queue(role: str, path: str, queue: Queue) -> None:
    browser = staff(role)
    queue_service().ring([JobFactory.create().pk])
    (ring,) = queue.job_ids
    for send in (browser.get, browser.post):
        assert send(RINGS + path.format(ring)).status_code == 403
    assert queue.job_ids == [ring]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("path", ["queues/0/{0}/stop/", "queues/confirm-action/0/", "queues/actions/0/"])
def test_what_our_workers_cannot_do_and_what_names_many_is_refused_to_all(
    admin_client: Browser, path: str, queue: Queue
) -> None:
    ring = queue.enqueue("builtins.len", "abc")
    form = {"action": "delete", "job_ids": [ring.id], "_selected_action": [ring.id]}
    assert admin_client.post(QUEUE + path.format(ring.id), form).status_code in (403, 405)
    assert queue.job_ids == [ring.id]


@pytest.mark.parametrize("path", ["empty/", "requeue-all/", "failed/clear/"])
def test_a_form_of_another_site_changes_nothing(path: str, queue: Queue) -> None:
    browser = Browser(enforce_csrf_checks=True)
    user = User.objects.create_user("anna", is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    browser.force_login(user)
    queue.enqueue("builtins.len", "abc")
    assert browser.post(f"{RINGS}{path}").status_code == 403
    assert queue.count == 1


# -- what is offered


def test_what_the_pages_offer_leads_somewhere_and_only_administrators_are_offered_anything(
    administrator: Browser, redis: "Redis"
) -> None:
    auditor = staff("Auditor")
    pages = [page for name, pages in every_page(redis).items() if name.startswith("django_rq_") for page in pages]
    offered = set()
    for page in pages:
        assert WRITE.findall(auditor.get(page).content.decode()) == []
        offered |= set(WRITE.findall(administrator.get(page).content.decode()))
    assert {EMPTY, f"{RINGS}requeue-all/", f"{RINGS}failed/clear/"} < offered
    for address in offered:
        assert (address, administrator.get(address).status_code) == (address, 200)


@pytest.mark.parametrize("path", ["none/delete/", "none/requeue/", "none/enqueue/"])
def test_a_ring_that_there_is_none_of_is_404(administrator: Browser, path: str) -> None:
    for send in (administrator.get, administrator.post):
        assert send(RINGS + path).status_code == 404
