"""`manage.py canary` sends one, tells each step, and says what is wrong where it does not come back."""

import errno
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.canary import canaries
from jobs.models import JobLog
from jobs.sandbox import running_sandbox
from receipts.storage import PrivateFileStorage, StorageAway
from tests.support.canary_lifecycle import NOT_REGISTERED, answered, returned
from tests.support.installation import Installation, wait_for
from tests.support.sandbox_requests import reporting_once_taken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


@contextmanager
def meanwhile(act: Callable[[JobLog], object]) -> Iterator[None]:
    """Do something to the canary once it is there."""

    def run() -> None:
        try:
            act(wait_for(lambda: canaries().first(), "the canary"))
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    yield
    thread.join()


@pytest.mark.processes
def test_in_a_whole_installation_it_tells_each_step_and_its_exit_code_says_whether_it_is_back(tmp_path: Path) -> None:
    with (
        running_sandbox(delay=0.1) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts", CALLBACK_TIMEOUT_SECONDS="900") as service,
        reporting_once_taken(service),
    ):
        alone = [sys.executable, "manage.py", "canary", "--timeout", "0.2"]
        done = subprocess.run(alone, env=service.env, capture_output=True, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (1, False)

        service.start_all()
        told = service.manage("canary")
        steps = re.findall(r"^ *(\d+) ms  (Claimed by a worker|Reached N8N|Accepted|Called back) ", told, re.M)
        assert [name for _, name in steps] == ["Claimed by a worker", "Reached N8N", "Accepted", "Called back"]
        assert "0 ms  Queued\n" in told
        assert [int(ms) for ms, _ in steps] == sorted(int(ms) for ms, _ in steps)
        assert "the way to N8N and back works" in told

        (job_id,) = re.findall(r"^Canary (\S+) is on its way", told, re.M)
        assert n8n.stats()["deliveries"][job_id] == 1
        check = service.ask("/health/ready").json()["checks"]["canary"]
        assert (check["state"], check["outcome"], check["trouble"]) == ("ok", "success", None)


def test_it_need_not_wait(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("canary", "--no-wait")
    assert capsys.readouterr().out == f"Canary {canaries().get().pk} is on its way.\n"


@pytest.mark.processes
@pytest.mark.parametrize("is_at_terminal", [True, False])
def test_its_steps_stand_alone_on_a_terminal_and_its_events_are_logged_elsewhere(
    tmp_path: Path, is_at_terminal: bool
) -> None:
    terminal, other_end = pty.openpty()
    with (
        Installation(tmp_path, "http://127.0.0.1:9/", DELIVERY_RETRY_SCHEDULE="60,86400") as service,
        os.fdopen(terminal, "rb"),
        os.fdopen(other_end, "wb") as shown,
        (tmp_path / "log").open("wb") as log,
    ):
        command = [sys.executable, "manage.py", "canary", "--no-wait"]
        to = shown if is_at_terminal else log
        subprocess.run(command, env=service.env, stdout=shown, stderr=to, check=True)
        os.write(other_end, b"end")
        text = read_until(terminal, b"end")
        assert re.fullmatch(r"(\r\x1b\[K)?Canary \S+ is on its way\.\r\nend", text)
        assert ("job_event" in (tmp_path / "log").read_text()) is not is_at_terminal


def read_until(terminal: int, end: bytes) -> str:
    text = b""
    while not text.endswith(end):
        text += os.read(terminal, 4096)
    return text.decode()


def test_where_no_worker_is_it_says_so_after_the_time_that_it_may_take() -> None:
    with pytest.raises(CommandError, match=r"It is not back after 0\.2 s\. No worker has taken it\. See that workers"):
        call_command("canary", "--timeout=0.2")


def test_where_a_setting_is_wrong_it_says_so_at_once_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        meanwhile(lambda job: answered(job, NOT_REGISTERED)),
        pytest.raises(
            CommandError, match=r"It does not come back\. N8N knows no active webhook .* Activate the workflow"
        ),
    ):
        call_command("canary", "--timeout=600")
    told = capsys.readouterr().out
    assert "Reached N8N             HTTP 404 after 7 ms\n" in told
    assert "Not accepted            N8N knows no active webhook at this address.\n" in told


def test_a_failure_that_n8n_reports_is_back_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with meanwhile(lambda job: returned(answered(job), JobLog.Status.FAILURE, "No such database.")):
        call_command("canary")
    told = capsys.readouterr().out
    assert "Called back             failure: No such database.\n" in told
    assert told.endswith("N8N reported a failure, as a workflow does that knows no canaries.\n")


def test_what_n8n_says_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with meanwhile(lambda job: returned(answered(job), JobLog.Status.FAILURE, "No.\x1b[2J\x1b[H")):
        call_command("canary")
    assert "failure: No.\\x1b[2J\\x1b[H\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StorageAway("not mounted"), "not mounted"), (OSError(errno.ENOSPC, "No space left"), "No space left")],
)
def test_where_its_picture_cannot_be_stored_it_says_why(error: OSError, reason: str) -> None:
    with (
        patch.object(PrivateFileStorage, "_save", side_effect=error),
        pytest.raises(CommandError, match=rf"could not be stored \({reason}\): look at MEDIA_ROOT or S3_BUCKET\."),
    ):
        call_command("canary")


@pytest.mark.parametrize("timeout", ["0", "3601", "soon"])
def test_a_time_that_is_none_is_a_sentence(timeout: str) -> None:
    with pytest.raises(CommandError, match=r"it takes seconds from 0\.1 to 3600"):
        call_command("canary", f"--timeout={timeout}")
