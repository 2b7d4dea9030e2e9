"""Probes ask under any name, and a storage that cannot be used is no fault of the client's."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client as Browser
from rest_framework.test import APIClient

from accounting.environment.addresses import host_of
from jobs.models import JobLog
from tests.factories import ReceiptFactory
from tests.support.uploads import post

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_probe_may_ask_by_address(settings: LazySettings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert Browser().get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200


@pytest.mark.parametrize("address", ["https://b\u00fccher.example", "https://[2001:db8::1]:8000", "http://testserver:"])
def test_a_probe_is_answered_whatever_our_own_address_looks_like(settings: LazySettings, address: str) -> None:
    settings.PUBLIC_BASE_URL = address
    settings.ALLOWED_HOSTS = [host_of(address)]
    assert Browser().get("/health").status_code == 200


def test_nothing_else_is_answered_under_a_name_that_is_not_ours(settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert Browser().get("/admin/login/", headers={"Host": "10.0.0.7:8000"}).status_code == 400


def test_a_storage_that_cannot_be_used_is_503_and_leaves_nothing(
    api: APIClient, settings: LazySettings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = str(tmp_path / "file" / "media")
    answer = post(api)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not JobLog.objects.exists()


def test_the_receipts_page_links_to_the_picture(admin_client: Browser) -> None:
    receipt = ReceiptFactory.create()
    page = admin_client.get(f"/admin/receipts/receipt/{receipt.pk}/change/").content.decode()
    assert f'href="/api/v1/receipts/{receipt.pk}/file"' in page
