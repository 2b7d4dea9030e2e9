"""Deliveries that N8N or the workflow does not take, and what the service makes of that."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.support.installation import WORKER, Installation, wait_for
from tests.support.servers import made_up

from .conftest import REAL_N8N, UNHURRIED, OnAir, Scene
from .deliveries import deliver, deliver_as_form, payload
from .server import EXECUTION_SECONDS
from .workflows import PLAIN

pytestmark = REAL_N8N

MIB = 1024 * 1024


def test_what_the_service_signs_is_taken_where_signatures_are_checked(on_air: OnAir) -> None:
    scene = on_air(PLAIN, check_signature=True)
    database = scene.notion.share()
    assert scene.file(401, database)["status"] == "success"
    assert len(database.pages) == 1


@pytest.mark.parametrize(
    "signing",
    [{}, {"secret": made_up("somebody else's")}, {"secret": settings.N8N_WEBHOOK_SECRET[0], "age": 301}],
    ids=["none", "another secret", "too old"],
)
def test_a_wrong_signature_is_answered_401_and_not_processed(
    on_air: OnAir, unattended: Installation, signing: dict[str, Any]
) -> None:
    scene = on_air(PLAIN, check_signature=True)
    calls = len(scene.notion.calls)
    answer = deliver(scene.webhook, payload(unattended.url, _queued(unattended)), **signing)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_wrong")
    assert len(scene.notion.calls) == calls


def test_a_form_is_refused_where_signatures_are_checked(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(PLAIN, check_signature=True)
    answer = deliver_as_form(scene.webhook, payload(unattended.url, _queued(unattended)))
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_wrong")


def test_a_service_with_another_secret_keeps_its_receipts_and_asks_for_help(on_air: OnAir, tmp_path: Path) -> None:
    scene = on_air(PLAIN, check_signature=True)
    _assert_refused_and_kept(
        scene, tmp_path, "n8n_signature_wrong", N8N_WEBHOOK_SECRET=made_up("another webhook secret")
    )


def test_a_service_with_another_key_keeps_its_receipts_and_asks_for_help(on_air: OnAir, tmp_path: Path) -> None:
    scene = on_air(PLAIN)
    _assert_refused_and_kept(scene, tmp_path, "n8n_forbidden", N8N_API_KEY=made_up("another key of N8N"))


def test_what_is_too_large_is_answered_500_and_not_processed(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(PLAIN)
    answer = deliver(scene.webhook, payload(unattended.url, _queued(unattended), image_data="A" * 17 * MIB))
    assert (answer.status_code, answer.json()["code"]) == (500, 0)


def _queued(service: Installation) -> str:
    return str(service.upload(402).json()["job_id"])


def _assert_refused_and_kept(scene: Scene, folder: Path, refusal: str, **settings: str) -> None:
    with Installation(folder, scene.webhook, **UNHURRIED | settings) as service:
        service.start_web()
        service.start(*WORKER)
        job_id = service.upload(403).json()["job_id"]
        wait_for(lambda: service.job(job_id)["last_error"], "a refusal", EXECUTION_SECONDS)
        job = service.job(job_id)
    assert job["status"] in ("queued", "sending")
    assert job["last_error"] == refusal
