"""The checker of chaos finds each kind of wrong in what a run left behind, and nothing where all is well."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .fake_run import OTHER, STARTED, FakeRun, at

TRACEBACK = "Traceback (most recent call last):\n  File x\n"
SET = "UPDATE jobs_joblog SET "
SECOND_JOB = "INSERT INTO jobs_joblog SELECT ?, receipt_id, 'failure', 0, NULL, 'x' FROM jobs_joblog"
SECOND_RECEIPT = "INSERT INTO receipts_receipt SELECT ?, 1, file, sha256 FROM receipts_receipt"

Doctor = Callable[[FakeRun], object]


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    """Return what a good run left."""
    return FakeRun(tmp_path)


def test_nothing_is_found_where_all_is_well(run: FakeRun) -> None:
    run.answers.append({**run.answers[0], "status": 0, "job_id": "", "error": "ConnectionError"})
    run.callback("success", duplicate=True)
    run.callback("failure", status=409)
    assert run.wrong() == []


WRONGS: dict[str, tuple[str, Doctor]] = {
    "a job that is not there": ("lost: k1 was told of job", lambda s: s.answers[0].update(job_id=OTHER)),
    "a file that is gone": ("lost: the file", lambda s: (s.folder / "media" / "one.jpg").unlink()),
    "a file that was changed": ("lost: the file", lambda s: (s.folder / "media" / "one.jpg").write_bytes(b"b receipt")),
    "a job for another receipt": ("is for another receipt", lambda s: s.answers[0].update(sha256="0" * 64)),
    "another job for the same key": (
        "doubled: k1 was told",
        lambda s: s.answers.append({**s.answers[0], "job_id": OTHER}),
    ),
    "a key that was not kept": ("doubled: k1 was told", lambda s: s.sql("DELETE FROM jobs_idempotencykey")),
    "two jobs of one receipt": (
        "doubled: job of receipt",
        lambda s: s.sql(SECOND_JOB, OTHER),
    ),
    "a receipt kept twice": (
        "doubled: receipt",
        lambda s: s.sql(SECOND_RECEIPT, OTHER),
    ),
    "a server error": ("was told 500", lambda s: s.answers.append({**s.answers[0], "status": 500})),
    "a client who never got an answer": (
        "never told yes",
        lambda s: s.answers.append({**s.answers[0], "key": "k2", "status": 0}),
    ),
    "a change without an event": (
        "chain: job",
        lambda s: s.sql("DELETE FROM jobs_jobevent WHERE kind = 'delivered'"),
    ),
    "a status that no event leads to": ("but its events lead to", lambda s: s.sql(SET + "status = 'failure'")),
    "a claim that was not counted": ("was claimed as [1, 2]", lambda s: s.sql(SET + "attempts = 1")),
    "two successes": ("twice: job", lambda s: s.event(6, "succeeded", "success", "success", attempt=2)),
    "a success that was opened again": (
        "opened again",
        lambda s: (
            s.event(6, "retried", "success", "queued", attempt=2),
            s.event(7, "claimed", "queued", "success", attempt=3),
        ),
    ),
    "an open job": ("open: job", lambda s: s.sql(SET + "status = 'processing', due_at = '2026-01-01'")),
    "an ended job that is due": ("open: job", lambda s: s.sql(SET + "due_at = '2026-01-01'")),
    "an end that came too late": ("s after the last fault", lambda s: s.faults[0].update(at=STARTED - 200)),
    "a reported success that is none": (
        "outcome: N8N reported success",
        lambda s: s.sql(SET + "status = 'failure', failure_code = 'callback_timeout'"),
    ),
    "a success that nobody reported": ("that N8N never reported", lambda s: s.n8n.pop()),
    "a failure that nobody reported": (
        "is a failure that N8N never reported",
        lambda s: s.sql(SET + "status = 'failure', failure_code = 'workflow_failed'"),
    ),
    "a failure told apart that nobody reported": (
        "is a failure that N8N never reported",
        lambda s: s.sql(SET + "status = 'failure', failure_code = 'notion_busy'"),
    ),
    "a contradiction that was taken": ("were all taken as new", lambda s: s.callback("failure")),
    "a report on no job": ("which does not exist", lambda s: s.n8n.append({**s.n8n[-1], "job_id": OTHER})),
    "a report that met an error": ("were answered [500]", lambda s: s.callback("success", status=500)),
    "a number posted twice": ("under the numbers [1, 2, 1]", lambda s: s.post(1.2, attempt=1, means="refused")),
    "a post that nobody claimed": ("without a claim", lambda s: s.post(6, attempt=3, means="taken")),
    "a post of other bytes": ("carried other bytes", lambda s: s.n8n[0].update(sha256="0" * 64)),
    "a further post without a reason": ("without a reason", FakeRun.let_first_post_be_taken_in_silence),
    "a further post after N8N's own failure": ("without a reason", lambda s: s.n8n[0].update(means="failed")),
    "a further post of what was delivered": (
        "without a reason",
        lambda s: s.sql("UPDATE jobs_jobevent SET kind = 'delivered' WHERE kind = 'refused'"),
    ),
    "an answer of 500 in the log": ("with 500", lambda s: setattr(s, "log", s.log.replace("503", "500"))),
    "a traceback in a line": (
        "with ValueError: no",
        lambda s: setattr(s, "log", json.dumps({"event": "e", "exception": TRACEBACK + "ValueError: no"})),
    ),
    "a bare traceback": ("KeyError: 'x'", lambda s: setattr(s, "log", f"{TRACEBACK}KeyError: 'x'\n")),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_each_wrong_is_found(run: FakeRun, wrong: str) -> None:
    sentence, doctor = WRONGS[wrong]
    doctor(run)
    assert any(sentence in found for found in run.wrong())


REASONS: dict[str, Doctor] = {
    "its worker was killed": lambda s: s.fault(1.5, "kill"),
    "its worker was frozen": lambda s: s.fault(0.5, "freeze"),
    "another was frozen with SQLite's lock": lambda s: (s.fault(1.2, "freeze", pid=7), s.fault(1.9, "thaw", pid=7)),
    "the database was restarted": lambda s: s.fault(1.5, "database harmed"),
    "N8N answered after the deadline": lambda s: s.n8n[1].update(at=STARTED + 3),
    "N8N gave an unclear answer": lambda s: s.n8n[0].update(means="unclear"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_for_a_further_post_is_seen(run: FakeRun, reason: str) -> None:
    run.let_first_post_be_taken_in_silence()
    REASONS[reason](run)
    assert run.wrong() == []


@pytest.mark.parametrize("pid", [101, 7])
def test_only_its_own_worker_excuses_a_further_post(run: FakeRun, pid: int) -> None:
    run.let_first_post_be_taken_in_silence()
    run.fault(1.5, "kill", pid=pid)
    assert bool(run.wrong()) == (pid != 101)


@pytest.mark.parametrize("second", [-9, 15])
def test_a_fault_of_another_time_excuses_nothing(run: FakeRun, second: float) -> None:
    run.let_first_post_be_taken_in_silence()
    run.fault(second, "kill")
    run.fault(second, "database harmed", name="restart")
    run.fault(second + 1, "database back", name="restart")
    assert len(run.wrong()) == 1


def test_a_frozen_worker_excuses_no_other_while_somebody_still_writes(run: FakeRun) -> None:
    run.let_first_post_be_taken_in_silence()
    run.fault(1.2, "freeze", pid=7)
    run.fault(3.9, "thaw", pid=7)
    assert len(run.wrong()) == 1


@pytest.mark.parametrize("pid", [101, 7])
def test_a_task_may_run_out_of_time_where_its_worker_was_frozen(run: FakeRun, pid: int) -> None:
    run.fault(1.5, "freeze", pid=pid)
    run.fault(4.5, "thaw", pid=pid)
    chain = f"{TRACEBACK}rq.timeouts.JobTimeoutException: 4 s\n\nDuring handling of the above, another:\n\n"
    line = {"event": "task_failed", "worker": "host:101-ab", "timestamp": at(5).isoformat()}
    run.log = json.dumps(line | {"exception": f"{chain}{TRACEBACK}psycopg.ProgrammingError: ACTIVE"})
    assert bool(run.wrong()) == (pid != 101)


def test_tracebacks_about_an_absent_server_are_expected(run: FakeRun) -> None:
    cause = f"{TRACEBACK}KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n"
    run.log = f"{TRACEBACK}redis.exceptions.ConnectionError: gone\n" + json.dumps(
        {"event": "sweep_failed", "exception": f"{cause}{TRACEBACK}django.db.utils.OperationalError: away"}
    )
    assert run.wrong() == []
