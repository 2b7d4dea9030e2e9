"""What the operations page says of whether workers, the sweep, Redis, the storage and N8N are alive."""

import re
import time
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from accounting.redis.shared import redis_at
from jobs.delivery_errors import NEVER_SENT
from jobs.models import Heartbeat, JobEvent
from jobs.queue import queue_service
from receipts import storage
from tests.factories import JobFactory
from tests.support.operations_page import page, sign
from tests.support.outages import silent_port
from tests.support.past_events import Kind, Source, ago, event, received

pytestmark = pytest.mark.django_db


def test_workers_and_sweep_are_told_by_their_beats(viewer: Browser) -> None:
    for number in range(3):
        Heartbeat.objects.create(name=f"w{number}", kind="worker", at=ago(seconds=20 + number))
    Heartbeat.objects.create(name="s", kind="sweep", at=ago(minutes=10))
    text = page(viewer)
    assert re.fullmatch(r"alive 3 workers, last beat (?:19|2\d) s ago", sign(text, "Workers"))
    assert sign(text, "Sweep") == "silent None alive, last beat 10 min ago Start manage.py sweep_jobs"


def test_processes_that_never_were_are_silent(viewer: Browser) -> None:
    assert sign(page(viewer), "Workers") == "silent None has been seen for a day Start manage.py rqworker"


def test_n8n_is_told_by_what_it_last_did(viewer: Browser) -> None:
    assert sign(page(viewer), "N8N").startswith("quiet")
    job = received(ago(hours=2))
    event(job, Kind.DELIVERED, ago(minutes=30), Source.WORKER)
    event(job, Kind.SUCCEEDED, ago(minutes=20), Source.CALLBACK)
    assert sign(page(viewer), "N8N") == "alive Last callback 20 min ago Last delivery 30 min ago"
    event(job, Kind.REFUSED, ago(minutes=10), Source.WORKER, code="n8n_busy")
    assert "in trouble" in sign(page(viewer), "N8N")
    assert "Last trouble 10 min ago: N8N answered that it cannot take it now." in sign(page(viewer), "N8N")


@pytest.mark.parametrize("code", sorted(NEVER_SENT))
@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.FAILED])
def test_a_file_that_could_not_be_sent_is_no_trouble_of_n8ns(viewer: Browser, kind: JobEvent.Kind, code: str) -> None:
    job = received(ago(hours=2))
    codes = {"code": code} if kind == Kind.REFUSED else {"code": "delivery_unconfirmed", "refused_for": code}
    event(job, kind, ago(minutes=5), Source.WORKER, **codes)
    assert sign(page(viewer), "N8N").startswith("quiet")
    event(job, Kind.DELIVERED, ago(minutes=30), Source.WORKER)
    assert sign(page(viewer), "N8N") == "alive Last delivery 30 min ago"


def test_trouble_without_a_code_is_trouble(viewer: Browser) -> None:
    event(received(ago(hours=2)), Kind.UNCONFIRMED, ago(minutes=10), Source.WORKER)
    assert sign(page(viewer), "N8N").startswith("in trouble Last trouble 10 min ago")


def test_redis_is_told_by_the_rings_that_wait(viewer: Browser) -> None:
    queue_service().ring([JobFactory.create().pk])
    assert sign(page(viewer), "Redis") == "alive 1 ring waiting"


def test_a_redis_that_hangs_makes_nobody_wait_for_long(viewer: Browser, settings: LazySettings) -> None:
    with silent_port() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        redis_at.cache_clear()
        queue_service.cache_clear()
        begun = time.monotonic()
        assert sign(page(viewer), "Redis").startswith("away")
        assert time.monotonic() - begun < 5  # twice the time-out of half a second, and the page itself
        assert page(viewer)


def test_a_redis_that_takes_no_such_password_is_not_said_to_be_away(viewer: Browser, settings: LazySettings) -> None:
    settings.REDIS_URL = settings.REDIS_URL.replace("redis://", "redis://:wrong@")
    redis_at.cache_clear()
    queue_service.cache_clear()
    assert sign(page(viewer), "Redis").startswith("refuses us It takes no such password, or user: correct REDIS_URL")


def test_the_storage_is_told_by_whether_it_takes_files(
    viewer: Browser, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    JobFactory.create()
    assert sign(page(viewer), "Files") == "alive Receipts can be stored"
    with monkeypatch.context() as full:
        full.setattr(storage, "_has_room", lambda _: False)
        assert sign(page(viewer), "Files").startswith("unavailable Uploads may be refused See that MEDIA_ROOT has room")
    Path(settings.MEDIA_ROOT).rename(tmp_path / "volume")
    assert sign(page(viewer), "Files") == "not mounted Uploads are refused Mount the volume of MEDIA_ROOT"
