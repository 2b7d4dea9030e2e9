"""Installations with made-up histories, to see what grows with them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.support.servers import SETTINGS, free_port, made_up

ROOT = Path(__file__).resolve().parent.parent
SMALL = 1_000
Env = dict[str, str]


def installation_with(jobs: int, folder: Path, server: str, redis: str, *, signed: bool = False) -> Env:
    """Return the environment of an installation with so many jobs, made unless it is there already.

    Args:
        folder: of its files.
        server: PostgreSQL's address.
        signed: with signatures, which take most of the making's time.
    """
    env = _environment(f"jobs_{jobs}", folder, server, redis)
    if not _create_database(server, f"jobs_{jobs}"):
        return env
    manage(env, "migrate", "--verbosity", "0")
    manage(env, "createsuperuser", "--noinput", "--username", "anna", "--email", "anna@example.com")
    started = time.monotonic()
    if jobs:
        how = ["--force", *([] if signed else ["--unsigned"]), *(["--even"] if jobs == SMALL else [])]
        manage(env, "make_history", "--jobs", str(jobs), *how)
    print(f"Made {jobs:,} jobs in {time.monotonic() - started:.0f} s.\n", flush=True)
    return env


def manage(env: Env, *command: str) -> str:
    """Run a management command; return what it prints."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


def run_task(env: Env, task: str) -> Any:
    """Do one of `pages_tasks` in a process that has that database; return what it prints, as JSON."""
    command = [sys.executable, "-m", "benchmarks.pages_tasks", task]
    return json.loads(subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE).stdout)


def _environment(database: str, folder: Path, server: str, redis: str) -> Env:
    port = free_port()
    return os.environ | SETTINGS | {
        "DATABASE_URL": server.replace("/postgres?", f"/{database}?"), "REDIS_URL": redis, "LOG_LEVEL": "ERROR",
        "PORT": str(port), "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}", "MEDIA_ROOT": str(folder / "media"),
        "METRICS_TOKEN": made_up("metrics token"), "DJANGO_SUPERUSER_PASSWORD": made_up("password"),
        "DJANGO_SETTINGS_MODULE": "accounting.settings", "UPLOAD_RATE": "none",
    }  # fmt: skip


def _create_database(server: str, name: str) -> bool:
    """Make a database; tell whether it was not there yet."""
    with psycopg.connect(server, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        connection.execute(f'CREATE DATABASE "{name}"')
    return True
