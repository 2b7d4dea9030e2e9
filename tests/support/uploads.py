"""Uploads as clients send them, well and badly."""

import threading
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from rest_framework.test import APIClient

from receipts.services import create_api_key
from tests.factories import DATABASE_ID, small_receipt

UPLOAD = "/api/v1/receipts/upload"
BOUNDARY = "a-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def picture(number: int = 1, *, name: str = "receipt.jpg") -> SimpleUploadedFile:
    """Return the drawn receipt of this number as a file to send."""
    return SimpleUploadedFile(name, content(number), content_type="image/jpeg")


def content(number: int = 1) -> bytes:
    """Return its bytes."""
    return small_receipt(number)


def client_named(name: str) -> APIClient:
    """Return an API client with a new key of the client of that name."""
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Api-Key {create_api_key(client_name=name, key_name='till')}")
    return api


def post(
    api: APIClient, number: int = 1, *, path: str = UPLOAD, headers: dict[str, str] | None = None, **form: Any
) -> Any:
    """Upload a receipt; a form field that is None is left out."""
    fields = {"file": picture(number), "notion_database_id": DATABASE_ID} | form
    sent = {name: value for name, value in fields.items() if value is not None}
    return api.post(path, sent, format="multipart", headers=headers)


def post_raw(api: APIClient, body: bytes, content_type: str = MULTIPART, **extra: Any) -> Any:
    """Upload a body as it stands."""
    return api.post(UPLOAD, body, content_type=content_type, **extra)


def at_once(*requests: Callable[[], Any]) -> list[Any]:
    """Send all of these requests at the same moment, each on a thread and a database connection of its own."""
    gate = threading.Barrier(len(requests))
    answers: list[Any] = [None] * len(requests)

    def send(number: int, request: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers[number] = request()
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=pair) for pair in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def file_part(disposition: bytes = b'filename="receipt.jpg"', *headers: bytes, data: bytes | None = None) -> bytes:
    """Return the form's part `file` with whatever is said about its name."""
    lines = [b'Content-Disposition: form-data; name="file"; ' + disposition, b"Content-Type: image/jpeg", *headers]
    return part(b"\r\n".join(lines), content() if data is None else data)


def text_part(name: str, value: str) -> bytes:
    """Return a text field of the form."""
    return part(f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode())


def part(headers: bytes, data: bytes) -> bytes:
    """Return one part of the form."""
    return b"--" + BOUNDARY.encode() + b"\r\n" + headers + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """Return a whole form of these parts and the database's id."""
    return b"".join([*parts, text_part("notion_database_id", DATABASE_ID), f"--{BOUNDARY}--\r\n".encode()])
