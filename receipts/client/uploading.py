"""Uploads files, several at once, and waits for what becomes of them."""

import hashlib
import heapq
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .files import Form
from .options import Options
from .outcomes import Outcome, outcome_of, refusal_of, untold
from .refusals import KeyRefused, NotTaken, unreadable
from .service import Job, Service
from .threads import map_unordered

LAST_LOOKS_SECONDS = 2.0  # that the wait may be late by, where many are still open or answers are slow


class Upload(NamedTuple):
    """A file that the service has, its job, and why that may no longer be asked for."""

    path: Path
    sha256: str
    job: Job
    was_known: bool
    refused: KeyRefused | None = None

    @property
    def is_open(self) -> bool:
        """Whether the service is still to tell something of it."""
        return self.refused is None and self.job["status"] not in ("success", "failure")

    @property
    def outcome(self) -> Outcome:
        """What is known of it now."""
        known = outcome_of(self.path, self.job, sha256=self.sha256, was_known=self.was_known)
        return untold(known, self.refused) if self.refused else known


def upload_all(service: Service, files: Iterable[Path], options: Options) -> Iterator[Upload | Outcome]:
    """Upload files; each comes as soon as it is done, as an outcome where the service did not take it."""
    try:
        yield from map_unordered(lambda path: _try_upload(service, path, options), files, threads=options.parallel)
    except BaseException:  # interrupted: nobody waits for those that wait
        service.stop()
        raise


def wait_for_all(service: Service, uploads: Iterable[Upload], seconds: float) -> Iterator[Outcome]:
    """Ask for each job when the service says that it pays, and a last time at the end; what is open then comes so."""
    end = time.monotonic() + seconds
    queue = [(time.monotonic(), number, upload) for number, upload in enumerate(uploads)]
    while queue:
        due, number, upload = heapq.heappop(queue)
        service.pause(due - time.monotonic())
        if time.monotonic() < end + LAST_LOOKS_SECONDS:
            upload, pause = _look_again(service, upload, end)
        if upload.is_open and time.monotonic() < end:
            heapq.heappush(queue, (min(time.monotonic() + pause, end), number, upload))
        else:
            yield upload.outcome


def _look_again(service: Service, upload: Upload, end: float) -> tuple[Upload, float]:
    try:
        job, pause = service.job(upload.job["job_id"], until=end)
    except KeyRefused as refused:
        return upload._replace(refused=refused), 0.0
    except NotTaken:
        return upload, 30.0  # it may be there again later; the wait has an end
    return upload._replace(job=job), pause


def _try_upload(service: Service, path: Path, options: Options) -> Upload | Outcome:
    try:
        return _upload(service, path, options)
    except NotTaken as refused:
        return refusal_of(path, refused)
    except OSError as error:
        return refusal_of(path, unreadable(error))


def _upload(service: Service, path: Path, options: Options) -> Upload:
    form = Form(path, options.database)
    job, was_known = service.upload(form, idempotency_key=_key(form.sha256, options.database))
    if not was_known:
        return Upload(path, form.sha256, job, was_known=False)
    if job["status"] == "failure":
        job = service.telling_job(job, options.database)
    if job["status"] == "failure" and options.retry_failed:
        job, was_known = service.upload(form, idempotency_key=_key(form.sha256, options.database, after=job["job_id"]))
    full, _ = service.job(job["job_id"])
    return Upload(path, form.sha256, full, was_known)


def _key(sha256: str, database: str, *, after: str = "") -> str:
    """Return what makes an upload the same again: bytes, database, and the failed job that it is to make good."""
    return hashlib.sha256("\n".join([sha256, database, after]).encode()).hexdigest()
