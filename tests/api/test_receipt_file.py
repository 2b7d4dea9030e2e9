"""A receipt's bytes: to its own client and to staff who may see receipts, and so that they can do no harm."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from receipts.models import Client, Receipt
from tests.factories import ReceiptFactory
from tests.support.uploads import content, post

pytestmark = pytest.mark.django_db


def fetch(client: Any, receipt: Receipt, method: str = "get", **headers: str) -> tuple[Any, bytes]:
    answer = getattr(client, method)(f"/api/v1/receipts/{receipt.pk}/file", headers=headers)
    return answer, b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_receipts_bytes_come_back_as_they_were_sent_and_can_do_no_harm(api: APIClient) -> None:
    post(api)
    receipt = Receipt.objects.get()
    answer, data = fetch(api, receipt)
    assert (answer.status_code, data) == (200, content())
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Length"] == str(len(content()))
    assert answer["Content-Disposition"] == f'inline; filename="receipt-{receipt.pk}.jpg"'
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_its_head_tells_the_same_without_the_bytes(api: APIClient) -> None:
    post(api)
    whole, _ = fetch(api, Receipt.objects.get())
    head, data = fetch(api, Receipt.objects.get(), "head")
    assert (head.status_code, data) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Disposition", "Content-Security-Policy", "Cache-Control"):
        assert head[name] == whole[name]


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=9-1", "lines=1-2"])
def test_a_part_is_answered_with_the_whole(api: APIClient, wanted: str) -> None:
    """RFC 9110, section 14.2: a server may ignore the Range field."""
    post(api)
    answer, data = fetch(api, Receipt.objects.get(), Range=wanted)
    assert (answer.status_code, data) == (200, content())


def test_it_is_passed_on_in_small_pieces(api: APIClient) -> None:
    receipt = ReceiptFactory.create(content=os.urandom(3_000_000), client=Client.objects.get(name="Shop"))
    answer: Any = api.get(f"/api/v1/receipts/{receipt.pk}/file")
    assert answer.streaming
    sizes = [len(piece) for piece in answer.streaming_content]
    assert (sum(sizes), max(sizes) <= 65_536) == (3_000_000, True)


def test_a_type_that_is_not_on_our_list_is_told_to_no_browser(api: APIClient) -> None:
    post(api)
    Receipt.objects.update(content_type="text/html")
    answer, _ = fetch(api, Receipt.objects.get())
    assert answer["Content-Type"] == "application/octet-stream"


def test_another_client_finds_nothing_and_a_stranger_is_not_let_in(api: APIClient) -> None:
    foreign = ReceiptFactory.create()
    assert fetch(api, foreign)[0].status_code == 404
    assert fetch(APIClient(), foreign)[0].status_code == 401


@pytest.mark.parametrize("accept", ["image/jpeg", "image/*", "*/*", "application/json", "text/html", "nonsense"])
def test_it_comes_whatever_the_caller_accepts(accept: str, api: APIClient) -> None:
    post(api)
    assert fetch(api, Receipt.objects.get(), Accept=accept)[1] == content()


def test_a_purged_file_is_gone_and_a_lost_one_not_found(api: APIClient, media: Callable[[], list[Path]]) -> None:
    post(api)
    Receipt.objects.update(purged_at=timezone.now())
    purged, _ = fetch(api, Receipt.objects.get())
    assert (purged.status_code, purged.json()["code"]) == (410, "file_gone")
    Receipt.objects.update(purged_at=None)
    media()[0].unlink()
    lost, _ = fetch(api, Receipt.objects.get())
    assert (lost.status_code, lost.json()["code"]) == (404, "file_gone")


def user(**fields: Any) -> APIClient:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_user("anna", **fields))
    return browser


def may_view_receipts() -> None:
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_receipt"))


def test_staff_with_the_permission_see_every_receipt() -> None:
    browser = user(is_staff=True)
    may_view_receipts()
    receipt = ReceiptFactory.create()
    answer, data = fetch(browser, receipt)
    assert (answer.status_code, data) == (200, receipt.file.read())
    receipt.file.close()
    assert browser.get(f"/api/v1/receipts/{receipt.pk}/").status_code == 200


@pytest.mark.parametrize(("is_staff", "permitted"), [(True, False), (False, True), (False, False)])
def test_other_users_see_none(is_staff: bool, permitted: bool) -> None:
    browser = user(is_staff=is_staff)
    if permitted:
        may_view_receipts()
    answer, _ = fetch(browser, ReceiptFactory.create())
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert answer.json()["code"] == "permission_denied"


def test_a_user_who_was_shut_out_sees_none() -> None:
    browser = user(is_staff=True, is_superuser=True)
    User.objects.update(is_active=False)
    answer, _ = fetch(browser, ReceiptFactory.create())
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
