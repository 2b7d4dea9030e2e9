"""Jobs to which something has happened, by the verbs of the service."""

import json
from typing import Any

from jobs import services
from jobs.answers import Answer
from jobs.callbacks import Report
from jobs.models import JobLog
from receipts.models import Client
from tests.factories import DATABASE_ID

from .job_actions import ANSWERS, upload_request

PAGE = "https://www.notion.so/0123"
READ = {"total": 12.50, "vendor": "Bäckerei", "lines": [{"price": 1e22}, {"price": -0.0}]}


def uploaded(shop: Client | None = None, database: str = DATABASE_ID, *, again: bool = False) -> JobLog:
    """Upload the one picture there is; one event."""
    shop = shop or Client.objects.get_or_create(name="Shop")[0]
    return services.submit_receipt(upload_request(shop, database, "", allow_duplicate=again)).job


def json_answer(status: int, body: Any, **fields: Any) -> Answer:
    """Return what N8N answers with that body."""
    return Answer(status=status, content_type="application/json", body=json.dumps(body).encode(), **fields)


def delivered(job: JobLog, answer: Answer = ANSWERS[0][0]) -> JobLog:
    """Let a worker deliver it, as execution 17 unless that is answered otherwise; two events more."""
    claimed = services.claim_job(job.pk, worker="w1")
    assert claimed is not None
    services.mark_delivered(job.pk, attempt=claimed.attempts, answer=answer, worker="w1")
    return job


def reported(job: JobLog, status: JobLog.Status = JobLog.Status.SUCCESS, **report: Any) -> JobLog:
    """Let N8N report; one event more."""
    fields = {"message": "Filed.", "notion_page_url": PAGE, "execution_id": "17", "data": READ} | report
    services.complete_job(job.pk, Report(status=status, **fields), actor="job token")
    return job


def filed(shop: Client | None = None, database: str = DATABASE_ID) -> JobLog:
    """Let all go well: received, claimed, delivered, succeeded."""
    return reported(delivered(uploaded(shop, database)))


def filed_by(name: str) -> JobLog:
    """Let all go well with a receipt of a new client's."""
    return filed(Client.objects.create(name=name))
