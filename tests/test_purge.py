"""`manage.py purge_receipts`: files that were kept for long enough go, and what became of the receipts stays."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import retention, services
from jobs.management.commands import purge_receipts, sweep_jobs
from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from receipts import services as receipt_services
from receipts import thumbnails
from receipts.models import Receipt, Rendition, day_folder
from receipts.orphans import FEW
from receipts.rendering import NotMade
from receipts.thumbnails import find_thumbnail

from .ages import let_age, purge, stored_ago
from .factories import JobFactory, ReceiptFactory, job_in
from .histories import filed, uploaded
from .pictures import heic
from .plans import multiply, plan
from .renditions import job_for
from .renditions import sent as delivered_picture
from .staff import auditor

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]
Run = Callable[..., list[str]]
DAYS = 90
committed = pytest.mark.django_db(transaction=True)  # what comes after the commit comes before the look for orphans


@pytest.fixture(autouse=True)
def _rule(settings: LazySettings) -> None:
    settings.RETENTION_DAYS = DAYS


@pytest.fixture
def run(django_capture_on_commit_callbacks: Any) -> Run:
    """Return a function that runs the command, and then returns the lines that it wrote."""

    def call(**options: Any) -> list[str]:
        out = StringIO()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("purge_receipts", stdout=out, **options)
        return out.getvalue().splitlines()

    return call


def old(job: JobLog, days: int = DAYS + 1) -> JobLog:
    """Let the job's receipt have been stored so many days ago."""
    stored_ago(job.receipt, days)
    return job


def rendition_of(receipt: Receipt) -> Rendition:
    """Return a rendition whose file is there, and is as old as the receipt's."""
    name = default_storage.save("renditions/one.jpg", ContentFile(b"made"))
    made = Rendition.objects.create(
        receipt=receipt, file=name, sha256="0" * 64, size=4, content_type="image/jpeg", width=1, height=1, most_bytes=9
    )
    stored_ago(made, DAYS + 1)
    return made


# -- what goes, and what stays


@committed
def test_files_older_than_the_rule_go_and_rows_and_younger_files_stay(run: Run, media: Media) -> None:
    gone, kept = old(filed()), JobFactory.create(success=True)
    before = JobEvent.objects.count()
    lines = run()
    assert lines[0] == f"Files of receipts, 1, {gone.receipt.size / 1e6:.1f} MB: deleted."
    assert media() == [Path(kept.receipt.file.path)]
    receipt = Receipt.objects.get(pk=gone.receipt_id)
    assert receipt.purged_at is not None
    assert (JobLog.objects.count(), JobEvent.objects.count()) == (2, before + 1)
    assert verify_job(gone).ok
    event = gone.events.latest("id")
    assert (event.kind, event.source) == ("purged", "sweep")


@pytest.mark.parametrize(("days", "stays"), [(DAYS - 1, True), (DAYS, True), (DAYS + 1, False)])
def test_nothing_is_deleted_a_day_too_early(run: Run, media: Media, days: int, stays: bool) -> None:
    old(JobFactory.create(success=True), days)
    run()
    assert bool(media()) is stays


@pytest.mark.parametrize("status", ["queued", "sending", "processing"])
def test_a_receipt_with_an_open_job_is_spared(run: Run, media: Media, status: str) -> None:
    job = old(job_in(JobLog.Status(status)))
    JobFactory.create(success=True, receipt=job.receipt, client=job.client)
    assert run()[0] == "Files of receipts, 0, 0.0 MB: deleted; 1 kept, since a job of theirs is open."
    assert len(media()) == 1
    assert Receipt.objects.get().purged_at is None


@pytest.mark.parametrize("status", ["success", "failure"])
def test_every_job_of_the_receipt_gets_an_event(run: Run, status: str) -> None:
    job = old(job_in(JobLog.Status(status)))
    again = JobFactory.create(success=True, receipt=job.receipt, client=job.client)
    run()
    assert {event.job_id for event in JobEvent.objects.filter(kind="purged")} == {job.pk, again.pk}


@committed
def test_what_was_made_of_a_receipt_goes_with_it(run: Run, media: Media) -> None:
    job = old(JobFactory.create(success=True))
    rendition_of(job.receipt)
    assert find_thumbnail(job.receipt)
    assert len(media()) == 3
    run()
    assert media() == []
    assert Rendition.objects.count() == 0


def test_without_a_rule_nothing_is_purged(run: Run, media: Media, settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 0
    old(JobFactory.create(success=True), 10_000)
    assert run()[0] == "RETENTION_DAYS is not set: all receipts are kept."
    assert len(media()) == 1


@committed
def test_a_rehearsal_tells_the_same_and_deletes_nothing(run: Run, media: Media) -> None:
    rendition_of(old(JobFactory.create(success=True)).receipt)
    old(JobFactory.create())
    orphan = media()[0].with_name("orphan.jpg")
    orphan.write_bytes(b"x")
    let_age(orphan, 2)
    foreseen = run(dry_run=True)
    assert len(media()) == 4
    assert JobEvent.objects.count() == 0
    assert [line.replace("would be deleted", "deleted") for line in foreseen] == run()
    assert len(media()) == 1


# -- files that no row names


def test_orphans_of_any_day_go_once_they_are_a_day_old(run: Run, media: Media) -> None:
    path = stored_ago(ReceiptFactory.create(), DAYS - 1)
    thumbnail = Path(default_storage.path(thumbnails.thumbnail_name(Receipt.objects.get().pk)))
    thumbnail.parent.mkdir(parents=True)
    kept = [path, path.with_name("young.jpg"), thumbnail]
    gone = [
        path.with_name("orphan.jpg"),
        path.with_name(".partial-x"),
        *(thumbnail.with_name(f"{n}.jpg") for n in "ab"),
    ]
    made = path.parents[4] / "renditions/2020/01/31/orphan.jpg"
    made.parent.mkdir(parents=True)
    for file in [*kept[1:], *gone, made]:
        file.write_bytes(b"x")
        let_age(file, 1.1)
    let_age(kept[1], 0.9)
    assert run()[1] == "Files that no row names, 5: deleted."
    assert media() == sorted(kept)


def test_a_purge_that_was_killed_before_the_files_went_is_finished_by_the_next(run: Run, media: Media) -> None:
    job = old(JobFactory.create(success=True))
    rendition_of(job.receipt)
    assert find_thumbnail(job.receipt)
    for file in media():
        let_age(file, 2)
    purge(job.receipt)  # its transaction never commits here, so that what comes after the commit never comes
    assert len(media()) == 3
    assert run()[1] == "Files that no row names, 3: deleted."
    assert media() == []


def orphans(number: int) -> None:
    """Let so many files be there that no row names, stored long ago and today."""
    for day in (timezone.now(), timezone.now() - timedelta(days=400)):
        for _ in range(number):
            name = default_storage.save(f"{day_folder(Receipt, day)}/one.jpg", ContentFile(b"x"))
            let_age(Path(default_storage.path(name)), 2)


@pytest.mark.parametrize("days", [0, DAYS])
@pytest.mark.parametrize(
    ("number", "receipts", "sentence"),
    [(1, 0, "There are files, but no receipt"), (FEW + 1, 1, f"More than {FEW} files have no row")],
)
def test_orphans_that_no_kill_can_have_left_are_kept(
    run: Run, media: Media, settings: LazySettings, caplog: Any, days: int, number: int, receipts: int, sentence: str
) -> None:
    settings.RETENTION_DAYS = days
    ReceiptFactory.create_batch(receipts)
    orphans(number)
    for options in ({}, {"dry_run": True}):
        with pytest.raises(CommandError, match=rf"^{sentence}.* None of them was deleted"):
            run(**options)
    sweep_jobs.Command()._tidy()
    assert (len(media()), "orphans_kept" in caplog.text) == (2 * number + receipts, True)


def test_whoever_has_looked_lets_them_go(run: Run, media: Media) -> None:
    orphans(FEW + 1)
    assert run(orphans=True, dry_run=True)[1] == f"Files that no row names, {2 * FEW + 2}: would be deleted."
    assert run(orphans=True)[1] == f"Files that no row names, {2 * FEW + 2}: deleted."
    assert media() == []


# -- beside everything else


def test_the_same_bytes_may_come_again_and_are_kept_as_long_as_any(run: Run, media: Media) -> None:
    job = old(filed())
    run()
    assert media() == []
    assert uploaded().pk == job.pk
    receipt = Receipt.objects.get()
    assert (receipt.purged_at, len(media())) == (None, 1)
    run()
    assert len(media()) == 1
    stored_ago(receipt, DAYS + 1)
    run()
    assert media() == []
    assert job.events.filter(kind="purged").count() == 2
    assert verify_job(job).ok


def test_bytes_that_come_while_their_file_goes_are_stored(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    filed()
    look = receipt_services.has_file
    seen: list[bool] = []

    def go_after_the_look(receipt: Receipt) -> bool:
        seen.append(look(receipt))
        if len(seen) == 1:
            purge(receipt)
        return seen[-1]

    monkeypatch.setattr(receipt_services, "has_file", go_after_the_look)
    uploaded(again=True)
    receipt = Receipt.objects.get()
    assert (seen[0], receipt.purged_at) == (True, None)
    assert Path(receipt.file.path) in media()


def test_a_job_that_was_reopened_since_the_look_is_spared(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    job = old(JobFactory.create(failure=True))
    first_look = retention.oldest_first

    def reopened(before: str) -> Any:
        for receipt_id in list(first_look(before)):
            services.retry_job(job.pk, actor="anna", reason="again")
            yield receipt_id

    monkeypatch.setattr(retention, "oldest_first", reopened)
    run()
    assert Receipt.objects.get().purged_at is None


def test_who_comes_second_purges_nothing(media: Media) -> None:
    job = filed()
    purge(job.receipt)
    assert services.purge_receipt(job.receipt_id, before="receipts/9999") is None
    assert job.events.filter(kind="purged").count() == 1


def test_a_purged_job_cannot_be_retried() -> None:
    job = JobFactory.create(failure=True)
    purge(job.receipt)
    with pytest.raises(services.NotNow, match="uploaded again"):
        services.retry_job(job.pk, actor="anna", reason="again")


def test_a_picture_that_is_made_while_its_receipt_goes_is_not_kept(media: Media, monkeypatch: Any) -> None:
    job = job_for(heic(), "image/heic")
    JobLog.objects.filter(pk=job.pk).update(status="success", due_at=None, completed_at=timezone.now())
    keep = receipt_services._keep_rendition

    def purge_first(receipt: Receipt, *args: Any, **kwargs: Any) -> Rendition:
        purge(receipt)
        return keep(receipt, *args, **kwargs)

    monkeypatch.setattr(receipt_services, "_keep_rendition", purge_first)
    with pytest.raises(NotMade):
        delivered_picture(job)
    assert [path for path in media() if "renditions" in path.parts] == []


def test_a_thumbnail_that_is_made_while_its_receipt_goes_is_not_kept(media: Media, monkeypatch: Any) -> None:
    receipt = JobFactory.create(success=True).receipt
    keep = thumbnails._keep

    def purge_first(receipt_id: Any, data: bytes) -> None:
        purge(receipt)
        keep(receipt_id, data)

    monkeypatch.setattr(thumbnails, "_keep", purge_first)
    find_thumbnail(receipt)
    assert [path for path in media() if "thumbnails" in path.parts] == []


# -- what is said of a purged receipt


def test_the_api_says_that_it_was_deleted_and_when(api: APIClient, shop: Any) -> None:
    receipt = filed(shop).receipt
    purge(receipt)
    for what in ("file", "rendition"):
        answer = api.get(f"/api/v1/receipts/{receipt.pk}/{what}")
        assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")
        assert f"{timezone.now():%Y-%m}" in answer.json()["detail"]
    assert api.get(f"/api/v1/receipts/{receipt.pk}/").json()["purged_at"]


def test_the_admin_says_so_and_links_to_nothing() -> None:
    job = filed()
    purge(job.receipt)
    page = auditor().get(f"/admin/receipts/receipt/{job.receipt_id}/change/").content.decode()
    assert "deleted by rule on" in page
    assert f"/api/v1/receipts/{job.receipt_id}/file" not in page


# -- how it runs


def test_it_asks_by_an_index_however_many_receipts_there_are() -> None:
    multiply(
        ReceiptFactory.create(),
        ({"file": f"receipts/{2000 + one % 40}/01/01/{one}.jpg", "sha256": f"{one:064}"} for one in range(2_000)),
    )
    before, after = "receipts/2026/01/01", "receipts/2025/01/01/one.jpg"
    sql = str(
        retention.purgeable(before, after=after).order_by("file").values_list("pk", "file")[: retention.BATCH].query
    )
    assert sql.count('"file" > ') == 1  # of two lower bounds SQLite takes the first, and reads up to the second
    for value in (before, after):
        sql = sql.replace(value, f"'{value}'", 1)
    assert "receipt_file" in plan(sql)


def test_many_are_read_in_batches(run: Run, monkeypatch: pytest.MonkeyPatch, media: Media) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        old(JobFactory.create(success=True))
    assert run()[0].startswith("Files of receipts, 5")
    assert media() == []


def test_an_interruption_is_one_sentence(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    old(JobFactory.create(success=True))

    def interrupted(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(purge_receipts, "purge_receipt", interrupted)
    with pytest.raises(CommandError, match=r"^Interrupted; what was done is done") as stop:
        run()
    assert stop.value.returncode == 130


def test_a_database_that_goes_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    old(JobFactory.create(success=True))

    def away(*_: Any, **__: Any) -> int:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(purge_receipts, "purge_receipt", away)
    with pytest.raises(CommandError, match=r"^The database is away; what was done is done"):
        run()


@pytest.mark.parametrize(("days", "warned"), [(DAYS + 1, False), (DAYS + 3, True)])
def test_the_sweep_warns_where_nobody_runs_it(caplog: pytest.LogCaptureFixture, days: int, warned: bool) -> None:
    old(JobFactory.create(success=True), days)
    sweep_jobs.Command()._tidy()
    assert ("purge_overdue" in caplog.text) is warned
