"""What a delivery costs this side in each form of N8N_PAYLOAD: `.venv/bin/python -m benchmarks.delivery`.

A worker's own code posts the same picture in both forms in turn, signed, from its file to a server in another process
that reads all and answers at once. All figures are medians; processor time is that of the sending process alone.
"""

import os
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import django

if TYPE_CHECKING:
    from jobs.models import JobLog

ROUNDS = 31
PICTURE_BYTES = 5_000_000
MAX_TIMES = 1.0  # in processor time, of what JSON takes


class Delivery(NamedTuple):
    """One of them: milliseconds on the clock and of the processor, and the megabytes that went out."""

    clock: float
    processor: float
    megabytes: float


def main() -> int:
    """Measure, print the table, and return 1 where multipart takes more processor time than JSON."""
    with tempfile.TemporaryDirectory(prefix="receipts-benchmark-") as folder:
        _prepare(folder)
        here, there = get_context("spawn").Pipe()
        server = get_context("spawn").Process(target=serve, args=(there,))
        server.start()
        try:
            return _tell(_measure(here.recv()))
        finally:
            here.send("end")
            server.join()


def serve(pipe: Connection) -> None:
    """Take whatever comes, until told to end."""
    from tests.support.stub_server import answering, stub_server

    with stub_server(answering()) as server:
        pipe.send(server.url)
        pipe.recv()


def _prepare(folder: str) -> None:
    from tests.support.servers import SETTINGS

    made_up = {"MEDIA_ROOT": folder, "DATABASE_URL": "sqlite://:memory:", "N8N_MAX_PAYLOAD_MB": "16"}
    os.environ |= SETTINGS | made_up | {"DJANGO_SETTINGS_MODULE": "accounting.settings"}
    django.setup()


def _measure(url: str) -> dict[str, list[Delivery]]:
    from jobs.encodings import ENCODINGS
    from tests.support.deliveries import n8n_at

    job, found = _job(), {form: list[Delivery]() for form in ENCODINGS}
    with n8n_at(url):
        for _ in range(ROUNDS):
            for form in ENCODINGS:
                found[form].append(_deliver(job, form))
    return {form: deliveries[1:] for form, deliveries in found.items()}  # the first of each finds everything cold


def _job() -> "JobLog":
    """Return a job that no database knows."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from django.utils import timezone

    from jobs.models import JobLog
    from receipts.models import Receipt
    from receipts.sample import draw_receipt

    content = draw_receipt().ljust(PICTURE_BYTES, b"\0")
    receipt = Receipt(content_type="image/jpeg", size=len(content), sha256="0" * 64)
    receipt.file.name = default_storage.save("receipts/receipt.jpg", ContentFile(content))
    job = JobLog(receipt=receipt, filename="receipt.jpg", notion_database_id="0" * 32, attempts=1)
    job.now = timezone.now()
    return job


def _deliver(job: "JobLog", form: str) -> Delivery:
    from django.test import override_settings

    from jobs.n8n import send_receipt

    with override_settings(N8N_PAYLOAD=form):
        clock, processor = time.perf_counter(), time.process_time()
        answer = send_receipt(job)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
    if answer.status != 200:
        raise RuntimeError(f"The server did not take it: {answer}")
    return Delivery(1000 * clock, 1000 * processor, answer.request["bytes"] / 1e6)


def _tell(found: dict[str, list[Delivery]]) -> int:
    typical = {form: Delivery(*map(median, zip(*all_, strict=True))) for form, all_ in found.items()}
    print("| form | MB sent | ms of processor | ms on the clock |\n|---|---|---|---|")
    for form, one in typical.items():
        print(f"| {form} | {one.megabytes:.2f} | {one.processor:.1f} | {one.clock:.1f} |")
    times = [after / before for before, after in zip(typical["json"], typical["multipart"], strict=True)]
    print(f"| multipart / json | {times[2]:.2f} | {times[1]:.2f} | {times[0]:.2f} |")
    return times[1] > MAX_TIMES


if __name__ == "__main__":
    sys.exit(main())
