"""`/metrics`: what it tells of the installation, in which form, and that it tells nobody else."""

import re
import subprocess
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from jobs.heartbeats import beat
from jobs.metrics.counting import count_events
from jobs.models import Heartbeat, JobLog
from jobs.queue import queue_service
from tests.deploy.configuration import DEPLOY, metrics_listed
from tests.deploy.tools import tool
from tests.factories import JobFactory, job_in
from tests.support.canary_lifecycle import aged, answered, returned, sent
from tests.support.outages import closed_port
from tests.support.past_events import NOON, received, succeeded
from tests.support.scrapes import TOKEN, added, ask, samples_of, scrape
from tests.support.servers import made_up

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("metrics_token")]

Kind, Status = Heartbeat.Kind, JobLog.Status
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def refusal(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert b"receipts_" not in answer.content
    return answer.status_code, answer.json()["code"]


# -- who may ask


def test_without_a_token_there_is_nothing_there(settings: LazySettings) -> None:
    settings.METRICS_TOKEN = []
    for token in ("", "None", TOKEN):
        assert refusal(ask(token)) == (404, "not_found")
    assert refusal(Browser().options("/metrics")) == (404, "not_found")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer \xe4\xff"],
    ids=["none", "scheme", "scheme and space", "other scheme", "bare", "cut", "longer", "not ASCII"],
)
def test_a_wrong_token_is_told_which_header_it_takes_and_nothing_else(authorization: str) -> None:
    answer = Browser().get("/metrics", headers={"Authorization": authorization})
    assert refusal(answer) == (401, "metrics_token_invalid")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert refusal(Browser().options("/metrics")) == (401, "metrics_token_invalid")


def test_a_token_may_be_replaced_while_the_former_one_counts(settings: LazySettings) -> None:
    settings.METRICS_TOKEN = [made_up("new token"), TOKEN]
    assert ask(made_up("new token")).status_code == 200
    assert ask().status_code == 200


def test_guesses_are_throttled_and_the_right_token_is_not() -> None:
    answers = [refusal(ask("wrong")) for _ in range(32)]
    assert answers == [(401, "metrics_token_invalid")] * 30 + [(429, "throttled")] * 2
    assert ask().status_code == 200


def test_it_is_only_asked_and_never_redirected_nor_kept(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert "no-store" in ask()["Cache-Control"]
    posted = Browser().post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert refusal(posted) == (405, "method_not_allowed")


def test_each_web_process_may_be_asked_by_its_address(settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert ask(Host="10.0.0.7:8000").status_code == 200


# -- the form


@pytest.fixture
def busy(settings: LazySettings, metrics_token: None) -> None:
    """Let everything that can be told be told."""
    settings.CANARY_INTERVAL_SECONDS = 900
    count_events(timezone.now())
    beat("worker", Kind.WORKER)
    beat("sweep", Kind.SWEEP)
    returned()
    succeeded(timezone.now())
    Browser().post("/api/v1/jobs/callback")
    for _ in range(32):
        ask("wrong")


@pytest.mark.usefixtures("busy")
def test_it_tells_what_the_table_lists_of_those_kinds_and_nothing_else() -> None:
    families = list(text_string_to_metric_families(ask().content.decode()))
    samples = {family.name + ("_total" if family.type == "counter" else ""): family.type for family in families}
    assert samples == metrics_listed()


@pytest.mark.usefixtures("busy")
def test_labels_are_those_that_the_table_lists() -> None:
    table = (DEPLOY / "README.md").read_text()
    listed = dict(re.findall(r"^\| `(receipts_\w+)\{([\w,]+)\}` \|", table, re.MULTILINE))
    families = list(text_string_to_metric_families(ask().content.decode()))
    labels = {
        re.sub("_(bucket|count|sum)$", "", sample.name): set(sample.labels) - {"le"}
        for family in families
        for sample in family.samples
    }
    assert {name: of for name, of in labels.items() if of} == {name: set(of.split(",")) for name, of in listed.items()}


@pytest.mark.usefixtures("busy")
def test_both_forms_of_prometheus_tell_the_same() -> None:
    ask()  # what this one measures, both of the next tell
    answer = ask(Accept=OPENMETRICS)
    assert answer["Content-Type"].startswith(OPENMETRICS)
    as_openmetrics = samples_of(openmetrics_families(answer.content.decode()))  # type: ignore[no-untyped-call] # of theirs
    plain = ask()
    assert plain["Content-Type"].startswith("text/plain; version=0.0.4")
    assert as_openmetrics.keys() == samples_of(text_string_to_metric_families(plain.content.decode())).keys()


@pytest.mark.deploy
@pytest.mark.usefixtures("busy")
def test_promtool_finds_nothing_wrong_with_it() -> None:
    command = [tool("promtool"), "check", "metrics"]
    checked = subprocess.run(command, input=ask().content, capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# -- what is now


def test_open_jobs_are_told_by_status_and_age() -> None:
    now = timezone.now()
    for minutes in (5, 20):
        JobFactory.create(created_at=now - timedelta(minutes=minutes))
    for status in (Status.PROCESSING, Status.SUCCESS, Status.FAILURE):
        job_in(status, created_at=now - timedelta(days=1))
    samples = scrape()
    assert [samples[f'receipts_open_jobs{{status="{status}"}}'] for status in JobLog.OPEN] == [2, 0, 1]
    ages = [samples[f'receipts_oldest_open_seconds{{status="{status}"}}'] for status in JobLog.OPEN]
    assert ages == [pytest.approx(1200, abs=30), 0, pytest.approx(86_400, abs=30)]


def test_what_a_clock_that_was_ahead_has_written_has_no_negative_age() -> None:
    ahead = timezone.now() + timedelta(seconds=30)
    JobFactory.create(created_at=ahead)
    Heartbeat.objects.create(name="sweep", kind=Heartbeat.Kind.SWEEP, at=ahead)
    samples = scrape()
    assert samples['receipts_oldest_open_seconds{status="queued"}'] == 0
    assert samples["receipts_sweep_age_seconds"] == 0


def test_what_needs_somebody_is_told_as_the_operations_page_counts_it() -> None:
    ago = timezone.now() - timedelta(minutes=2)
    JobFactory.create(due_at=ago)
    JobFactory.create(due_at=ago, needs_attention=True)
    JobFactory.create(due_at=timezone.now() + timedelta(hours=1), needs_attention=True)
    JobFactory.create()
    samples = scrape()
    assert (samples["receipts_overdue_jobs"], samples["receipts_needs_attention_jobs"]) == (1, 2)


def test_processes_are_told_by_their_hearts() -> None:
    assert scrape()["receipts_sweep_age_seconds"] == inf  # so that an alert fires
    for name in ("one", "two", "dead"):
        beat(name, Kind.WORKER)
    beat("sweep", Kind.SWEEP)
    Heartbeat.objects.filter(name="dead").update(at=timezone.now() - timedelta(hours=1))
    Heartbeat.objects.filter(name="sweep").update(at=timezone.now() - timedelta(seconds=40))
    for kind in Kind:  # by a clock that was ahead
        Heartbeat.objects.create(name=f"{kind} ahead", kind=kind, at=timezone.now() + timedelta(days=3650))
    samples = scrape()
    assert samples["receipts_workers"] == 2
    assert samples["receipts_sweep_age_seconds"] == pytest.approx(40, abs=15)


def test_rings_are_counted_and_absent_while_redis_is_away(settings: LazySettings) -> None:
    queue_service().ring([JobFactory.create().pk for _ in range(3)])
    assert scrape()["receipts_queue_depth"] == 3
    with closed_port() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        queue_service.cache_clear()
        samples = scrape()
    assert "receipts_queue_depth" not in samples
    assert (samples["receipts_database_up"], samples["receipts_redis_up"]) == (1, 0)


def test_a_storage_that_is_full_is_told_though_nobody_uploads(settings: LazySettings, tmp_path: Path) -> None:
    assert scrape()["receipts_storage_up"] == 1
    settings.MEDIA_ROOT = str(tmp_path)
    settings.UPLOAD_MAX_BYTES = 10**18
    assert scrape()["receipts_storage_up"] == 0


def test_canaries_are_told_while_some_are_sent(settings: LazySettings) -> None:
    aged(returned(), 50)
    assert "receipts_canary_age_seconds" not in scrape()
    settings.CANARY_INTERVAL_SECONDS = 900
    samples = scrape()
    assert samples["receipts_canary_age_seconds"] == pytest.approx(50, abs=15)
    assert samples["receipts_canary_interval_seconds"] == 900
    assert samples["receipts_canary_seconds"] == pytest.approx(0, abs=15)
    assert samples['receipts_open_jobs{status="queued"}'] == 0


def test_a_canary_that_never_came_back_has_an_age_that_alarms(settings: LazySettings) -> None:
    settings.CANARY_INTERVAL_SECONDS = 900
    aged(sent(), 4000)
    samples = scrape()
    assert samples["receipts_canary_age_seconds"] == pytest.approx(4000, abs=15)
    assert "receipts_canary_seconds" not in samples


# -- what was


def test_counters_are_absent_until_a_sweep_has_passed_and_then_count_at_once() -> None:
    received(NOON)
    assert not [name for name in scrape() if name.startswith(("receipts_transitions", "receipts_delivery"))]
    count_events(timezone.now())
    before = scrape()
    assert before['receipts_transitions_total{kind="failed",source="sweep"}'] == 0  # an increase from nothing is none
    job = JobFactory.create()
    answered(job)
    returned(job)
    grown = added(before, scrape())
    assert grown['receipts_transitions_total{kind="delivered",source="worker"}'] == 1
    assert grown['receipts_transitions_total{kind="succeeded",source="callback"}'] == 1
    assert [grown[f"receipts_{name}_seconds_count"] for name in ("delivery", "round_trip")] == [1, 1]
    assert grown["receipts_delivery_seconds_sum"] == 0.012
    assert grown['receipts_delivery_seconds_bucket{le="0.1"}'] == 1


def test_a_scrape_asks_as_much_however_many_jobs_there_are(django_assert_num_queries: Any) -> None:
    JobFactory.create()  # whose receipt has left the storage's mark
    count_events(timezone.now())
    with CaptureQueriesContext(connection) as few:
        scrape()
    for _ in range(5):
        succeeded(NOON)
        JobFactory.create()
    with django_assert_num_queries(len(few)):
        scrape()
