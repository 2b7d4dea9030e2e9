"""The client of the API, against the service as it is shipped, and against stand-ins that are in a bad mood."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command

from jobs.sandbox import running_sandbox
from receipts.client import run as client
from receipts.client.files import Form, find_files
from receipts.client.options import add_options, read_options
from receipts.client.refusals import Misused, Refused
from receipts.client.run import run
from receipts.sample import draw_receipt

from .bodies import parse_body
from .factories import DATABASE_ID, SMALL
from .installation import WORKER, Installation, wait_for
from .servers import made_up
from .stub_server import Behaviour, Visit, response, stub_server

pytestmark = pytest.mark.processes

NOBODY = "http://127.0.0.1:9"
NO_JOBS = response(body=b'{"next": null, "previous": null, "results": []}')
JOB = b'{"job_id": "j1", "receipt_id": "r1", "status": "%s", "notion_page_url": "https://www.notion.so/1"}'
TAKEN, FILED = response(202, JOB % b"queued"), response(200, JOB % b"success")
KEY = made_up("key of a client")


class Told(NamedTuple):
    """What a run came to."""

    code: int
    lines: list[str]
    summary: str

    @property
    def words(self) -> list[str]:
        """What became of each file, in the order of their names."""
        told = [json.loads(line) for line in self.lines]
        return [one["outcome"] for one in sorted(told, key=lambda one: str(one["file"]))]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation with one worker, whose N8N files all at once."""
    with (
        running_sandbox(delay=0) as n8n,
        Installation(tmp_path_factory.mktemp("service"), f"{n8n.url}/webhook/receipts") as installation,
    ):
        installation.start_web()
        installation.start(*WORKER)
        yield installation


def tell(*arguments: object, url: str, api_key: str = KEY, database: str = DATABASE_ID) -> Told:
    """Run the client in this process; each line is JSON."""
    parser = ArgumentParser()
    add_options(parser)
    told = ["--url", url, "--api-key", api_key, "--database", database, "--json"]
    lines: list[str] = []
    summary, stderr = io.StringIO(), sys.stderr
    sys.stderr = summary
    try:
        code = run(read_options(parser.parse_args([*map(str, arguments), *told])), lines.append)
    finally:
        sys.stderr = stderr
    return Told(code, lines, summary.getvalue())


def pictures(folder: Path, numbers: range) -> Path:
    """Put some receipts into the folder, each number another one."""
    for number in numbers:
        (folder / f"{number:03}.jpg").write_bytes(draw_receipt(number, size=SMALL))
    return folder


def jobs_of(service: Installation) -> int:
    ((number,),) = service.query("SELECT count(*) FROM jobs_joblog")
    return int(number)


def fail(service: Installation, job_id: str) -> None:
    """Let a job have failed that N8N filed: there is one N8N for all tests, and it files everything."""
    stored = job_id if service.env["DATABASE_URL"].startswith("postgres") else job_id.replace("-", "")
    failure = "status = 'failure', failure_code = 'workflow_failed'"
    service.execute(f"UPDATE jobs_joblog SET {failure} WHERE job_id = '{stored}'")  # noqa: S608 - an id of ours


def scripted(*answers: bytes) -> Behaviour:
    """Return a behaviour that gives one answer after the other, on however many connections."""
    script = iter(answers)

    def behave(visit: Visit) -> None:
        while visit.read():
            visit.send(next(script))

    return behave


# -- against the service


def test_a_folder_is_filed_once_and_what_is_no_picture_stops_nothing(service: Installation, tmp_path: Path) -> None:
    before = jobs_of(service)
    pictures(tmp_path, range(100, 103))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "twin.JPG").write_bytes((tmp_path / "100.jpg").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name in ("notes.txt", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"x")

    first = tell(tmp_path, url=service.url, api_key=service.key)
    assert first.code == 1
    assert Counter(first.words) == {"filed": 3, "already filed": 1, "refused": 1}
    assert {json.loads(line)["code"] for line in first.lines} == {"", "unsupported_file_type"}
    assert "1 refused" in first.summary
    assert "1 passed over" in first.summary
    assert jobs_of(service) == before + 3

    (tmp_path / "broken.png").unlink()
    again = tell(tmp_path, url=service.url, api_key=service.key)
    assert (again.code, again.words) == (0, ["already filed"] * 4)
    assert jobs_of(service) == before + 3


def test_who_does_not_wait_is_told_what_was_taken(service: Installation, tmp_path: Path) -> None:
    told = tell(pictures(tmp_path, range(110, 112)), "--no-wait", url=service.url, api_key=service.key)
    assert (told.code, told.words) == (0, ["taken", "taken"])


def test_what_failed_is_told_and_uploaded_again_when_asked_to(service: Installation, tmp_path: Path) -> None:
    pictures(tmp_path, range(120, 121))
    told = tell(tmp_path, url=service.url, api_key=service.key)
    job_id = json.loads(told.lines[0])["job_id"]
    fail(service, job_id)
    failed = tell(tmp_path, url=service.url, api_key=service.key)
    assert (failed.code, failed.words) == (1, ["failed"])
    assert json.loads(failed.lines[0])["code"] == "workflow_failed"
    assert tell(tmp_path, "--retry-failed", url=service.url, api_key=service.key).words == ["filed"]
    assert tell(tmp_path, url=service.url, api_key=service.key).words == ["already filed"]
    assert tell(tmp_path, "--retry-failed", url=service.url, api_key=service.key).words == ["already filed"]


def test_a_client_killed_on_its_way_is_finished_by_the_same_command(service: Installation, tmp_path: Path) -> None:
    before = jobs_of(service)
    pictures(tmp_path, range(130, 160))
    with subprocess.Popen(module(service, tmp_path), env=environment(service), stdout=subprocess.DEVNULL) as client:
        wait_for(lambda: jobs_of(service) > before + 2, "the first uploads")
        client.send_signal(signal.SIGKILL)
    assert before + 2 < jobs_of(service) < before + 30
    told = tell(tmp_path, url=service.url, api_key=service.key)
    assert told.code == 0
    assert set(told.words) == {"filed", "already filed"}
    assert jobs_of(service) == before + 30


def module(service: Installation, folder: Path) -> list[str]:
    return [sys.executable, "-m", "receipts.client", str(folder)]


def environment(service: Installation) -> dict[str, str]:
    """Return an environment in which nothing is set but where to upload to, and with which key."""
    told = {"RECEIPTS_URL": service.url, "RECEIPTS_API_KEY": service.key, "RECEIPTS_DATABASE": DATABASE_ID}
    return {"PATH": os.environ["PATH"]} | told


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
    told = ["--api-key", KEY, "--database", DATABASE_ID]
    with pytest.raises(CommandError, match="cannot be reached") as misused:
        call_command("upload_receipts", str(pictures(tmp_path, range(1))), "--url", NOBODY, *told)
    assert misused.value.returncode == 2
    with stub_server(scripted(NO_JOBS, response(415, b"{}"))) as server, pytest.raises(CommandError) as failed:
        call_command("upload_receipts", str(tmp_path), "--url", server.url, *told)
    assert failed.value.returncode == 1


def test_a_wrong_key_is_found_before_anything_is_uploaded(service: Installation, tmp_path: Path) -> None:
    with pytest.raises(Misused, match="does not take this API key"):
        tell(pictures(tmp_path, range(1)), url=service.url)


# -- in bad weather


@pytest.mark.parametrize("status", [429, 503, 507])
def test_a_service_that_asks_for_patience_gets_it(tmp_path: Path, status: int) -> None:
    busy = response(status, b"{}", Retry_After="1")
    with stub_server(scripted(NO_JOBS, busy, TAKEN, FILED)) as server:
        began = time.monotonic()
        told = tell(pictures(tmp_path, range(1)), "--parallel", 1, url=server.url)
    assert told.words == ["filed"]
    assert time.monotonic() - began >= 1
    refused, taken = (request for request in server.requests if request.method == "POST")
    assert refused.headers["Idempotency-Key"] == taken.headers["Idempotency-Key"]
    assert parse_body(taken.headers["Content-Type"], taken.body).picture == (tmp_path / "000.jpg").read_bytes()


def test_patience_has_an_end_however_much_is_asked_for(tmp_path: Path) -> None:
    problem = b'{"code": "throttled", "detail": "Too many uploads."}'
    with stub_server(scripted(NO_JOBS, response(429, problem, Retry_After="86400"))) as server:
        told = tell(pictures(tmp_path, range(1)), "--patience", 5, url=server.url)
    assert (told.code, told.words) == (1, ["refused"])
    assert json.loads(told.lines[0])["code"] == "throttled"


def test_a_connection_that_breaks_is_tried_again_with_the_same_key(tmp_path: Path) -> None:
    def break_off(visit: Visit) -> None:
        visit.read_head()
        visit.reset()

    with stub_server(scripted(NO_JOBS), break_off, scripted(TAKEN)) as server:
        told = tell(pictures(tmp_path, range(1)), "--no-wait", url=server.url)
    assert (told.code, told.words) == (0, ["taken"])
    keys = [head.headers["Idempotency-Key"] for visit in server.visits for head in visit.heads if head.method == "POST"]
    assert (len(keys), len(set(keys))) == (2, 1)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b'{"job_id": 1}', b"<html>"])
def test_an_answer_that_is_not_the_services_is_no_success(tmp_path: Path, body: bytes) -> None:
    with stub_server(scripted(NO_JOBS, response(200, body))) as server:
        told = tell(pictures(tmp_path, range(1)), url=server.url)
    assert (told.code, told.words) == (1, ["refused"])


def test_what_is_open_at_the_end_of_the_wait_is_no_success(tmp_path: Path) -> None:
    still = response(200, JOB % b"processing", Retry_After="1")
    with stub_server(scripted(NO_JOBS, TAKEN, *[still] * 9)) as server:
        told = tell(pictures(tmp_path, range(1)), "--wait", 1.5, url=server.url)
    assert (told.code, told.words) == (1, ["taken"])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (response(200, b"<html>", Content_Type="text/html"), "no such service"),
        (response(404, b"{}"), "no such service"),
        (response(301, b"", Location="https://elsewhere.example/api"), "redirects to https://elsewhere.example/api"),
        (response(403, b'{"code": "permission_denied"}'), r"API key \(permission_denied\)"),
    ],
)
def test_what_is_not_the_service_gets_no_picture(tmp_path: Path, answer: bytes, sentence: str) -> None:
    def behave(visit: Visit) -> None:
        visit.read()
        visit.send(answer)

    with stub_server(behave) as server, pytest.raises(Misused, match=sentence):
        tell(pictures(tmp_path, range(1)), url=server.url)
    assert [request.method for request in server.requests] == ["GET"]


def test_an_interrupted_client_says_that_it_may_go_on(tmp_path: Path) -> None:
    with stub_server(scripted(NO_JOBS, *[response(503, b"{}", Retry_After="60")] * 9)) as server:
        told = {"RECEIPTS_URL": server.url, "RECEIPTS_API_KEY": KEY, "RECEIPTS_DATABASE": DATABASE_ID}
        command = [sys.executable, "-m", "receipts.client", str(pictures(tmp_path, range(3)))]
        with subprocess.Popen(command, env=os.environ | told, stderr=subprocess.PIPE, text=True) as process:
            wait_for(lambda: len(server.requests) == 4, "the first uploads")
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20)[1].startswith("Interrupted; the same command goes on")
        assert process.returncode == 130


# -- files and options


def test_a_file_that_is_gone_when_its_turn_comes_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path, range(3))
    found = find_files([tmp_path])
    (tmp_path / "001.jpg").unlink()
    monkeypatch.setattr(client, "find_files", lambda _: found)
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server:
        told = tell(tmp_path, "--parallel", 1, url=server.url)
    assert told.words == ["already filed", "refused", "already filed"]
    assert "file_unreadable" in {json.loads(line)["code"] for line in told.lines}


def test_what_is_filed_is_moved_away_and_nothing_is_overwritten(tmp_path: Path) -> None:
    inbox, done = pictures(tmp_path, range(2)), tmp_path / "away" / "done"
    done.mkdir(parents=True)
    (done / "000.jpg").write_bytes(b"another of that name")
    with stub_server(scripted(NO_JOBS, FILED, FILED, response(415, b"{}"))) as server:
        told = tell(inbox / "000.jpg", inbox / "001.jpg", "--parallel", 1, "--done", done, url=server.url)
    assert (told.code, told.words) == (1, ["already filed", "refused"])
    assert (done / "000.jpg").read_bytes() == b"another of that name"
    assert sorted(path.name for path in done.iterdir()) == ["000-j1.jpg", "000.jpg"]
    assert sorted(path.name for path in inbox.glob("*.jpg")) == ["001.jpg"]


@pytest.mark.parametrize(
    ("looked_into", "done"), [("", ""), ("", "filed"), ("", "a/filed"), ("a", "b/../a/filed"), ("000.jpg", "")]
)
def test_a_folder_of_filed_pictures_that_is_itself_looked_into_is_refused(
    tmp_path: Path, looked_into: str, done: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(Misused, match=r"^--done is looked into"):
        tell(pictures(tmp_path, range(1)) / looked_into, "--done", tmp_path / done, url=NOBODY)


def test_a_hidden_folder_may_lie_among_the_pictures_for_it_is_not_looked_into(tmp_path: Path) -> None:
    for _ in range(2):
        with stub_server(scripted(NO_JOBS, FILED, FILED)) as server:
            tell(pictures(tmp_path, range(1)), "--done", tmp_path / ".filed", url=server.url)
    assert sorted(path.name for path in (tmp_path / ".filed").iterdir()) == ["000-j1.jpg", "000.jpg"]


def test_a_file_that_cannot_be_moved_away_is_filed_all_the_same(tmp_path: Path) -> None:
    inbox, done = pictures(tmp_path, range(1)), tmp_path / "done"
    done.write_bytes(b"no folder")
    with stub_server(scripted(NO_JOBS, FILED, FILED)) as server:
        told = tell(inbox / "000.jpg", "--done", done, url=server.url)
    assert (told.code, told.words) == (0, ["already filed"])
    assert "stays where it is" in told.summary


def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(os.urandom(20_000_000))
    form = Form(large, DATABASE_ID)
    tracemalloc.start()
    try:
        assert sum(map(len, form)) == len(form) > 20_000_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


@pytest.mark.parametrize("change", [b"", b"longer than before"])
def test_a_file_that_changes_on_its_way_is_never_sent_with_a_wrong_length(tmp_path: Path, change: bytes) -> None:
    file = tmp_path / "one.jpg"
    file.write_bytes(b"as it was")
    form = Form(file, DATABASE_ID)
    file.write_bytes(change)
    if change:
        assert sum(map(len, form)) == len(form)
    else:
        with pytest.raises(Refused, match="shorter"):
            list(form)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "receipts.example.com"}, "--url cannot be understood"),
        ({"url": "https://user:word@receipts.example.com"}, "--url cannot be understood"),
        ({"url": ""}, "RECEIPTS_URL is missing"),
        ({"api_key": ""}, "RECEIPTS_API_KEY is missing"),
        ({"api_key": "schlüssel"}, "--api-key cannot be understood"),
        ({"database": "my receipts"}, "--database cannot be understood"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, changed: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RECEIPTS_URL", "RECEIPTS_API_KEY", "RECEIPTS_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Misused, match=f"^{sentence}"):
        tell(tmp_path, **({"url": NOBODY} | changed))


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"^There is no .*nowhere\.$"):
        tell(tmp_path / "nowhere", url=NOBODY)


def test_it_loads_no_django() -> None:
    program = "import sys, receipts.client.run, receipts.client.__main__; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
