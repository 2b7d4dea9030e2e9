"""The request that N8N gets, byte for byte, and how its answer is read."""

import base64
import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from unittest.mock import Mock

import pytest
import structlog
from django.conf import LazySettings
from standardwebhooks import Webhook

from accounting import __version__
from accounting.clock import seconds_since_boot
from jobs import n8n
from jobs.delivery_errors import ErrorCode
from jobs.models import JobLog
from jobs.signatures import is_job_token
from jobs.transport import tls_verification
from tests.factories import DATABASE_ID, JobFactory
from tests.support.deliveries import MB, WEBHOOK, leaving_no_trace, n8n_at, n8n_client
from tests.support.stub_server import (
    ACCEPTED,
    Request,
    answering,
    ca_bundle,
    response,
    server_tls,
    stub_server,
)


@pytest.fixture(autouse=True)
def _no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with leaving_no_trace(caplog):
        yield


def sent(job: JobLog, **settings: object) -> Request:
    """Return what N8N gets of a job."""
    with stub_server(answering()) as server, n8n_at(server.url, **settings):
        assert n8n.send_receipt(job).status == 200
    (request,) = server.requests
    return request


# -- the request


@pytest.mark.django_db
def test_the_body_has_every_field_and_the_receipts_bytes() -> None:
    job = JobFactory.create(sending=True, attempts=3, filename="Bäcker “1”.jpg")
    fields = json.loads(sent(job, CALLBACK_BASE_URL="https://receipts.example").body)
    picture = base64.b64decode(fields.pop("image_data"), validate=True)
    assert hashlib.sha256(picture).hexdigest() == fields.pop("sha256") == job.receipt.sha256
    assert is_job_token(job.pk, fields.pop("callback_token"))
    assert fields == {
        "job_id": str(job.pk),
        "filename": "Bäcker “1”.jpg",
        "content_type": "image/jpeg",
        "notion_database_id": DATABASE_ID,
        "callback_url": f"https://receipts.example/api/v1/jobs/{job.pk}/callback",
        "attempt": 3,
    }


@pytest.mark.django_db
def test_the_request_carries_the_headers_of_the_contract(settings: LazySettings) -> None:
    job = JobFactory.create(sending=True)
    request = sent(job)
    assert (request.method, request.target) == ("POST", WEBHOOK)
    headers = {name: value for name, value in request.headers.items() if not name.startswith("webhook-")}
    host = headers.pop("Host")
    assert host.startswith("127.0.0.1:")
    assert headers == {
        "Authorization": f"Bearer {settings.N8N_API_KEY}",
        "Content-Type": "application/json",
        "Content-Length": str(len(request.body)),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Idempotency-Key": str(job.pk),
        "User-Agent": f"Mozilla/5.0 (compatible; receipts/{__version__})",
        "X-Request-ID": str(job.pk),
    }


@pytest.mark.django_db
def test_the_id_of_the_request_that_rang_goes_along() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        assert sent(JobFactory.create(sending=True)).headers["X-Request-ID"] == "r-1"


@pytest.mark.django_db
def test_the_signature_satisfies_the_standard_webhooks_library(settings: LazySettings) -> None:
    job = JobFactory.create(sending=True)
    request = sent(job)
    headers = dict(request.headers.items())
    assert headers["webhook-id"] == str(job.pk)
    assert Webhook(settings.N8N_WEBHOOK_SECRET[0]).verify(request.body, headers)


@pytest.mark.django_db
def test_the_signatures_time_is_that_of_the_claim_whatever_this_machines_clock_says() -> None:
    job = JobFactory.create()
    job.now = datetime(2026, 1, 2, tzinfo=UTC)
    assert sent(job).headers["webhook-timestamp"] == str(int(job.now.timestamp()))


@pytest.mark.django_db
def test_without_a_secret_nothing_is_signed() -> None:
    request = sent(JobFactory.create(sending=True), N8N_WEBHOOK_SECRET=[])
    assert [name for name in request.headers if name.startswith("webhook-")] == []


@pytest.mark.django_db
def test_two_attempts_at_one_job_carry_the_same_ids() -> None:
    job = JobFactory.create(sending=True)
    first, second = sent(job).headers, sent(job).headers

    def ids(headers: Message) -> tuple[str, str]:
        return headers["Idempotency-Key"], headers["webhook-id"]

    assert ids(first) == ids(second)


@pytest.mark.django_db
def test_without_the_receipts_file_nothing_is_sent(media: Callable[[], list[Path]]) -> None:
    job = JobFactory.create(sending=True)
    (file,) = media()
    file.unlink()
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job).error is ErrorCode.FILE_MISSING
        assert server.visits == []


@pytest.mark.django_db
def test_what_was_prepared_for_so_long_that_the_lease_would_end_is_not_sent() -> None:
    job = JobFactory.create(sending=True)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job, begin_by=seconds_since_boot()).error is ErrorCode.PUT_OFF
        assert server.visits == []


@pytest.mark.django_db
def test_a_file_that_cannot_be_read_while_it_is_signed_is_not_sent_and_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.payload.Payload.__iter__", Mock(side_effect=OSError(errno.EIO, "Input/output error")))
    job = JobFactory.create(sending=True)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job).error is ErrorCode.NOT_PREPARED
        assert server.visits == []


# -- the answer


def test_an_answer_is_read_in_whatever_spelling_it_comes() -> None:
    odd = b"HTTP/1.1 429 slow down\r\nCONTENT-TYPE:Application/JSON ; charset=UTF-8\r\nRETRY-after: 120\r\n"
    odd += b"content-length: 2\r\n\r\n{}"
    with stub_server(answering(odd)) as server, n8n_client(server.url) as post:
        answer = post()
    assert (answer.status, answer.content_type, answer.retry_after) == (429, "application/json", "120")
    assert answer.error is None


def test_an_answer_in_chunks_without_a_type_is_read_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with stub_server(answering(chunked)) as server, n8n_client(server.url) as post:
        answer = post()
    assert (answer.body, answer.content_type) == (b"{}", "")


def test_an_answer_after_a_continue_counts() -> None:
    both = b"HTTP/1.1 100 Continue\r\n\r\n" + response()
    with stub_server(answering(both)) as server, n8n_client(server.url) as post:
        assert post().body == ACCEPTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["{}/elsewhere", "//[::1", "http://n8n.example:99999/"])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int, where: str) -> None:
    with stub_server(answering()) as other:
        moved = response(status, b"moved", Location=where.format(other.url))
        with stub_server(answering(moved)) as server, n8n_client(server.url) as post:
            answer = post()
        assert (answer.status, answer.body) == (status, b"moved")
        assert (len(server.requests), len(other.visits)) == (1, 0)


# -- trust


@pytest.mark.django_db
def test_the_setting_may_name_a_ca_bundle(tmp_path: Path) -> None:
    job = JobFactory.create(sending=True)
    with stub_server(answering(), tls=server_tls()) as server:
        with n8n_at(server.url, N8N_VERIFY_SSL=ca_bundle(tmp_path)):
            assert n8n.send_receipt(job).status == 200
        with n8n_at(server.url, N8N_VERIFY_SSL="true"):
            assert n8n.send_receipt(job).error is ErrorCode.UNTRUSTED


@pytest.mark.parametrize(
    ("value", "meaning"),
    [("true", True), ("True", True), ("1", True), ("on", True), ("YES", True), ("y", True), ("ok", True),
     ("false", False), ("0", False), ("Off", False), ("no", False), ("N", False),
     ("/etc/ssl/own.pem", "/etc/ssl/own.pem")],
)  # fmt: skip
def test_the_tls_setting_is_a_yes_a_no_or_a_path(settings: LazySettings, value: str, meaning: bool | str) -> None:
    settings.N8N_VERIFY_SSL = value
    assert tls_verification() == meaning


# -- memory

DELIVER = """
import tracemalloc
import django
django.setup()
from django.utils import timezone
from jobs import n8n
from jobs.models import JobLog
from receipts.models import Receipt

def deliver(name, size):
    receipt = Receipt(file=name, size=size, content_type="image/jpeg", sha256="0" * 64)
    job = JobLog(receipt=receipt, attempts=1)
    job.now = timezone.now()
    assert n8n.send_receipt(job).status == 200

deliver("small.jpg", 1000)
tracemalloc.start()
deliver("large.jpg", 10 * 1024 * 1024)
print(tracemalloc.get_traced_memory()[1])
"""


def test_a_receipt_of_10_mb_costs_less_than_5_mb_of_memory(tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(os.urandom(1000))
    (tmp_path / "large.jpg").write_bytes(os.urandom(10 * MB))
    with stub_server(answering()) as server:
        environment = os.environ | {"N8N_WEBHOOK_URL": server.url, "MEDIA_ROOT": str(tmp_path)}
        environment |= {"DJANGO_SETTINGS_MODULE": "accounting.settings"}
        run = [sys.executable, "-c", DELIVER]
        printed = subprocess.run(run, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
        assert len(server.requests[1].body) > 13 * MB
    assert int(printed) < 5 * MB
