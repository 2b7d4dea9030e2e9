"""PostgreSQL restarts, refuses, blocks or cuts connections: 503 with Retry-After, and nothing to mend afterwards."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from jobs.sandbox import Sandbox
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.outages import go_on, is_stopped
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = [
    pytest.mark.processes,
    pytest.mark.faults,
    pytest.mark.skipif(
        "config.getoption('--database') == 'sqlite'", reason="PostgreSQL's faults: --database=postgresql"
    ),
]


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server that may be harmed; whoever does mends it again."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def service(n8n: Sandbox, own_postgres: PostgresServer, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation on that server, with short time-outs of the database."""
    webhook = f"{n8n.url}/webhook/receipts"
    with Installation(tmp_path, webhook, postgres=own_postgres.url) as installation:
        options = "-c lock_timeout=1s -c idle_in_transaction_session_timeout=2s"
        installation.env["DATABASE_URL"] += f"&options={quote(options)}"
        yield installation


def says_unavailable(answer: requests.Response) -> bool:
    """Tell whether the answer is the one that a client repeats later, and not an error of ours."""
    assert answer.status_code in (503, 202, 200), answer.text
    if answer.status_code != 503:
        return False
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "database_unavailable"
    return int(answer.headers["Retry-After"]) > 0


def uploaded(service: Installation, number: int = 1) -> str:
    answer = service.upload(number)
    assert answer.status_code in (200, 202), answer.text
    return str(answer.json()["job_id"])


def test_a_restart_is_503_for_who_asks_and_afterwards_all_ends_well(
    n8n: Sandbox, service: Installation, own_postgres: PostgresServer
) -> None:
    processes = service.start_all()
    jobs = [uploaded(service, number) for number in range(4)]
    own_postgres.stop()
    try:
        assert says_unavailable(service.upload(5))
        assert says_unavailable(service.ask(f"/api/v1/jobs/{jobs[0]}/"))
        assert says_unavailable(service.call_back(jobs[0]))
        assert service.ask("/health").status_code == 200
        ready = service.ask("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "unavailable")
    finally:
        own_postgres.start()
    jobs.append(uploaded(service, 5))
    assert service.ask("/health/ready").status_code == 200
    for job_id in jobs:
        service.wait_for_status(job_id, "success")
        assert service.events(job_id).count("succeeded") == 1
    assert [process.poll() for process in processes] == [None] * 3


def test_what_n8n_answered_while_the_database_restarted_is_kept(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.env |= {"N8N_DEADLINE_SECONDS": "30"}  # the restart may take longer than a hurried worker's time-out
    service.env["N8N_WEBHOOK_URL"] += "?behaviour=silent"
    service.start_web()
    with stopped_worker(service, at="jobs.services.mark_delivered") as job_id:
        own_postgres.stop()
        own_postgres.start()
    assert service.wait_for_status(job_id, "processing")["attempts"] == 1
    assert service.events(job_id) == ["received", "claimed", "delivered"]


@contextmanager
def stopped_worker(service: Installation, *, at: str) -> Iterator[str]:
    """Let a worker stop at that function with an uploaded job, and go on after the block."""
    worker = service.start(*WORKER, stop_at=at)
    job_id = uploaded(service)
    wait_for(lambda: is_stopped(worker.pid), f"the worker to stop at {at}")
    yield job_id
    go_on(worker.pid)


# -- a connection is cut within a transaction


def test_an_upload_whose_connection_is_cut_leaves_no_row_and_may_be_repeated(
    service: Installation, own_postgres: PostgresServer
) -> None:
    web = service.start_web(stop_at="jobs.transitions._save")
    upload = Meanwhile(service.upload)
    wait_for(lambda: is_stopped(web.pid), "the web server to stop within the transaction")
    own_postgres.cut_connections(service.env["DATABASE_URL"])
    go_on(web.pid)
    assert says_unavailable(upload.answer())
    assert service.query("SELECT count(*) FROM jobs_joblog") == [(0,)]
    assert service.events(uploaded(service)) == ["received"]


def test_a_worker_whose_connection_is_cut_writes_down_what_n8n_said_all_the_same(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.env["N8N_WEBHOOK_URL"] += "?behaviour=silent"
    service.start_web()
    with stopped_worker(service, at="jobs.services.delivery._await_callback") as job_id:
        own_postgres.cut_connections(service.env["DATABASE_URL"])
    service.wait_for_status(job_id, "processing")
    assert service.events(job_id) == ["received", "claimed", "delivered"]


class Meanwhile:
    """A request that is under way."""

    def __init__(self, send: Callable[..., requests.Response], *arguments: Any) -> None:
        self._answers: list[requests.Response] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(send(*arguments)))
        self._thread.start()

    def answer(self) -> requests.Response:
        self._thread.join()
        return self._answers[0]


# -- locks


def test_a_lock_that_somebody_holds_for_too_long_is_503_and_no_longer_wait(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.start_web()
    job_id = uploaded(service)
    with own_postgres.connect(service.env["DATABASE_URL"]) as somebody, somebody.transaction():
        somebody.execute("SET idle_in_transaction_session_timeout = 0; SELECT 1 FROM jobs_joblog FOR UPDATE")
        assert says_unavailable(service.call_back(job_id))
        assert says_unavailable(service.upload())  # the same bytes: the job's row is wanted
    assert service.call_back(job_id).status_code == 200
    assert service.events(job_id) == ["received", "succeeded"]


def test_a_deadlock_is_503_for_its_victim_which_may_try_again(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.env["DATABASE_URL"] = service.env["DATABASE_URL"].replace("lock_timeout%3D1s", "deadlock_timeout%3D100ms")
    service.start_web()
    job_id = uploaded(service)
    with own_postgres.connect(service.env["DATABASE_URL"]) as somebody, somebody.transaction():
        somebody.execute("SET idle_in_transaction_session_timeout = 0; SET deadlock_timeout = '1min'")
        somebody.execute("SELECT 1 FROM jobs_joblog FOR UPDATE")
        waiting = threading.Thread(target=somebody.execute, args=("SELECT 1 FROM receipts_receipt FOR UPDATE",))
        repeat = Meanwhile(service.upload)  # holds the receipt's row, and wants the job's
        wait_for(lambda: own_postgres.waits_for_lock(service.env["DATABASE_URL"]), "the upload to wait for the lock")
        waiting.start()
        assert says_unavailable(repeat.answer())
        waiting.join()
    assert uploaded(service) == job_id


def test_a_frozen_worker_holds_no_lock_for_ever(service: Installation) -> None:
    service.start_web()
    with stopped_worker(service, at="jobs.services.delivery._await_callback") as job_id:
        wait_for(lambda: service.call_back(job_id).status_code == 200, "the lock of a frozen worker to be taken away")
    wait_for(lambda: "delivery" in service.log(), "the worker to go on")
    assert service.job(job_id)["status"] == "success"
    assert service.events(job_id).count("succeeded") == 1


# -- it is there, but not for us


def test_a_database_that_may_only_be_read_is_503_for_writers_and_waited_for(
    service: Installation, own_postgres: PostgresServer
) -> None:
    processes = service.start_all()
    job_id = uploaded(service)
    service.wait_for_status(job_id, "success")
    with own_postgres.read_only(service.env["DATABASE_URL"]):
        assert all(says_unavailable(service.upload(2)) for _ in range(9))  # in whatever thread
        assert says_unavailable(service.call_back(job_id))
        assert service.job(job_id)["status"] == "success"
        ready = service.ask("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "read only")
        wait_for(lambda: "sweep_failed" in service.log(), "the sweep to meet it")
    assert all(service.upload(number).status_code == 202 for number in range(2, 11))  # at once, in whatever thread
    service.wait_for_status(uploaded(service, 2), "success")
    assert [process.poll() for process in processes] == [None] * 3
    assert "Traceback" not in service.log()


def test_a_server_without_a_connection_left_is_503_and_recovers(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.start_web()
    with own_postgres.crowded():
        assert says_unavailable(service.upload())
    worker, sweep = service.start(*WORKER), service.start(*SWEEP)
    service.wait_for_status(uploaded(service), "success")
    assert (worker.poll(), sweep.poll()) == (None, None)


# -- its standby is away, for which commits wait


def cancel_what_waits(own_postgres: PostgresServer) -> None:
    """Do what an operator might who sees statements that hang."""
    own_postgres.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


def test_a_commit_that_is_told_to_wait_for_its_standby_no_more_is_503_and_its_repeat_finds_the_job(
    service: Installation, own_postgres: PostgresServer
) -> None:
    service.start_web()
    with server_set(own_postgres, synchronous_standby_names="there_is_none", client_min_messages="error"):
        upload = Meanwhile(service.upload)
        wait_for(lambda: database_check(service) == (503, "waits for a standby"), "readiness to say what commits do")
        cancel_what_waits(own_postgres)
        assert says_unavailable(upload.answer())
        assert service.query("SELECT count(*) FROM jobs_joblog") == [(1,)]  # whose file is there, for it may stay
    assert database_check(service) == (200, "ok")
    repeat = service.upload()
    assert repeat.status_code == 200
    assert service.ask(f"/api/v1/receipts/{repeat.json()['receipt_id']}/file").status_code == 200


def database_check(service: Installation) -> tuple[int, str]:
    answer = service.ask("/health/ready")
    return answer.status_code, answer.json()["checks"]["database"]


# -- what whoever runs it may have set for the whole server, or for the role


@contextmanager
def server_set(own_postgres: PostgresServer, **values: str) -> Iterator[None]:
    """Let the server have these settings for a while, which count where nobody says otherwise."""
    for name, value in values.items():
        own_postgres.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    own_postgres.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        own_postgres.start()
        for name in values:
            own_postgres.execute(f"ALTER SYSTEM RESET {name}")
        own_postgres.execute("SELECT pg_reload_conf()")


def test_a_crash_takes_no_upload_with_it_though_the_server_would_tell_of_commits_too_soon(
    service: Installation, own_postgres: PostgresServer
) -> None:
    with server_set(own_postgres, synchronous_commit="off", wal_writer_delay="10s"):
        service.start_web()
        jobs = {uploaded(service, number) for number in range(3)}
        own_postgres.stop()
        own_postgres.start()
        assert {str(job_id) for (job_id,) in service.query("SELECT job_id FROM jobs_joblog")} == jobs
