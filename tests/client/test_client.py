"""The client of the API, against the service as it is shipped."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import pytest
from django.core.management import CommandError, call_command

from jobs.sandbox import running_sandbox
from receipts.client.refusals import Misused
from tests.factories import DATABASE_ID
from tests.support.client_runs import KEY, NO_JOBS, NOBODY, TAKEN, pictures, run_client, scripted
from tests.support.installation import Installation, wait_for
from tests.support.stub_server import response, stub_server

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

pytestmark = [pytest.mark.processes, pytest.mark.any_database]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation whose N8N files all at once."""
    with (
        running_sandbox(delay=0) as n8n,
        Installation(tmp_path_factory.mktemp("service"), f"{n8n.url}/webhook/receipts") as installation,
    ):
        installation.start_all()  # the sweep, too: where Redis takes too long to answer a ring is lost
        yield installation


def jobs_of(service: Installation) -> int:
    ((number,),) = service.query("SELECT count(*) FROM jobs_joblog")
    return int(number)


def end_as(service: Installation, job_id: str, status: str, failure_code: str = "") -> None:
    """Let a job have ended otherwise than N8N had it: there is one N8N for all tests, and it files everything."""
    stored = job_id if service.env["DATABASE_URL"].startswith("postgres") else job_id.replace("-", "")
    end = f"status = '{status}', failure_code = '{failure_code}'"
    service.execute(f"UPDATE jobs_joblog SET {end} WHERE job_id = '{stored}'")  # noqa: S608 - an id of ours


def fail(service: Installation, job_id: str) -> None:
    end_as(service, job_id, "failure", "workflow_failed")


def test_a_folder_is_filed_once_and_what_is_no_picture_stops_nothing(service: Installation, tmp_path: Path) -> None:
    before = jobs_of(service)
    pictures(tmp_path, range(100, 103))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "twin.JPG").write_bytes((tmp_path / "100.jpg").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name in ("notes.txt", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"x")

    first = run_client(tmp_path, url=service.url, api_key=service.key)
    assert first.code == 1
    assert Counter(first.words) == {"filed": 3, "already filed": 1, "refused": 1}
    assert {json.loads(line)["code"] for line in first.lines} == {"", "unsupported_file_type"}
    assert "1 refused" in first.summary
    assert "1 passed over (a link to a folder, or no picture by its name)" in first.summary
    assert jobs_of(service) == before + 3

    (tmp_path / "broken.png").unlink()
    again = run_client(tmp_path, url=service.url, api_key=service.key)
    assert (again.code, again.words) == (0, ["already filed"] * 4)
    assert jobs_of(service) == before + 3


def test_who_does_not_wait_is_told_what_was_taken(service: Installation, tmp_path: Path) -> None:
    result = run_client(pictures(tmp_path, range(110, 112)), "--no-wait", url=service.url, api_key=service.key)
    assert (result.code, result.words) == (0, ["taken", "taken"])


def test_what_failed_is_told_and_uploaded_again_when_asked_to(service: Installation, tmp_path: Path) -> None:
    pictures(tmp_path, range(120, 121))
    result = run_client(tmp_path, url=service.url, api_key=service.key)
    job_id = json.loads(result.lines[0])["job_id"]
    fail(service, job_id)
    failed = run_client(tmp_path, url=service.url, api_key=service.key)
    assert (failed.code, failed.words) == (1, ["failed"])
    assert json.loads(failed.lines[0])["code"] == "workflow_failed"
    assert run_client(tmp_path, "--retry-failed", url=service.url, api_key=service.key).words == ["filed"]
    assert run_client(tmp_path, url=service.url, api_key=service.key).words == ["already filed"]
    assert run_client(tmp_path, "--retry-failed", url=service.url, api_key=service.key).words == ["already filed"]


def test_what_an_older_job_has_filed_after_all_is_filed(service: Installation, tmp_path: Path) -> None:
    pictures(tmp_path, range(125, 126))
    first = json.loads(run_client(tmp_path, url=service.url, api_key=service.key).lines[0])["job_id"]
    fail(service, first)
    again = run_client(tmp_path, "--retry-failed", url=service.url, api_key=service.key)
    fail(service, json.loads(again.lines[0])["job_id"])
    end_as(service, first, "success")
    assert run_client(tmp_path, url=service.url, api_key=service.key).words == ["already filed"]


def test_a_client_killed_on_its_way_is_finished_by_the_same_command(service: Installation, tmp_path: Path) -> None:
    before = jobs_of(service)
    pictures(tmp_path, range(130, 160))
    with subprocess.Popen(module(service, tmp_path), env=environment(service), stdout=subprocess.DEVNULL) as client:
        wait_for(lambda: jobs_of(service) > before + 2, "the first uploads")
        client.send_signal(signal.SIGKILL)
    assert before + 2 < jobs_of(service) < before + 30
    result = run_client(tmp_path, url=service.url, api_key=service.key)
    assert result.code == 0
    assert set(result.words) == {"filed", "already filed"}
    assert jobs_of(service) == before + 30


def module(service: Installation, folder: Path) -> list[str]:
    return [sys.executable, "-m", "receipts.client", str(folder)]


def environment(service: Installation) -> dict[str, str]:
    """Return an environment in which nothing is set but where to upload to, and with which key."""
    options = {"RECEIPTS_URL": service.url, "RECEIPTS_API_KEY": service.key, "RECEIPTS_DATABASE": DATABASE_ID}
    return {"PATH": os.environ["PATH"]} | options


def test_it_runs_without_settings_and_its_key_stays_out_of_sight(service: Installation, tmp_path: Path) -> None:
    pictures(tmp_path, range(160, 162))
    (tmp_path / "two\nlines.jpg").write_bytes(b"x")
    client = module(service, tmp_path)
    done = subprocess.run(client, env=environment(service), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sorted(line.split("  ")[0].strip() for line in done.stdout.splitlines()) == ["filed", "filed", "refused"]
    assert done.stderr == "2 filed, 1 refused.\n"
    assert service.key not in done.stdout + done.stderr + " ".join(client)


def test_it_is_a_command_of_an_installation_as_well(service: Installation, tmp_path: Path) -> None:
    pictures(tmp_path, range(165, 166))
    settings = service.env | environment(service) | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    command = [sys.executable, "manage.py", "upload_receipts", str(tmp_path)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "filed"), done.stderr


def test_the_command_ends_with_the_clients_codes(tmp_path: Path) -> None:
    options = ["--api-key", KEY, "--database", DATABASE_ID]
    with pytest.raises(CommandError, match="cannot be reached") as misused:
        call_command("upload_receipts", str(pictures(tmp_path, range(1))), "--url", NOBODY, *options)
    assert misused.value.returncode == 2
    with stub_server(scripted(NO_JOBS, response(415, b"{}"))) as server, pytest.raises(CommandError) as failed:
        call_command("upload_receipts", str(tmp_path), "--url", server.url, *options)
    assert failed.value.returncode == 1


def test_a_wrong_key_is_found_before_anything_is_uploaded(service: Installation, tmp_path: Path) -> None:
    with pytest.raises(Misused, match="does not take this API key"):
        run_client(pictures(tmp_path, range(1)), url=service.url)


def test_it_asks_no_more_of_click_than_the_one_of_debian_12_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def progressbar(*, length: int, label: str, file: TextIO) -> "ProgressBar[int]":  # that of 8.1 knows no `hidden`
        return original(length=length, label=label, file=file)

    original = click.progressbar
    monkeypatch.setattr(click, "progressbar", progressbar)
    with stub_server(scripted(NO_JOBS, TAKEN)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--no-wait", url=server.url)

    assert (result.code, result.words, result.summary) == (0, ["taken"], "1 taken.\n")
