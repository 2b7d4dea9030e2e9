"""Where the client puts what is filed: moved whole or not at all, and nothing is overwritten."""

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from receipts.client.files import move
from receipts.client.refusals import Misused
from receipts.sample import draw_receipt
from tests.factories import SMALL
from tests.support.client_runs import FILED, NO_JOBS, NOBODY, TAKEN, nobody, pictures, run_client, scripted
from tests.support.stub_server import Visit, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]


def test_what_is_filed_is_moved_away_and_nothing_is_overwritten(tmp_path: Path) -> None:
    inbox, done = pictures(tmp_path, range(2)), tmp_path / "away" / "done"
    done.mkdir(parents=True)
    (done / "000.jpg").write_bytes(b"another of that name")
    with stub_server(scripted(NO_JOBS, FILED, FILED, response(415, b"{}"))) as server:
        result = run_client(inbox / "000.jpg", inbox / "001.jpg", "--parallel", 1, "--done", done, url=server.url)
    assert (result.code, result.words) == (1, ["already filed", "refused"])
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
        run_client(pictures(tmp_path, range(1)) / looked_into, "--done", tmp_path / done, url=NOBODY)


def test_a_hidden_folder_may_lie_among_the_pictures_for_it_is_not_looked_into(tmp_path: Path) -> None:
    for _ in range(2):
        with stub_server(scripted(NO_JOBS, FILED, FILED)) as server:
            run_client(pictures(tmp_path, range(1)), "--done", tmp_path / ".filed", url=server.url)
    assert sorted(path.name for path in (tmp_path / ".filed").iterdir()) == ["000-j1.jpg", "000.jpg"]


@pytest.mark.parametrize("arguments", [[""], [" "], ["inbox", ""], ["inbox", "--done", ""]])
def test_an_argument_that_is_empty_is_not_taken_for_the_folder_that_one_is_in(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inbox").mkdir()
    pictures(tmp_path / "inbox", range(1))
    monkeypatch.chdir(pictures(tmp_path, range(1, 2)))
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server, pytest.raises(SystemExit) as ended:
        run_client(*arguments, url=server.url)
    assert (ended.value.code, server.requests) == (2, [])
    assert "it takes a file or folder, and this is empty" in capsys.readouterr().err


def test_a_file_that_cannot_be_moved_away_is_filed_all_the_same(tmp_path: Path) -> None:
    inbox, done = pictures(tmp_path, range(1)), tmp_path / "done"
    done.write_bytes(b"no folder")
    with stub_server(scripted(NO_JOBS, FILED, FILED)) as server:
        result = run_client(inbox / "000.jpg", "--done", done, url=server.url)
    assert (result.code, result.words) == (0, ["already filed"])
    assert f"cannot be moved into {done}: {done}: " in result.summary


@pytest.fixture(name="elsewhere")
def elsewhere_(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each folder be a file system of its own."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "rename", refuse)


@pytest.mark.usefixtures("elsewhere")
def test_what_is_moved_to_another_file_system_is_moved_whole(tmp_path: Path) -> None:
    scan, done = pictures(tmp_path, range(1)) / "000.jpg", tmp_path / "done"
    move(scan, done, mark="j1")
    assert [path.read_bytes() for path in done.iterdir()] == [draw_receipt(0, size=SMALL)]
    assert not scan.exists()


@pytest.mark.usefixtures("elsewhere")
def test_a_disk_that_is_full_keeps_no_half_of_what_is_moved_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path, folder: str) -> None:
        Path(folder, path.name).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(shutil, "copy2", cut_off)
    scan, done = pictures(tmp_path, range(1)) / "000.jpg", tmp_path / "done"
    with pytest.raises(OSError, match="No space left") as error:
        move(scan, done, mark="j1")
    assert (error.value.filename, list(done.iterdir()), scan.exists()) == (str(done), [], True)


def test_what_cannot_be_taken_away_is_not_copied_at_each_run() -> None:
    with tempfile.TemporaryDirectory() as name:
        inbox, done = pictures(Path(name), range(1)), Path(name, "done")
        done.mkdir()
        done.chmod(0o777)
        inbox.chmod(0o555)
        with nobody(), pytest.raises(PermissionError) as error:
            move(inbox / "000.jpg", done, mark="j1")
        assert (str(error.value.filename), list(done.iterdir())) == (str(inbox / "000.jpg"), [])


def test_equal_files_of_one_name_are_all_kept(tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
        move(pictures(tmp_path / folder, range(1)) / "000.jpg", tmp_path / "done", mark="j1")
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["000-j1-2.jpg", "000-j1.jpg", "000.jpg"]


def test_of_a_link_what_it_leads_to_is_put_away_and_the_link_is_gone(tmp_path: Path) -> None:
    pictures(tmp_path, range(1))
    (tmp_path / "link.jpg").symlink_to("000.jpg")
    move(tmp_path / "link.jpg", tmp_path / "done", mark="j1")
    assert (tmp_path / "done" / "link.jpg").read_bytes() == (tmp_path / "000.jpg").read_bytes()
    assert not os.path.lexists(tmp_path / "link.jpg")


def test_a_file_that_another_has_replaced_while_its_result_was_waited_for_is_not_moved_away(tmp_path: Path) -> None:
    scan, done = pictures(tmp_path, range(1)) / "000.jpg", tmp_path / ".done"
    script = iter([NO_JOBS, TAKEN, FILED])

    def scan_again(visit: Visit) -> None:
        while request := visit.read():
            if "/jobs/j1/" in request.target:
                pictures(tmp_path, range(1, 2)).joinpath("001.jpg").replace(scan)
            visit.send(next(script))

    with stub_server(scan_again) as server:
        result = run_client(tmp_path, "--done", done, url=server.url)
    assert (result.code, result.words) == (1, ["changed"])
    assert json.loads(result.lines[0])["code"] == "file_changed"
    assert scan.read_bytes() == draw_receipt(1, size=SMALL)
    assert not done.exists()
