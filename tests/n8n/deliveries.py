"""Deliveries made by hand, for what the service itself never sends."""

import base64
import hashlib
import json
import time
from typing import Any
from uuid import UUID

import requests
from django.conf import settings

from jobs.signatures import callback_token, sign_webhook
from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID, SMALL

ANSWER_SECONDS = 30.0


def payload(service_url: str, job_id: str, number: int = 1, **others: Any) -> dict[str, Any]:
    """Return what the service sends of a job (jobs/payload.py), with other or further values."""
    picture = draw_receipt(number, size=SMALL)
    return {
        "job_id": job_id,
        "filename": "receipt.jpg",
        "content_type": "image/jpeg",
        "sha256": hashlib.sha256(picture).hexdigest(),
        "notion_database_id": DATABASE_ID,
        "callback_url": f"{service_url}/api/v1/jobs/{job_id}/callback",
        "callback_token": callback_token(UUID(job_id)),
        "attempt": 1,
        "image_data": base64.b64encode(picture).decode(),
    } | others


def deliver(webhook: str, sent: dict[str, Any], *, key: str = "", secret: str = "", age: int = 0) -> requests.Response:
    """Post a payload as the service does.

    Args:
        webhook: its address.
        sent: the payload.
        key: of N8N, where it is not the right one.
        secret: to sign with; nothing is signed without.
        age: seconds since when it was signed.
    """
    body = json.dumps(sent).encode()
    headers = {"Authorization": f"Bearer {key or settings.N8N_API_KEY}", "Content-Type": "application/json"}
    if secret:
        now = int(time.time()) - age
        headers |= sign_webhook([secret], message_id=sent["job_id"], body=[body], timestamp=now)
    return requests.post(webhook, data=body, headers=headers, timeout=ANSWER_SECONDS)


def deliver_as_form(webhook: str, sent: dict[str, Any]) -> requests.Response:
    """Post a payload as multipart/form-data, the picture as its part `file`."""
    fields = {name: str(value) for name, value in sent.items() if name != "image_data"}
    picture = (sent["filename"], base64.b64decode(sent["image_data"]), sent["content_type"])
    headers = {"Authorization": f"Bearer {settings.N8N_API_KEY}"}
    return requests.post(webhook, data=fields, files={"file": picture}, headers=headers, timeout=ANSWER_SECONDS)
