"""A Redis may speak TLS, or be whichever server its Sentinels call the master."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import django_rq
import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from redis import Redis
from redis.exceptions import ConnectionError as NotConnected
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.environment import Environment
from accounting.redis.sentinels import connect, parse, rq_connection
from accounting.redis.shared import SharedRedis
from jobs.queue import RQService
from tests.support import stub_server
from tests.support.installation import wait_for
from tests.support.sentinels import NAME, WatchedPair, tls_before

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[WatchedPair]:
    with WatchedPair(tmp_path) as pair:
        yield pair


def rung_at(port: int) -> list[str]:
    with Redis(port=port) as client:
        return [str(ring.args[0]) for ring in Queue("default", connection=client, serializer=JSONSerializer).jobs]


@pytest.mark.faults
def test_rings_go_to_the_master_and_after_a_failover_to_the_new_one(pair: WatchedPair) -> None:
    shared = SharedRedis(pair.url)
    bell = RQService(shared)
    assert bell.ring([ONE]) == 1
    wait_for(lambda: rung_at(pair.replica.port) == [str(ONE)], "the replica")
    pair.kill_master()
    wait_for(lambda: bell.ring([TWO]) == 1, "the new master")
    assert rung_at(pair.replica.port) == [str(ONE), str(TWO)]
    shared.client.close()


@pytest.mark.faults
def test_a_workers_connection_finds_the_master_too(pair: WatchedPair, settings: LazySettings) -> None:
    settings.RQ_QUEUES = {"default": settings.RQ_QUEUES["default"] | rq_connection(pair.url)}
    config = {key: value for key, value in settings.RQ_QUEUES["default"].items() if key != "URL"}
    with django_rq.connection_utils.get_redis_connection(config) as client:
        assert client.info("replication")["role"] == "master"
        assert client.connection_pool.service_name == NAME


def test_sentinels_that_are_away_are_a_redis_that_is_away() -> None:
    bell = RQService(SharedRedis(f"redis+sentinel://127.0.0.1:9,127.0.0.1:9/{NAME}/0"))
    started = time.monotonic()
    assert bell.ring([ONE]) == 0
    assert time.monotonic() - started < 2
    assert not bell.is_reachable()


def test_a_redis_with_tls_is_believed_by_its_certificate_only(settings: LazySettings, tmp_path: Path) -> None:
    port = int(settings.REDIS_URL.rpartition(":")[2].partition("/")[0])
    with tls_before(port) as secure:
        address = f"rediss://127.0.0.1:{secure}/0"
        with connect(f"{address}?ssl_ca_certs={stub_server.ca_bundle(tmp_path)}") as client:
            assert client.ping()
        with connect(address, retry=None) as client, pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
            client.ping()


def test_all_of_an_address_counts() -> None:
    watched = parse("rediss+sentinel://us%40er:p%2Fw@one,[::1]:5000/name/3?ssl_ca_certs=/ca.pem&sentinel_password=s")
    assert watched is not None
    assert (watched.hosts, watched.name) == ((("one", 26379), ("::1", 5000)), "name")
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert watched.server == {"db": 3, "username": "us@er", "password": "p/w", **tls}
    assert watched.sentinel.items() >= {"username": None, "password": "s", **tls}.items()


@pytest.mark.parametrize(
    "wrong",
    ["host:26379", "host:26379/", "/name/0", "host:port/name/0", "host,/name/0", "host/name/x", "host/name/0?a=b"],
)
def test_an_address_that_says_too_little_or_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis+sentinel://{wrong}")
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL cannot be understood"):
        Environment(Path("/nowhere")).redis("REDIS_URL", "")
