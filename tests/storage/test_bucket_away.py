"""A bucket that cannot be reached is asked once and then left alone: nobody waits for it each time anew."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client as Browser
from rest_framework.test import APIClient

from accounting import circuit_breaker
from jobs.models import JobLog
from receipts import bucket
from receipts.models import Receipt
from receipts.storage import StorageAway, can_store
from tests.factories import JobFactory, ReceiptFactory
from tests.support.operations_page import page, sign
from tests.support.outages import Clock, frozen
from tests.support.s3_server import S3Server, name_of, use_storage
from tests.support.stub_server import Visit, answering, response, stub_server
from tests.support.uploads import post

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

SLOW_SECONDS = 1.0
AT_ONCE_SECONDS = 1.0  # much less than any time-out, much more than an upload takes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the time by which the circuit breaker goes."""
    standing = Clock()
    monkeypatch.setattr(circuit_breaker, "time", standing)
    return standing


@pytest.fixture
def use(settings: LazySettings) -> Callable[[str], None]:
    """Return a function that lets the service use a storage at that address."""
    return partial(use_storage, settings)


@pytest.fixture
def s3(use: Callable[[str], None]) -> Iterator[S3Server]:
    with S3Server() as server:
        use(server.url)
        yield server


def seconds_of(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return time.monotonic() - begun


def save() -> None:
    with suppress(StorageAway):
        default_storage.save("receipts/one", ContentFile(b"bytes"))


def test_after_a_failure_it_is_not_asked_for_a_while_and_then_once_and_briefly(
    use: Callable[[str], None], clock: Clock
) -> None:
    with stub_server(Visit.close) as server:
        use(f"http://127.0.0.1:{server.port}")
        save()
        asked = len(server.visits)
        assert asked == 2  # one may have met a connection that had died
        clock.now += circuit_breaker.OPEN_SECONDS - 0.1
        save()
        assert not can_store()
        assert len(server.visits) == asked
        clock.now += 0.2
        save()
        assert len(server.visits) == asked + 1


@pytest.mark.faults
@pytest.mark.usefixtures("clock")
def test_while_it_hangs_one_waits_and_all_others_are_answered_at_once(
    api: APIClient, admin_client: Browser, s3: S3Server
) -> None:
    def asking(number: int) -> list[Callable[[], object]]:
        job, receipt = JobFactory.create(), ReceiptFactory.create()
        return [
            can_store,
            lambda: post(api, number),
            lambda: api.get(f"/api/v1/receipts/{receipt.pk}/file"),
            lambda: admin_client.get(f"/admin/jobs/joblog/{job.pk}/change/"),
            lambda: admin_client.get(f"/admin/receipts/receipt/{receipt.pk}/thumbnail/"),
        ]

    for ask in asking(1):
        ask()  # what a process does but once is done by then
    again = asking(2)
    before = set(JobLog.objects.all()), set(Receipt.objects.all())
    with frozen(s3.pid):
        save()
        assert max(map(seconds_of, again)) < AT_ONCE_SECONDS
        answer = post(api, 2)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert int(answer["Retry-After"]) >= circuit_breaker.OPEN_SECONDS
    assert (set(JobLog.objects.all()), set(Receipt.objects.all())) == before


def test_one_that_was_killed_and_started_again_is_used_again_by_itself(
    api: APIClient, s3: S3Server, clock: Clock
) -> None:
    s3.kill()
    assert [post(api).status_code for _ in range(2)] == [503, 503]
    s3.start()
    s3.make_bucket()
    assert post(api).status_code == 503
    clock.now += circuit_breaker.OPEN_SECONDS
    assert [post(api, number).status_code for number in (1, 2)] == [202, 202]
    assert len(s3.objects()) == 2


@pytest.mark.usefixtures("clock")
def test_what_it_answers_is_not_held_against_it_whatever_that_is(api: APIClient, s3: S3Server) -> None:
    with pytest.raises(FileNotFoundError):
        default_storage.open("receipts/nothing")
    assert can_store()
    s3.boto3().delete_bucket(Bucket="receipts")
    assert post(api).status_code == 503
    s3.make_bucket()
    assert post(api).status_code == 202


@pytest.mark.faults
def test_a_bucket_that_refuses_when_it_is_back_is_back(s3: S3Server, clock: Clock) -> None:
    with frozen(s3.pid):
        save()
    s3.boto3().delete_bucket(Bucket="receipts")
    clock.now += circuit_breaker.OPEN_SECONDS
    save()
    s3.make_bucket()
    save()
    assert len(s3.objects()) == 1


def slow(visit: Visit) -> None:
    """Answer too late for whoever is impatient."""
    while visit.read():
        visit.pause(SLOW_SECONDS)
        visit.send(response(body=b""))


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bucket.IMPATIENCE, "read_timeout", SLOW_SECONDS / 5)


@pytest.mark.usefixtures("clock", "impatience")
def test_one_that_is_too_slow_for_readiness_takes_uploads(api: APIClient, use: Callable[[str], None]) -> None:
    with stub_server(slow) as server:
        use(f"http://127.0.0.1:{server.port}")
        assert not can_store()
        assert post(api).status_code == 202


@pytest.mark.usefixtures("impatience")
def test_one_that_hangs_is_looked_at_once_in_a_while(viewer: Browser, use: Callable[[str], None], clock: Clock) -> None:
    with stub_server(slow) as server:
        use(f"http://127.0.0.1:{server.port}")
        for _ in range(3):
            assert sign(page(viewer), "Files").startswith("unavailable Uploads may be refused")
        assert len(server.visits) == 1
        clock.now += circuit_breaker.OPEN_SECONDS
        assert not can_store()
        assert len(server.visits) == 2


@pytest.mark.usefixtures("impatience")
def test_one_that_is_slow_when_it_is_back_is_back(api: APIClient, use: Callable[[str], None], clock: Clock) -> None:
    with stub_server(Visit.close, Visit.close, slow) as server:
        use(f"http://127.0.0.1:{server.port}")
        assert post(api).status_code == 503
        clock.now += circuit_breaker.OPEN_SECONDS
        assert not can_store()
        assert post(api).status_code == 202


def test_where_readiness_found_out_that_it_is_back_nobody_knocks(
    api: APIClient, use: Callable[[str], None], clock: Clock
) -> None:
    with stub_server(Visit.close, Visit.close, answering(response(body=b""))) as server:
        use(f"http://127.0.0.1:{server.port}")
        assert post(api).status_code == 503
        clock.now += circuit_breaker.OPEN_SECONDS
        assert can_store()
        assert post(api).status_code == 202
        assert [request.method for request in server.requests] == ["HEAD", "DELETE", "PUT"]


class StoresAllTheSame:
    """Stores what it is given, and says so only where it is well."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.objects: set[str] = set()
        self.is_well = False

    def __call__(self, visit: Visit) -> None:
        """Answer the requests of one connection, which ends where there is nothing to say."""
        while request := visit.read():
            if request.method == "DELETE":
                self.objects.discard(request.target)
            if request.method == "PUT":
                self.objects.add(request.target)
            answer = self.answer if request.method == "PUT" and not self.is_well else response(body=b"")
            if not answer:
                break
            visit.send(answer)


@pytest.mark.parametrize(("answer", "left"), [(response(500, b""), 0), (b"", 1)], ids=["says 500", "says nothing"])
def test_what_it_stored_of_uploads_that_failed_is_deleted_as_soon_as_it_may_be_asked(
    answer: bytes, left: int, api: APIClient, use: Callable[[str], None], clock: Clock
) -> None:
    storage = StoresAllTheSame(answer)
    with stub_server(storage) as server:
        use(f"http://127.0.0.1:{server.port}")
        for _ in range(3):
            assert post(api).status_code == 503
            assert len(storage.objects) == left
            clock.now += circuit_breaker.OPEN_SECONDS
        storage.is_well = True
        assert post(api).status_code == 202
    assert [name.removeprefix("/receipts/") for name in storage.objects] == [name_of(Receipt.objects.get())]
