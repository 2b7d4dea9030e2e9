"""Reports as N8N posts them."""

import json
from typing import Any

from django.test import Client as Browser

from jobs.models import JobLog
from jobs.signatures import callback_token

from .servers import SETTINGS

GLOBAL_TOKEN, FORMER_TOKEN = SETTINGS["CALLBACK_SECRET_TOKEN"].split(",")


def post(path: str, body: Any, token: str | None = GLOBAL_TOKEN, **extra: Any) -> Any:
    """Post a body, whatever it is, below the address of the jobs."""
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    headers = {} if token is None else {"X-Callback-Token": token}
    return Browser().post(f"/api/v1/jobs/{path}", data, content_type="application/json", headers=headers, **extra)


def report(job: JobLog, token: str | None = None, **body: Any) -> Any:
    """Report on a job, under its own token unless another is given: a success unless the body says otherwise."""
    return post(f"{job.pk}/callback", {"status": "success"} | body, token=token or callback_token(job.pk))
