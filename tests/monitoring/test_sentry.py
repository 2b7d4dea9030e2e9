"""Errors are reported to Sentry: what and where, and never with what."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounting import __version__
from tests.support.installation import Installation, is_up, wait_for
from tests.support.pictures import jpeg
from tests.support.planted_secrets import PlantedSecret
from tests.support.sentry import dsn, events, received_text
from tests.support.stub_server import StubServer, answering, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.any_database]


@pytest.fixture
def sentry() -> Iterator[StubServer]:
    with stub_server(answering(response(body=b"{}"))) as server:
        yield server


def test_a_fault_is_reported_with_its_place_in_the_code_and_no_value(sentry: StubServer, tmp_path: Path) -> None:
    picture, webhook = (
        PlantedSecret("picture", "canary-in-the-comment"),
        PlantedSecret("webhook", "canary-of-the-webhook"),
    )
    with Installation(tmp_path, f"http://127.0.0.1:9/{webhook.secret}", SENTRY_DSN=dsn(sentry)) as service:
        service.start("serve", "--port", str(service.port), fail_at="receipts.uploading.submit_receipt")
        wait_for(lambda: is_up(service.url), "the web server")
        answer = service.upload_bytes(jpeg(comment=picture.secret.encode()))
        assert answer.status_code == 500
        (event,) = wait_for(lambda: events(sentry), "the report")
        text = received_text(sentry)
    assert (event["release"], event["level"], event["logger"]) == (f"receipts@{__version__}", "error", "django.request")
    (error,) = event["exception"]["values"]
    assert (error["type"], error.get("value")) == ("RuntimeError", None)
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    secrets = [
        picture,
        webhook,
        PlantedSecret("key", service.key),
        PlantedSecret("text", "a fault that the test has caused"),
    ]
    secrets += [
        PlantedSecret("address", "127.0.0.1"),
        PlantedSecret("name", "receipt.jpg"),
        PlantedSecret("header", "Api-Key"),
    ]
    secrets += [PlantedSecret(name, service.env[name]) for name in ("SECRET_KEY", "N8N_API_KEY", "AUDIT_KEY")]
    assert [secret.name for secret in secrets if secret.is_in(text)] == []


def test_a_line_of_ours_keeps_its_words_and_ids(sentry: StubServer, tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook", SENTRY_DSN=dsn(sentry)) as service:
        (tmp_path / "media").touch()
        web = service.start("serve", "--port", str(service.port), "--skip-checks")
        wait_for(lambda: is_up(service.url), "the web server")
        request_id = service.upload().json()["request_id"]
        assert service.ask("/health/ready").status_code == 503
        service.kill(web, signal.SIGTERM)  # it sends what there is before it ends
        (event,) = events(sentry)  # that the answers say 503 is none
    assert (event["message"], event["tags"]["request_id"]) == ("storage_unavailable", request_id)
    assert event["tags"]["error"] == "FileExistsError"


def test_what_ends_a_process_is_reported_before_it_ends(sentry: StubServer, tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook", SENTRY_DSN=dsn(sentry)) as service:
        assert service.start("sweep_jobs", "--once", fail_at="jobs.management.commands.sweep_jobs.sweep").wait(60) == 1
        (event,) = events(sentry)
    assert event["exception"]["values"][0]["type"] == "RuntimeError"


def test_a_sentry_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook", SENTRY_DSN="http://key@127.0.0.1:9/1") as service:
        service.start("serve", "--port", str(service.port), fail_at="receipts.uploading.submit_receipt")
        wait_for(lambda: is_up(service.url), "the web server")
        assert service.upload().elapsed.total_seconds() < 5
