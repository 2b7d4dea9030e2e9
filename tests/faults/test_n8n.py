"""N8N refuses, stalls, floods or falls silent under a real worker: each job ends, in bounded time and memory."""

import gzip
import re
import socket
from pathlib import Path

import pytest

from jobs.sandbox import Sandbox
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.stub_server import (
    ACCEPTED,
    Behaviour,
    StubServer,
    Visit,
    answering,
    answering_once,
    dripping,
    repeating,
    response,
    silent,
    stub_server,
)

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.any_database]

MB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("failure", "failure", "workflow_failed"),
        ("answer-500", "failure", "workflow_failed"),
        ("silent", "failure", "callback_timeout"),
        ("double", "success", ""),
        ("slow", "success", ""),
    ],
)
def test_each_way_of_n8n_ends_the_job(service: Installation, behaviour: str, status: str, code: str) -> None:
    service.env["N8N_WEBHOOK_URL"] += f"?behaviour={behaviour}"
    service.start_all()
    job_id = service.upload().json()["job_id"]
    job = service.wait_for_status(job_id, "success", "failure")
    assert (job["status"], job["failure_code"]) == (status, code)


@pytest.mark.parametrize("behaviour", ["answer-429", "answer-404", "empty"])
def test_what_n8n_does_not_take_is_sent_again_until_it_does(
    n8n: Sandbox, service: Installation, behaviour: str
) -> None:
    webhook = service.env["N8N_WEBHOOK_URL"]
    service.env["N8N_WEBHOOK_URL"] = f"{webhook}?behaviour={behaviour}"
    service.start_web()
    worker = service.start(*WORKER)
    service.start(*SWEEP)
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: n8n.stats()["deliveries"].get(job_id, 0) >= 2, "a second try")
    service.kill(worker)
    service.env["N8N_WEBHOOK_URL"] = webhook
    service.start(*WORKER)
    assert service.wait_for_status(job_id, "success")["attempts"] >= 2


def flooding(visit: Visit) -> None:
    """Answer with 300 MB."""
    visit.read()
    visit.send(HEAD + f"Content-Length: {300 * MB}\r\n\r\n".encode() + ACCEPTED)
    for _ in range(300):
        visit.send(b" " * MB)


def not_reading(visit: Visit) -> None:
    visit.read_head()
    visit.pause(10)


def resetting(visit: Visit) -> None:
    visit.read()
    visit.reset()


def redirecting(target: StubServer) -> Behaviour:
    return answering_once(response(302, b"", Location=f"{target.url}/elsewhere"))


def test_no_rudeness_of_n8n_costs_memory_or_the_worker(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(64 * MB))
    delivered, unconfirmed = (["received", "claimed", kind] for kind in ("delivered", "unconfirmed"))
    with stub_server(answering()) as elsewhere:
        table: list[tuple[Behaviour, list[str]]] = [
            (answering_once(response(Connection="close")), delivered),
            (flooding, delivered),
            (repeating(b" " * 65_536, at_first=HEAD + b"\r\n"), delivered),
            (answering_once(response(body=bomb, Content_Encoding="gzip", Connection="close")), unconfirmed),
            (dripping(b" " * 1000, at_once=HEAD + b"Content-Length: 1000\r\n\r\n"), unconfirmed),
            (silent, unconfirmed),
            (not_reading, unconfirmed),
            (resetting, unconfirmed),
            (Visit.read, unconfirmed),
            (redirecting(elsewhere), ["received", "claimed", "failed"]),
            (answering_once(response(body=b"<html>", Content_Type="text/html")), ["received", "claimed", "refused"]),
            (answering_once(response(503)), ["received", "claimed", "refused"]),
        ]
        with (
            stub_server(*(behaviour for behaviour, _ in table)) as server,
            Installation(tmp_path, f"{server.url}/webhook", CALLBACK_TIMEOUT_SECONDS="900") as service,
        ):
            service.start_web()
            worker = service.start(*WORKER)
            memory = 0
            for number, (_, events) in enumerate(table):
                job_id = service.upload(number).json()["job_id"]
                assert fate(service, job_id) == events, f"number {number}"
                memory = memory or peak_memory(worker.pid)
            assert peak_memory(worker.pid) - memory < 16 * MB
            assert worker.poll() is None
        assert elsewhere.visits == []


def fate(service: Installation, job_id: str) -> list[str]:
    """Return what has happened to a job once its delivery has come to something."""
    wait_for(lambda: len(service.events(job_id)) == 3, f"what becomes of {job_id}")
    return service.events(job_id)


def peak_memory(pid: int) -> int:
    """Return the most memory that the process has ever had, in bytes (Linux: VmHWM, proc_pid_status(5))."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


# -- N8N cannot be reached


NOWHERE = [
    pytest.param("http://n8n.invalid", id="no such name"),  # RFC 6761 section 6.4: never resolves
    pytest.param("http://127.0.0.1:9", id="refused"),
    pytest.param("http://[::1]:9", id="refused over IPv6"),
]


@pytest.mark.parametrize("address", NOWHERE)
def test_an_n8n_that_is_not_there_is_tried_again_until_it_is(n8n: Sandbox, service: Installation, address: str) -> None:
    webhook = service.env["N8N_WEBHOOK_URL"]
    service.env["N8N_WEBHOOK_URL"] = f"{address}/webhook/receipts"
    service.start_web()
    worker = service.start(*WORKER)
    service.start(*SWEEP)
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: service.events(job_id).count("refused") >= 2, "a second try")
    assert '"code": "n8n_unreachable"' in service.log()
    service.kill(worker)
    service.env["N8N_WEBHOOK_URL"] = webhook
    service.start(*WORKER)
    service.wait_for_status(job_id, "success")
    assert n8n.stats()["deliveries"] == {job_id: 1}


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")
def test_the_deadline_holds_over_ipv6_too(tmp_path: Path) -> None:
    with (
        stub_server(silent, host="::1") as server,
        Installation(tmp_path, f"{server.url}/webhook", CALLBACK_TIMEOUT_SECONDS="900") as service,
    ):
        service.start_web()
        service.start(*WORKER)
        job_id = service.upload().json()["job_id"]
        wait_for(lambda: service.events(job_id)[2:] == ["unconfirmed"], "the end of the deadline")
