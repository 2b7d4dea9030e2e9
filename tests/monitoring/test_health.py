"""Health: whether the service lives, and whether uploads would be taken and receipts delivered."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from django.utils import timezone

from accounting import health
from accounting.outages import unapplied_migrations
from jobs.heartbeats import beat
from jobs.models import Heartbeat
from jobs.queue import queue_service
from receipts.models import Receipt, day_folder
from tests.factories import JobFactory
from tests.support.outages import closed_port, database_away, silent_port

Kind = Heartbeat.Kind
pytestmark = pytest.mark.django_db


@pytest.fixture
def staffed(db: None) -> None:
    """Let a worker and a sweep be alive."""
    beat("worker-1", Kind.WORKER)
    beat("sweep-1", Kind.SWEEP)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process not know yet that its database was migrated."""
    monkeypatch.setattr(health, "_migrated", False)


def ready(status: int = 200) -> Any:
    answer = Browser().get("/health/ready")
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


# -- alive


def test_a_process_that_answers_is_alive() -> None:
    answer = Browser().get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_a_process_is_alive_without_its_database() -> None:
    with database_away():
        assert Browser().get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_health_is_only_asked_and_never_redirected(path: str, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Browser().get(path).status_code == 200
    assert Browser().head(path).status_code == 200
    assert Browser().post(path).status_code == 405


# -- ready


@pytest.mark.usefixtures("staffed")
def test_all_is_well() -> None:
    assert ready() == {
        "status": "ok",
        "checks": {
            "database": "ok", "storage": "ok", "redis": "ok", "workers": 1, "sweep": 1, "last_round_trip": None,
            "canary": {
                "state": "unknown", "alarming": False, "completed_at": None, "age_seconds": None, "seconds": None,
                "outcome": None, "trouble": None,
            },
        },
    }  # fmt: skip


@pytest.mark.usefixtures("staffed")
def test_the_last_round_trip_is_told_with_its_duration() -> None:
    now = timezone.now()
    JobFactory.create(success=True, created_at=now - timedelta(hours=1), completed_at=now)
    JobFactory.create(success=True, created_at=now - timedelta(seconds=90), completed_at=now - timedelta(seconds=60))
    JobFactory.create(failure=True, created_at=now)
    JobFactory.create(created_at=now)
    assert ready()["checks"]["last_round_trip"]["seconds"] == 30.0


@pytest.mark.usefixtures("staffed")
def test_the_last_round_trip_is_that_of_a_receipt_and_of_no_canary() -> None:
    now = timezone.now()
    JobFactory.create(success=True, created_at=now - timedelta(seconds=90), completed_at=now - timedelta(seconds=60))
    JobFactory.create(success=True, is_canary=True, created_at=now, completed_at=now)
    assert ready()["checks"]["last_round_trip"]["seconds"] == 30.0


@pytest.mark.usefixtures("staffed")
@pytest.mark.parametrize(
    ("kind", "silence", "status"),
    [
        (Kind.WORKER, 35, "ok"),
        (Kind.WORKER, 55, "degraded"),
        (Kind.SWEEP, 50, "ok"),
        (Kind.SWEEP, 70, "degraded"),
        (Kind.WORKER, -3600, "degraded"),  # by a clock that was ahead
        (Kind.SWEEP, -3600, "degraded"),
    ],
)
def test_a_process_that_is_silent_for_too_long_is_missed(kind: Heartbeat.Kind, silence: int, status: str) -> None:
    Heartbeat.objects.filter(kind=kind).update(at=timezone.now() - timedelta(seconds=silence))
    assert ready()["status"] == status


@pytest.mark.usefixtures("staffed")
@pytest.mark.parametrize(("kind", "check"), [(Kind.WORKER, "workers"), (Kind.SWEEP, "sweep")])
def test_without_a_worker_or_a_sweep_uploads_are_taken_but_not_finished(kind: Heartbeat.Kind, check: str) -> None:
    Heartbeat.objects.filter(kind=kind).delete()
    answer = ready()
    assert (answer["status"], answer["checks"][check]) == ("degraded", 0)


@pytest.mark.usefixtures("staffed")
@pytest.mark.parametrize("port", [closed_port, silent_port], ids=["refuses", "never answers"])
def test_without_redis_uploads_are_taken_but_not_finished_soon(
    port: Callable[[], AbstractContextManager[int]], settings: LazySettings
) -> None:
    with port() as number:
        settings.REDIS_URL = f"redis://127.0.0.1:{number}/0"
        queue_service.cache_clear()
        answer = ready()
    assert (answer["status"], answer["checks"]["redis"]) == ("degraded", "unavailable")


# -- not ready


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [True, False], ids=["while it runs", "from the start"])
def test_without_the_database_it_is_not_ready_and_is_again_when_it_is_back(
    known: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_migrated", known)
    with database_away():
        answer = ready(503)
    assert answer == {
        "status": "unavailable",
        "checks": {"database": "unavailable", "storage": "ok", "redis": "ok"},
    }
    (told,) = [record.msg for record in caplog.records if isinstance(record.msg, dict) and "error" in record.msg]
    assert told.get("code") == ("SQLITE_CANTOPEN" if connection.vendor == "sqlite" else None)
    assert ready()["checks"]["database"] == "ok"


@pytest.mark.usefixtures("staffed", "forgetful")
def test_a_database_that_lacks_a_migration_is_not_ready_until_it_has_it() -> None:
    applied = MigrationRecorder(connection)
    name = sorted(name for app, name in applied.applied_migrations() if app == "jobs")[-1]
    applied.record_unapplied("jobs", name)
    assert unapplied_migrations() == [f"jobs.{name}"]
    answer = ready(503)
    assert (answer["status"], answer["checks"]["database"]) == ("unavailable", "not migrated")
    applied.record_applied("jobs", name)
    assert ready()["status"] == "ok"


@pytest.mark.django_db
def test_what_a_database_lacks_is_what_migrate_would_apply() -> None:
    MigrationRecorder(connection).flush()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    assert sorted(unapplied_migrations()) == sorted(str(migration) for migration, _ in plan)


@pytest.mark.usefixtures("staffed")
def test_a_storage_that_takes_no_files_is_not_ready(settings: LazySettings, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    settings.MEDIA_ROOT = str(tmp_path / "occupied" / "media")
    answer = ready(503)
    assert (answer["status"], answer["checks"]["storage"]) == ("unavailable", "unavailable")


@pytest.mark.usefixtures("staffed")
def test_a_storage_whose_folder_of_today_belongs_to_another_user_is_not_ready(
    settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    (tmp_path / day_folder(Receipt, timezone.now())).mkdir(parents=True)
    anothers = tmp_path / Receipt.FOLDER
    monkeypatch.setattr(os, "access", lambda folder, _: not Path(folder).is_relative_to(anothers))
    assert ready(503)["checks"]["storage"] == "unavailable"


@pytest.mark.usefixtures("staffed")
def test_a_storage_without_room_for_one_more_upload_is_not_ready(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.UPLOAD_MAX_BYTES = 10**18
    assert ready(503)["checks"]["storage"] == "unavailable"


@pytest.mark.usefixtures("staffed")
@pytest.mark.parametrize(
    ("names", "free", "code"), [(40, 1, 200), (40, 0, 503), (0, 0, 200)], ids=["some", "none left", "not counted"]
)
def test_a_storage_without_a_name_for_one_more_file_is_not_ready(
    names: int, free: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_bavail=10**9, f_frsize=4096, f_files=names, f_favail=free)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    ready(code)


@pytest.mark.usefixtures("staffed")
def test_a_storage_that_is_still_to_be_made_is_ready(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "not" / "yet" / "there")
    assert ready()["checks"]["storage"] == "ok"
    assert not (tmp_path / "not").exists()


def test_health_tells_nothing_that_only_staff_should_know(settings: LazySettings) -> None:
    told = str(ready())
    for secret in (settings.REDIS_URL, settings.MEDIA_ROOT, settings.N8N_WEBHOOK_URL, "worker-1"):
        assert secret not in told
