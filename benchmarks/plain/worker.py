"""The plain service's worker function: the picture in base64, posted to N8N."""

import base64
import os

import httpx


def trigger_n8n_workflow(job_id: str, content: bytes, filename: str | None, notion_database_id: str) -> int:
    payload = {
        "job_id": job_id,
        "image_data": base64.b64encode(content).decode(),
        "filename": filename,
        "notion_database_id": notion_database_id,
        "callback_url": f"{os.environ['PUBLIC_BASE_URL']}/api/v1/jobs/{job_id}/callback",
    }
    headers = {"Authorization": f"Bearer {os.environ['N8N_API_KEY']}"}
    with httpx.Client(timeout=60) as client:
        return client.post(os.environ["N8N_WEBHOOK_URL"], json=payload, headers=headers).raise_for_status().status_code
