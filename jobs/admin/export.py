"""The list as CSV: all that the filters leave or the search found, in pieces, and harmless in a spreadsheet."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from accounting.admin.change_list import OLDER, Cursor
from accounting.filenames import visible
from accounting.staff import log_action
from jobs.models import JobLog
from jobs.summaries import Read, read_from, with_what_was_read

from .left_out import left_out

# Rows, read by a query of their own: no transaction waits for whoever reads slowly, and for whoever has left, which a
# server learns when it writes, no more than one or two are read.
PIECE = 200
BYTE_ORDER_MARK = "\ufeff"  # without it, Excel takes UTF-8 for the encoding of its country

# What a spreadsheet takes for a formula, the wide forms too, or for the beginning of another cell. One that expects
# decimal commas splits at semicolons, tabs and line breaks, and there our quotes hold no cell together
# (https://owasp.org/www-community/attacks/CSV_Injection).
SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"
FORMULA = re.compile(rf'^(?= *[\t\r\n{SIGNS}])|(?<=[;\t\r\n])(?=[ "]*[{SIGNS}])')
AMOUNT = re.compile(r"-\d+([.,]\d+)*", re.ASCII)  # as of money that was given back

Cell = Callable[[JobLog], Any]
COLUMNS: dict[str, Cell] = {
    "job_id": lambda job: job.job_id,
    "file": lambda job: job.filename,
    "client": lambda job: job.client.name,
    "status": lambda job: job.status,
    "failure_code": lambda job: job.failure_code,
    "message": lambda job: job.result_message,
    "last_error": lambda job: job.last_error,
    "needs_attention": lambda job: "yes" if job.needs_attention else "no",
    "attempts": lambda job: job.attempts,
    "created_at": lambda job: _spreadsheet_time(job.created_at),
    "delivered_at": lambda job: _spreadsheet_time(job.delivered_at),
    "completed_at": lambda job: _spreadsheet_time(job.completed_at),
    "seconds": lambda job: "" if job.took is None else f"{job.took:.1f}",
    "due_at": lambda job: _spreadsheet_time(job.due_at),
    "notion_database_id": lambda job: job.notion_database_id,
    "notion_page_url": lambda job: job.notion_page_url,
    "n8n_execution_id": lambda job: job.n8n_execution_id,
    "receipt_id": lambda job: job.receipt_id,
    "receipt_sha256": lambda job: job.receipt.sha256,
    "file_deleted_at": lambda job: _spreadsheet_time(job.receipt.purged_at),
}


def csv_response(request: HttpRequest, jobs: QuerySet[JobLog]) -> StreamingHttpResponse:
    """Return the jobs as a download, and log that they were handed out."""
    chosen = ((name, visible(value)) for name, values in request.GET.lists() for value in values)
    # in quotes, so that nobody's words pass for a filter
    filters = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in chosen) or "none"
    what, name = ("as CSV, not all that fit", "jobs-not-all") if left_out(request) else ("as CSV", "jobs")
    log_action(request.user, "The list of jobs", f"export: {what}, filters: {visible(filters)}", model=JobLog)
    response = StreamingHttpResponse(_csv_pieces(jobs), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y-%m-%d-%H%M%S}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _csv_pieces(jobs: QuerySet[JobLog]) -> Iterator[bytes]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield BYTE_ORDER_MARK.encode() + writer.writerow([*COLUMNS, *Read._fields])
    for piece in _read_pieces(jobs):
        yield b"".join(writer.writerow(_cells(job)) for job in piece)


def _cells(job: JobLog) -> list[str]:
    values = [*(cell(job) for cell in COLUMNS.values()), *read_from(job)]
    return [escape_formula(str(value)) for value in values]


def _read_pieces(jobs: QuerySet[JobLog]) -> Iterator[list[JobLog]]:
    """Yield the jobs, newest first, each query going on where the last one ended."""
    jobs = with_what_was_read(jobs.select_related("client", "receipt").order_by("-created_at", "-pk"))
    beyond = Q()
    while piece := list(jobs.filter(beyond)[:PIECE]):
        yield piece
        beyond = Cursor(way=OLDER, at=piece[-1].created_at, key=piece[-1].pk).beyond("created_at")


def escape_formula(text: str) -> str:
    """Return a cell that no spreadsheet computes: what looks like a formula, and is no amount, gets an apostrophe."""
    return text if AMOUNT.fullmatch(text) else FORMULA.sub("'", text)


def _spreadsheet_time(at: Any) -> str:
    """Return a time in UTC as every spreadsheet takes it for one; with an offset it would be words there."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


class _Line:
    """Hands back what a csv.writer writes."""

    def write(self, line: str) -> bytes:
        """Return the line."""
        return line.encode()
