"""A database that is not migrated yet: worker and sweep wait for it."""

from pathlib import Path

import pytest

from tests.support.client_runs import NOBODY
from tests.support.installation import SWEEP, WORKER, Installation, wait_for

pytestmark = pytest.mark.processes


def test_worker_and_sweep_wait_until_it_is_migrated(tmp_path: Path) -> None:
    with Installation(tmp_path, NOBODY) as installation:
        installation.execute("ALTER TABLE django_migrations RENAME TO put_aside")
        processes = [installation.start(*command) for command in (WORKER, SWEEP)]
        wait_for(lambda: installation.log().count("waits_for_database") == 2, "both to say that they wait")
        installation.execute("DROP TABLE IF EXISTS django_migrations")
        installation.execute("ALTER TABLE put_aside RENAME TO django_migrations")
        alive = "SELECT DISTINCT kind FROM jobs_heartbeat"
        wait_for(lambda: len(installation.query(alive)) == 2, "their signs of life")
        assert [process.poll() for process in processes] == [None, None]
        assert "Traceback" not in installation.log()
