"""A job's page as a proof: it reads the files beside which it says "Verified"."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from jobs.models import JobLog
from receipts import evidence
from receipts.models import Receipt
from tests.factories import RenditionFactory
from tests.support.audit_runs import path_of
from tests.support.job_lifecycle import filed
from tests.support.job_pages import page
from tests.support.old_receipts import purge
from tests.support.staff import auditor, words_of

pytestmark = pytest.mark.django_db

OTHER_BYTES = "holds other bytes than those that came"


@pytest.fixture
def job() -> JobLog:
    return filed()


@pytest.fixture
def browser() -> Browser:
    return auditor()


def shown(browser: Browser, job: JobLog) -> str:
    return words_of(browser.get(page(job)))


def test_a_file_that_is_as_it_came_is_said_to_be(browser: Browser, job: JobLog) -> None:
    RenditionFactory.create(receipt=job.receipt)
    assert "Verified: 4 events, and the file is the one that came. " in shown(browser, job)


@pytest.mark.parametrize("added", [b"", b"more"], ids=["as long", "longer"])
def test_another_picture_in_the_files_place_is_no_proof(browser: Browser, job: JobLog, added: bytes) -> None:
    path = path_of(job.receipt)
    path.write_bytes(path.read_bytes()[:-1] + b"?" + added)
    text = shown(browser, job)
    assert f"Not as written Broken: its file {OTHER_BYTES}." in text
    assert f"Its file {OTHER_BYTES}." in text
    assert "Verified" not in text
    content = browser.get(page(job)).content.decode()
    assert "badge-good" not in content.partition('id="timeline"')[2]
    assert f"/api/v1/receipts/{job.receipt_id}/" not in content


def test_another_picture_in_the_place_of_what_was_made_for_n8n_is_no_proof(browser: Browser, job: JobLog) -> None:
    path = path_of(RenditionFactory.create(receipt=job.receipt))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert f"Broken: the picture made of it for N8N {OTHER_BYTES}." in shown(browser, job)
    content = browser.get(page(job)).content.decode()
    assert "/rendition" not in content
    assert f'src="/api/v1/receipts/{job.receipt_id}/file"' in content  # which is whole


def test_a_file_that_is_gone_is_said_to_be(browser: Browser, job: JobLog) -> None:
    path_of(job.receipt).unlink()
    assert "Broken: its file is gone." in shown(browser, job)


def test_while_the_storage_is_away_the_page_says_that_it_read_nothing(
    browser: Browser, job: JobLog, settings: LazySettings, tmp_path: Path
) -> None:
    Path(settings.MEDIA_ROOT).rename(tmp_path / "volume")
    text = shown(browser, job)
    assert "Verified: 4 events. Its file was not read here, for the storage is away: manage.py verify_audit" in text
    assert "The storage is away: the file cannot be shown now." in text
    assert f"/api/v1/receipts/{job.receipt_id}/" not in browser.get(page(job)).content.decode()


@pytest.mark.parametrize(
    ("bound", "why"), [("PAGE_MB", "it is larger than 32 MB"), ("PAGE_SECONDS", "the storage is slow")]
)
def test_a_file_that_takes_long_keeps_nobody_waiting(
    browser: Browser, job: JobLog, bound: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, bound, 0)
    assert f"Verified: 4 events. Its file was not read here, for {why}: manage.py" in shown(browser, job)
    assert "Open the file as it came" in shown(browser, job)


def test_what_was_found_counts_though_the_next_file_is_not_read(
    browser: Browser, job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(job.receipt)
    path.write_bytes(b"another")
    RenditionFactory.create(receipt=job.receipt)
    monkeypatch.setattr(evidence, "PAGE_MB", 0)
    assert f"Broken: its file {OTHER_BYTES}." in shown(browser, job)


def test_of_a_file_that_the_rule_deleted_nothing_is_said(browser: Browser, job: JobLog) -> None:
    purge(job.receipt)
    text = shown(browser, job)
    assert Receipt.objects.get().purged_at is not None
    assert "Verified: 5 events. " in text
    assert "not read here" not in text
