"""What the client makes of files, folders and options."""

import json
import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from receipts.client import files
from receipts.client import run as client
from receipts.client.files import Form, find_files
from receipts.client.refusals import Misused, NotTaken
from tests.factories import DATABASE_ID
from tests.support.client_runs import FILED, NO_JOBS, NOBODY, TAKEN, nobody, pictures, run_client, scripted
from tests.support.stub_server import stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]


def test_a_file_that_is_gone_when_its_turn_comes_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path, range(3))
    found = find_files([tmp_path])
    (tmp_path / "001.jpg").unlink()
    monkeypatch.setattr(client, "find_files", lambda _: found)
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server:
        result = run_client(tmp_path, "--parallel", 1, url=server.url)
    assert result.words == ["already filed", "refused", "already filed"]
    assert "file_unreadable" in {json.loads(line)["code"] for line in result.lines}


def test_a_file_that_vanishes_while_it_is_uploaded_is_refused_and_not_sent_again(tmp_path: Path) -> None:
    pictures(tmp_path, range(1))
    form = Form(tmp_path / "000.jpg", DATABASE_ID)
    pieces = iter(form)
    next(pieces)
    (tmp_path / "000.jpg").unlink()
    with pytest.raises(NotTaken) as refused:
        list(pieces)
    assert (refused.value.code, refused.value.detail) == (
        "file_unreadable",
        "It cannot be read: No such file or directory.",
    )


def test_a_name_that_is_not_utf_8_stops_nothing(tmp_path: Path) -> None:
    pictures(tmp_path, range(2))
    os.rename(tmp_path / "001.jpg", os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg"))
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server:
        result = run_client(tmp_path, "--parallel", 1, url=server.url)
        assert result.words == ["already filed"] * 2
        names = [re.search(rb'filename="([^"]*)"', visit.body) for visit in server.requests if visit.body]
    assert {name[1].decode() for name in names if name} == {"000.jpg", "caf\N{REPLACEMENT CHARACTER}.jpg"}


def test_a_folder_that_cannot_be_read_is_told_of_and_stops_nothing() -> None:
    with tempfile.TemporaryDirectory() as name, stub_server(scripted(NO_JOBS, *[FILED] * 2)) as server:
        folder = pictures(Path(name), range(1))
        folder.chmod(0o755)
        for mode in (0, 0o444):
            (folder / str(mode)).mkdir()
            pictures(folder / str(mode), range(1)).chmod(mode)
        with nobody():
            result = run_client(folder, "--parallel", 1, url=server.url)
    refused = {json.loads(line)["file"]: json.loads(line)["detail"] for line in result.lines if "refused" in line}
    assert refused == {
        str(folder / "0"): "It cannot be read: Permission denied.",
        str(folder / str(0o444) / "000.jpg"): "It cannot be read: Permission denied.",
    }
    assert (result.code, len(result.lines)) == (1, 3)


def test_a_link_to_nowhere_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nothing.jpg")
    assert find_files([tmp_path]).files == [tmp_path / "dangling.jpg"]


def test_a_link_to_a_folder_is_not_followed_and_told_of(tmp_path: Path) -> None:
    for name in ("inbox", "inbox/deeper", "elsewhere"):
        (tmp_path / name).mkdir()
    pictures(tmp_path / "elsewhere", range(1))
    for link in ("inbox/2025", "inbox/deeper/2026.jpg", "inbox/.hidden"):
        (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    with stub_server(scripted(NO_JOBS)) as server:
        result = run_client(tmp_path / "inbox", url=server.url)
    assert (result.code, result.lines) == (0, [])
    assert result.summary == "2 passed over (links to folders, or no pictures by their names).\n"
    assert find_files([tmp_path / "inbox" / "2025"]).files == [tmp_path / "inbox" / "2025" / "000.jpg"]


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


@pytest.mark.parametrize("change", [b"", b"as it is!", b"longer than before"])
def test_a_file_that_changes_on_its_way_is_never_sent_to_its_end(tmp_path: Path, change: bytes) -> None:
    file = tmp_path / "one.jpg"
    file.write_bytes(b"as it was")
    form = Form(file, DATABASE_ID)
    file.write_bytes(change)
    with pytest.raises(NotTaken, match="changed while it was read"):
        list(form)


def test_a_file_that_grows_on_its_way_is_sent_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "one.jpg"
    file.write_bytes(b"as it was")
    form = Form(file, DATABASE_ID)
    file.write_bytes(b"as it was, and more")
    body = b"".join(form)
    assert (len(body), b"as it was\r\n" in body) == (len(form), True)


def test_what_is_changed_between_look_and_upload_comes_under_no_others_key_and_is_taken_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = pictures(tmp_path, range(1)) / "000.jpg"
    real = files.digest

    def scan_again_after_the_look(path: Path) -> str:
        seen = real(path)
        scan.write_bytes(bytes(scan.stat().st_size))
        return seen

    with stub_server(scripted(NO_JOBS, TAKEN)) as server, monkeypatch.context() as patch:
        patch.setattr(files, "digest", scan_again_after_the_look)
        result = run_client(scan, "--no-wait", url=server.url)
    assert (result.code, result.words) == (1, ["changed"])
    with stub_server(scripted(NO_JOBS, TAKEN)) as server:
        assert run_client(scan, "--no-wait", url=server.url).words == ["taken"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "receipts.example.com"}, "--url cannot be understood: give an address such as https://"),
        ({"url": "https://user:word@receipts.example.com"}, "--url cannot be understood"),
        ({"url": ""}, "RECEIPTS_URL is missing"),
        ({"api_key": ""}, "RECEIPTS_API_KEY is missing"),
        ({"api_key": "schlüssel"}, "--api-key cannot be understood"),
        ({"database": "my receipts"}, "--database cannot be understood: give 32 hex digits"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, changed: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RECEIPTS_URL", "RECEIPTS_API_KEY", "RECEIPTS_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Misused, match=f"^{sentence}"):
        run_client(tmp_path, **({"url": NOBODY} | changed))


def test_a_pipe_is_no_file_to_upload(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(Misused, match=r"pipe\.jpg is no file\.$"):
        find_files([tmp_path / "pipe.jpg"])
    assert find_files([tmp_path]) == ([], 0)


@pytest.mark.parametrize("name", ["nowhere", "x" * 300])
def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misused, match=rf"^There is no .*{name}\.$"):
        run_client(tmp_path / name, url=NOBODY)


def test_a_host_that_none_can_have_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="cannot be reached"):
        run_client(pictures(tmp_path, range(1)), url=f"http://{'a' * 70}.example.com")


def test_it_loads_no_django() -> None:
    program = "import sys, receipts.client.run, receipts.client.__main__; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("pasted", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_may_be_that_of_the_api(pasted: str, tmp_path: Path) -> None:
    with stub_server(scripted(NO_JOBS, TAKEN)) as server:
        result = run_client(pictures(tmp_path, range(1)), "--no-wait", url=server.url + pasted)
    assert (result.code, result.words) == (0, ["taken"])
    assert [request.target.partition("?")[0] for request in server.requests] == [
        "/api/v1/jobs/",
        "/api/v1/receipts/upload",
    ]
