"""Uploads that are refused: each with a clear answer, and with nothing left behind."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from jobs.models import IdempotencyKey, JobEvent, JobLog
from receipts.models import Receipt
from receipts.serializers import NO_FILE
from tests.support.uploads import MULTIPART, UPLOAD, content, file_part, form, part, picture, post, post_raw, text_part

pytestmark = pytest.mark.django_db

NAME = b'filename="receipt.jpg"'
Media = Callable[[], list[Path]]


@pytest.fixture(autouse=True)
def _nothing_left(db: None, media: Media) -> Any:
    yield
    assert [model.objects.count() for model in (Receipt, JobLog, JobEvent, IdempotencyKey)] == [0, 0, 0, 0]
    assert media() == []


def refused(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["code"]


def file(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("receipt.jpg", data, content_type="image/jpeg")


@pytest.mark.parametrize(
    ("sent", "status", "code", "fields"),
    [
        ({"file": None}, 400, "invalid", ["file"]),
        ({"file": None, "picture": picture()}, 400, "invalid", ["file"]),
        ({"file": "a text"}, 400, "invalid", ["file"]),
        ({"file": ""}, 400, "invalid", ["file"]),
        ({"file": [picture(1), picture(2)]}, 400, "too_many_files", []),
        ({"other": picture(2)}, 400, "too_many_files", []),
        ({"file": file(b"")}, 400, "file_empty", []),
        ({"file": file(b"not an image")}, 415, "unsupported_file_type", []),
        ({"file": file(b"GIF89a")}, 415, "unsupported_file_type", []),
        ({"file": file(b"%PDF-1.7")}, 400, "pdf_broken", []),
        ({"file": file(content()[:5000])}, 400, "image_broken", []),
        ({"notion_database_id": None}, 400, "invalid", ["notion_database_id"]),
        ({"notion_database_id": ""}, 400, "invalid", ["notion_database_id"]),
        ({"notion_database_id": "0" * 31}, 400, "invalid", ["notion_database_id"]),
        ({"notion_database_id": "0" * 5000}, 400, "invalid", ["notion_database_id"]),
        ({"notion_database_id": "https://[::1/" + "0" * 32}, 400, "invalid", ["notion_database_id"]),
        ({"notion_database_id": "0" * 32 + "\x00"}, 400, "invalid", ["notion_database_id"]),
        ({"allow_duplicate": "perhaps"}, 400, "invalid", ["allow_duplicate"]),
        ({"file": None, "notion_database_id": None}, 400, "invalid", ["file", "notion_database_id"]),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_form_that_is_wrong_is_refused(
    sent: dict[str, Any], status: int, code: str, fields: list[str], api: APIClient
) -> None:
    answer = post(api, **sent)
    assert refused(answer) == (status, code)
    assert list(answer.json().get("errors", {})) == fields


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "tab\t", "\xe9", "\x7f", "\x00"], ids=ascii)
def test_a_key_that_is_no_key_is_refused(key: str, api: APIClient) -> None:
    assert refused(post(api, headers={"Idempotency-Key": key})) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize("over", [1, 100_000], ids=["found when read", "found by its declared length"])
def test_a_file_that_is_too_large_is_refused(over: int, api: APIClient, settings: LazySettings) -> None:
    settings.UPLOAD_MAX_BYTES = len(content()) - 1
    answer = post(api, file=file(content() + bytes(over - 1)))
    assert refused(answer) == (413, "file_too_large")


@pytest.mark.parametrize("length", ["1000000000000", "9" * 4000])
def test_a_length_beyond_all_bounds_is_refused_or_not_believed(length: str, api: APIClient) -> None:
    answer = post_raw(api, form(file_part()), CONTENT_LENGTH=length)
    assert refused(answer)[0] in (400, 413)


@pytest.mark.parametrize("length", ["-1", "many", "\xb2", "0", ""])
def test_a_length_that_is_none_is_refused(length: str, api: APIClient) -> None:
    assert refused(post_raw(api, form(file_part()), CONTENT_LENGTH=length))[0] == 400


@pytest.mark.parametrize(
    "disposition",
    [b'filename=""', b'filename=".."', b'filename="M\xe4rz.jpg"', b"filename*=nonsense''a.jpg", b""],
    ids=["empty", "folder", "not UTF-8", "unknown charset", "none"],
)
@pytest.mark.parametrize("size", [0, 200_000, 2_000_000], ids=["short", "long", "very long"])
def test_a_file_without_a_name_that_can_be_read_is_refused_with_the_cure(
    disposition: bytes, size: int, api: APIClient
) -> None:
    answer = post_raw(api, form(file_part(disposition, data=content() + bytes(size))))
    assert refused(answer) == (400, "invalid")
    assert answer.json()["errors"]["file"] == [NO_FILE]


def test_a_file_without_a_name_that_is_too_long_for_a_text_is_said_to_be_one(api: APIClient) -> None:
    answer = post_raw(api, form(file_part(b"", data=bytes(3_000_000))))
    assert refused(answer) == (413, "body_too_large")
    assert answer.json()["detail"].endswith("a file without a file name is one.")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b'{"file": "x"}', "application/json", 415, "unsupported_media_type"),
        (b"file=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (content(), "image/jpeg", 415, "unsupported_media_type"),
        (form(file_part()), "multipart/form-data", 400, "parse_error"),
        (form(file_part()), "multipart/form-data; boundary=", 400, "parse_error"),
        (form(file_part()), "multipart/form-data; boundary=another", 400, "invalid"),
        (form(file_part()), "multipart/form-data; boundary=\xe4", 400, "parse_error"),
        (b"", MULTIPART, 400, "invalid"),
        (b"not a form", MULTIPART, 400, "invalid"),
        (form(file_part())[:3000], MULTIPART, 400, "invalid"),
        (form(file_part(NAME, b"X-Long: " + b"x" * 3000)), MULTIPART, 400, "parse_error"),
        (form(file_part(NAME, b"Content-Transfer-Encoding: base64", data=b"!")), MULTIPART, 400, "parse_error"),
        (form(text_part("note", "x" * 3_000_000), file_part()), MULTIPART, 413, "body_too_large"),
        (form(*[text_part("note", "x")] * 2000, file_part()), MULTIPART, 400, "bad_request"),
        (form(*[file_part()] * 20), MULTIPART, 400, "too_many_files"),
        (form(part(b"no header at all", content())), MULTIPART, 400, "invalid"),
    ],
    ids=[
        "JSON", "urlencoded", "bare image", "no boundary", "empty boundary", "other boundary", "odd boundary", "empty",
        "no form", "cut", "long header", "bad base64", "long text", "many fields", "many files", "no headers",
    ],
)  # fmt: skip
def test_a_body_that_is_no_proper_form_is_refused(
    body: bytes, content_type: str, status: int, code: str, api: APIClient
) -> None:
    assert refused(post_raw(api, body, content_type)) == (status, code)


def test_a_compressed_body_is_refused_with_the_cure(api: APIClient) -> None:
    answer = post_raw(api, b"packed", HTTP_CONTENT_ENCODING="gzip")
    assert refused(answer) == (415, "encoding_not_supported")


def test_a_form_that_names_two_databases_is_refused(api: APIClient) -> None:
    databases = [text_part("notion_database_id", letter * 32) for letter in "ab"]
    answer = post_raw(api, form(*databases, file_part()))
    assert refused(answer) == (400, "invalid")
    assert answer.json()["errors"] == {"notion_database_id": ["Send it once."]}


def test_without_any_content_type_a_body_is_refused(api: APIClient) -> None:
    answer = api.generic("POST", UPLOAD, "file=x", content_type="")
    assert refused(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_uploads_are_posted(method: str, api: APIClient) -> None:
    answer = getattr(api, method)("/api/v1/receipts/upload")
    assert refused(answer) == (405, "method_not_allowed")
    assert "POST" in answer["Allow"]


@pytest.mark.any_database
def test_a_form_damaged_at_random_is_refused_clearly(api: APIClient) -> None:
    chance = random.Random(3)
    body = form(file_part(data=b"no image"))
    for _ in range(300):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.choice((0, 1, 1, 9))] = chance.randbytes(chance.choice((0, 1, 1, 3)))
        assert refused(post_raw(api, bytes(damaged)))[0] in (400, 413, 415), bytes(damaged)
