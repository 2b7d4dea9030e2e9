"""A made-up month of a service in use: all is done by the service's own verbs, on a clock of the past."""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection

from jobs.answers import Answer
from jobs.callbacks import Report
from jobs.delivery_errors import ErrorCode
from jobs.models import JobLog
from jobs.rollups import close_hours
from jobs.services import UploadRequest, claim_job, complete_job, mark_delivered, operate_on_all, submit_receipt
from jobs.sweep import sweep
from receipts.files import CheckedUpload
from receipts.models import Client
from receipts.sample import draw_receipt, make_sample

CLIENTS = ("Corner Bakery", "Harbour Deli", "Paper & Ink")
DATABASES = ("5f0c1d9e-3b7a-4c58-9f21-6d8e2a4b7c10", "8b21f0a4-6c3d-4e7f-a5b9-0d1c2e3f4a5b")
DAYS = 30
SIZE = (420, 650)
DIFFERENT = 24  # pictures that are drawn; further receipts are these with other bytes at their end
OPENING, CLOSING = 6, 23
PUZZLING, NEVER_REPORTED = 0.965, 0.993  # fates between 0 and 1
LATELY = (  # minutes ago, and the fate of what came in then
    (310, 0.97), (255, 0.5), (231, 0.98), (190, 0.999), (140, 0.98), (95, 0.4), (70, 0.5), (52, 0.5),
    (48, 0.3), (33, 0.5), (21, 0.5), (12, 0.5),
)  # fmt: skip
PUZZLED = "The total could not be read: the photograph is out of focus."


class Clock:
    """Tells SQLite the time, so that the service's verbs believe it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        connection.ensure_connection()
        connection.connection.create_function("STRFTIME", 2, self._now_text)

    def _now_text(self, _form: str, _when: str) -> str:
        return f"{self.now:%Y-%m-%d %H:%M:%S}.{self.now.microsecond // 1000:03}"

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Month:
    """Tells what became of each receipt, by chance that is the same each time."""

    clock: Clock = field(default_factory=Clock)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    number: int = 0

    def tell(self) -> dict[str, str]:
        """Fill the month up to now, and return the jobs that are worth a picture."""
        now = self.clock.now
        for at in self._moments(now):
            self.clock.now = at
            self._one(self.chance.random())
        for minutes, fate in LATELY:
            self.clock.now = now - timedelta(minutes=minutes)
            self._one(fate)
        shown = self._retried(now - timedelta(minutes=41))
        self._still_open(now)
        self.clock.now = now
        while close_hours(now):
            pass
        return {"job": str(shown)}

    def _moments(self, now: datetime) -> list[datetime]:
        """Return when receipts come in: by day more than by night, and few on Sundays."""
        days = [now - timedelta(days=day) for day in range(DAYS)]
        moments = [
            day.replace(hour=int(self.chance.triangular(OPENING, CLOSING, 12)), minute=self.chance.randrange(60))
            for day in days
            for _ in range(self.chance.randint(2, 4) if day.weekday() == 6 else self.chance.randint(12, 22))
        ]
        return sorted(moment for moment in moments if moment < now - timedelta(minutes=LATELY[0][0]))

    def _one(self, fate: float) -> None:
        """Tell of one receipt: most fates are good ones."""
        job = self._uploaded()
        if fate < 0.03:
            self._refused(job, Answer(error=ErrorCode.UNREACHABLE))
        self._delivered(job)
        if fate > NEVER_REPORTED:
            self.clock.forward(1000)
            sweep()
        elif fate > PUZZLING:
            self._reported(job, JobLog.Status.FAILURE, message=PUZZLED)
        else:
            self._filed(job)

    def _retried(self, at: datetime) -> UUID:
        """Tell of a receipt that N8N did not take at first, that failed then, and that somebody retried."""
        self.clock.now = at
        job = self._uploaded()
        self._refused(job, Answer(status=429, retry_after="20", milliseconds=112))
        self._delivered(job)
        self._reported(job, JobLog.Status.FAILURE, message="Notion did not let the workflow in (401).")
        self.clock.forward(340)
        operate_on_all("retry", [job.pk], User.objects.get(username="oscar"), "Notion's access was renewed")
        LogEntry.objects.update(action_time=self.clock.now)
        self._delivered(job)
        self._filed(job)
        return job.pk

    def _still_open(self, now: datetime) -> None:
        """Leave jobs in every status that is open."""
        for minutes, waits in ((4, "refused"), (3, "delivered"), (2, "delivered"), (0, "claimed")):
            self.clock.now = now - timedelta(minutes=minutes)
            job = self._uploaded()
            if waits == "refused":
                self._refused(job, Answer(status=503, milliseconds=87), rest=False)
            elif waits == "delivered":
                self._delivered(job)
            else:
                claim_job(job.pk, worker=self._worker())

    # -- what happens to a job

    def _uploaded(self) -> JobLog:
        self.number += 1
        content = _picture(self.number % DIFFERENT) + b"%d" % self.number
        upload = CheckedUpload(
            file=ContentFile(content),
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            content_type="image/jpeg",
            width=SIZE[0],
            height=SIZE[1],
        )
        client, _ = Client.objects.get_or_create(name=CLIENTS[self.number % len(CLIENTS)])
        request = UploadRequest(
            client=client,
            upload=upload,
            filename=f"IMG_{4000 + self.number}.jpg",
            notion_database_id=DATABASES[self.number % len(DATABASES)],
            actor="till",
        )
        return submit_receipt(request).job

    def _claimed(self, job: JobLog) -> int:
        self.clock.forward(self.chance.uniform(0.02, 0.4))
        claimed = claim_job(job.pk, worker=self._worker())
        assert claimed is not None
        return claimed.attempts

    def _refused(self, job: JobLog, answer: Answer, *, rest: bool = True) -> None:
        attempt = self._claimed(job)
        self.clock.forward(0.2)
        mark_delivered(job.pk, attempt=attempt, answer=answer, worker=self._worker())
        job.refresh_from_db()
        if rest and job.due_at:
            self.clock.now = job.due_at

    def _delivered(self, job: JobLog) -> None:
        attempt = self._claimed(job)
        took = self.chance.uniform(0.1, 0.9)
        self.clock.forward(took)
        answer = Answer(
            status=200,
            content_type="application/json",
            body=b'{"accepted": true, "execution_id": "%d"}' % (20_000 + self.number),
            milliseconds=round(1000 * took),
        )
        mark_delivered(job.pk, attempt=attempt, answer=answer, worker=self._worker())

    def _filed(self, job: JobLog) -> None:
        sample = make_sample(self.number % DIFFERENT)
        self._reported(
            job,
            JobLog.Status.SUCCESS,
            message="Filed.",
            notion_page_url=f"https://www.notion.so/{job.pk.hex}",
            data={
                "vendor": sample.shop,
                "date": sample.bought_on.isoformat(),
                "total": sample.total / 100,
                "vat": sample.vat / 100,
                "currency": "EUR",
                "items": [
                    {"name": item.name, "count": item.count, "total": item.total / 100} for item in sample.items[:3]
                ],
            },
        )

    def _reported(self, job: JobLog, status: JobLog.Status, **fields: object) -> None:
        self.clock.forward(self.chance.lognormvariate(1.9, 0.5))
        report = Report(status=status, execution_id=str(20_000 + self.number), **fields)  # type: ignore[arg-type] # as named
        complete_job(job.pk, report, actor="job token")

    def _worker(self) -> str:
        return f"worker-{1 + self.number % 2}"


@cache
def _picture(number: int) -> bytes:
    return draw_receipt(number, size=SIZE)
