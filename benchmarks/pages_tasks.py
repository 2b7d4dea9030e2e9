"""What `benchmarks.pages` has to know of each database, asked in a process that has it."""

import json
import sys
import time
from typing import Any
from urllib.parse import quote

PASSES = 10


def addresses() -> dict[str, str]:
    """Return the pages to look at, by what they are; jobs and clients are such as both databases have."""
    from jobs.models import JobLog
    from receipts.models import Client

    listed = "/admin/jobs/joblog/"
    jobs = JobLog.objects.select_related("receipt").order_by("-created_at", "-pk")
    newest, oldest = jobs[0], jobs.reverse()[0]
    middle = newest.created_at - (newest.created_at - oldest.created_at) / 2
    job = jobs.filter(created_at__lt=middle, status="success")[0]
    deep = jobs.filter(created_at__lt=oldest.created_at + (newest.created_at - oldest.created_at) / 10)[0]
    shop, rare = (Client.objects.get(name=name).pk for name in ("Bakery", "Scanner"))
    filters = {
        "first page": "", "page far back": f"p={quote(f'older~{deep.created_at.isoformat()}~{deep.pk}')}",
        "status: success": "status__exact=success", "status: failure": "status__exact=failure",
        "failure code": "failure_code__exact=callback_timeout", "rare failure code": "failure_code__exact=file_missing",
        "client": f"client__id__exact={shop}", "rare client": f"client__id__exact={rare}",
        "rare client, failure code": f"client__id__exact={rare}&failure_code__exact=callback_timeout",
        "rare client, success": f"client__id__exact={rare}&status__exact=success",
        "needs attention": "needs_attention__exact=1", "needs none": "needs_attention__exact=0",
        "open": "progress=open", "overdue": "progress=overdue", "ended": "progress=ended",
        "day": f"on={middle:%Y-%m-%d}", "day, failure": f"on={middle:%Y-%m-%d}&status__exact=failure",
        "day, rare client": f"on={middle:%Y-%m-%d}&client__id__exact={rare}", "month": f"on={middle:%Y-%m}",
    }  # fmt: skip
    words = {
        "short id": str(job.pk)[:8], "SHA-256": job.receipt.sha256,
        "receipt's short id": str(job.receipt_id)[:8], "Notion database": job.notion_database_id,
        "beginning of a file name": "scan-1", "words": "Bäckerei", "words that are nowhere": "no such words",
    }  # fmt: skip
    return (
        {f"list: {name}": f"{listed}?{query}" for name, query in filters.items()}
        | {f"search: {name}": f"{listed}?q={quote(text)}" for name, text in words.items()}
        | {"search within a rare client: words": f"{listed}?client__id__exact={rare}&q=B%C3%A4ckerei"}
        | {"job page": f"{listed}{job.pk}/change/", "export, first byte": f"{listed}export/"}
        | {f"operations, {period}": f"/admin/?period={period}" for period in ("24h", "7d", "30d")}
        | {"readiness": "/health/ready", "metrics": "/metrics"}
    )


def passes() -> list[float]:
    """Return the milliseconds of some passes of the sweep, after a first one that does what is due."""
    from django.core.management import call_command

    times = []
    for _ in range(PASSES + 1):
        started = time.perf_counter()
        call_command("sweep_jobs", once=True)
        times.append((time.perf_counter() - started) * 1000)
    return times[1:]


TASKS: dict[str, Any] = {"addresses": addresses, "passes": passes}

if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(TASKS[sys.argv[1]]()))
