"""A delivery as a form: the fields of the JSON as text, and the picture as the file that came."""

import base64
import hmac
import itertools
import os
import re
import tracemalloc

import pytest
from django.conf import LazySettings

from jobs import n8n
from jobs.payload import PIECE_BYTES, Payload
from receipts.models import Rendition
from tests.factories import JobFactory, ReceiptFactory
from tests.support.deliveries import n8n_at
from tests.support.payload_parser import Body, parse_body
from tests.support.pictures import drawn, saved
from tests.support.stub_server import Request, answering, stub_server

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

MB = 1024 * 1024
UGLY_NAMES = [
    ('twice "quoted".jpg', "twice %22quoted%22.jpg"),
    ("two\r\nContent-Type: text/html\r\n\r\nlines.jpg", "two%0D%0AContent-Type: text/html%0D%0A%0D%0Alines.jpg"),
    ('x"; filename="y.jpg', "x%22; filename=%22y.jpg"),
    ("Überweisung 😀 “1”.jpg", "Überweisung 😀 “1”.jpg"),
    ("per%20cent.jpg", "per%20cent.jpg"),
    ("", "receipt.jpg"),
]


@pytest.fixture(autouse=True)
def _as_a_form(settings: LazySettings) -> None:
    settings.N8N_PAYLOAD, settings.N8N_MAX_PAYLOAD_MB = "multipart", 200


def received(**fields: object) -> Request:
    """Return what N8N gets of a job."""
    job = JobFactory.create(sending=True, **fields)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job).status == 200
    (request,) = server.requests
    return request


def parsed(request: Request) -> Body:
    return parse_body(request.headers["Content-Type"], request.body)


def boundary_of(payload: Payload) -> str:
    return payload.content_type.removeprefix("multipart/form-data; boundary=")


def test_the_fields_are_those_of_the_json_as_text(settings: LazySettings) -> None:
    job = JobFactory.create(sending=True, attempts=3, filename="Bäcker “1”.jpg")
    form = parse_body((payload := Payload(job)).content_type, b"".join(payload))
    settings.N8N_PAYLOAD = "json"
    json = parse_body("application/json", b"".join(Payload(job)))
    assert form.fields == {name: str(value) for name, value in json.fields.items()}
    assert form.fields["attempt"] == "3"
    assert form.picture == json.picture


def test_a_canary_says_so_as_json_would() -> None:
    assert parsed(received(is_canary=True)).fields["canary"] == "true"
    assert "canary" not in parsed(received()).fields


def test_the_picture_is_a_file_of_its_own_name_and_type() -> None:
    form = parsed(received(filename="till 7.jpg"))
    assert (form.name, form.content_type) == ("till 7.jpg", "image/jpeg")


def test_a_picture_that_was_made_is_sent_under_its_own_type_and_suffix() -> None:
    content = saved(drawn(1, size=(180, 280)), "WEBP")
    receipt = ReceiptFactory.create(content=content, content_type="image/webp")
    form = parsed(received(receipt=receipt, filename="till.webp"))
    assert (form.name, form.content_type) == ("till.jpg", "image/jpeg")
    assert form.fields["sha256"] == Rendition.objects.get().sha256


@pytest.mark.parametrize(("name", "written"), UGLY_NAMES)
def test_no_filename_breaks_out_of_its_header(name: str, written: str) -> None:
    form = parsed(received(filename=name))
    assert form.name == written  # as browsers write it: https://html.spec.whatwg.org/#multipart-form-data
    assert form.fields["filename"] == (name or "receipt.jpg")
    assert form.content_type == "image/jpeg"


def test_the_length_is_told_and_the_body_is_not_sent_in_chunks() -> None:
    request = received()
    assert request.headers["Content-Length"] == str(len(request.body))
    assert "Transfer-Encoding" not in request.headers


def test_the_signature_is_over_the_form(settings: LazySettings) -> None:
    secret = base64.b64decode(settings.N8N_WEBHOOK_SECRET[0].removeprefix("whsec_"))
    request = received()  # by hand: the library of Standard Webhooks takes text only
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_a_picture_full_of_boundaries_arrives_whole() -> None:
    lines = ["", "--", "----", f"--{boundary_of(Payload(JobFactory.create()))}", "--" + "0" * 32]
    content = "\r\n".join(itertools.chain.from_iterable(itertools.permutations(lines, 4))).encode() + b"\r\n"
    assert parsed(received(receipt=ReceiptFactory.create(content=content))).picture == content


def test_each_delivery_has_a_boundary_that_nobody_can_know_beforehand() -> None:
    job = JobFactory.create()
    boundaries = {boundary_of(Payload(job)) for _ in range(50)}
    assert len(boundaries) == 50
    assert all(re.fullmatch("[0-9a-f]{32}", boundary) for boundary in boundaries)


def test_a_large_picture_is_never_whole_in_memory() -> None:
    payload = Payload(JobFactory.create(receipt=ReceiptFactory.create(content=os.urandom(20 * MB))))
    tracemalloc.start()
    try:
        assert sum(map(len, payload)) == len(payload) > 20 * MB
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * PIECE_BYTES
