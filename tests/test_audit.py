"""What is changed behind the service's back is found and named, whichever column it is; what it did itself is not."""

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from jobs import services
from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from jobs.proof.chain import canonical
from jobs.transitions import TransitionNotAllowed, lock_job, note
from receipts.models import Client, Receipt

from .factories import JobFactory
from .histories import READ, delivered, filed, reported, uploaded
from .servers import made_up

pytestmark = pytest.mark.django_db

LATER = datetime(2031, 1, 1, tzinfo=UTC)
OLD, NEW = made_up("old"), made_up("new")

FAILED = {"status": "failure", "failure_code": "cancelled"}
REOPENED = {"status": "queued", "due_at": LATER, "completed_at": None}
# for each column what makes it another; the database's own constraints ask for company
OF_JOB: dict[str, dict[str, Any]] = {
    "status": FAILED,
    "failure_code": FAILED,
    "due_at": REOPENED,
    "completed_at": {"completed_at": LATER},
    "created_at": {"created_at": LATER},
    "delivered_at": {"delivered_at": None},
    "filename": {"filename": "other.jpg"},
    "notion_database_id": {"notion_database_id": "0" * 36},
    "attempts": {"attempts": 2},
    "tries": {"tries": 0},
    "result_message": {"result_message": "filed."},
    "notion_page_url": {"notion_page_url": "https://www.notion.so/0124"},
    "last_error": {"last_error": "n8n_refused"},
    "needs_attention": {"needs_attention": True},
    "result": {"result": READ | {"total": 12.51}},
    "n8n_execution_id": {"n8n_execution_id": "18"},
    "is_canary": {"is_canary": True},
}
OF_EVENT: dict[str, dict[str, Any]] = {
    "at": {"at": F("at") + timedelta(microseconds=1000)},
    "kind": {"kind": "unconfirmed"},
    "source": {"source": "admin"},
    "actor": {"actor": "w2"},
    "from_status": {"from_status": "queued"},
    "to_status": {"to_status": ""},
    "attempt": {"attempt": 2},
    "detail": {"detail": {"http_status": 201}},
    "facts": {"facts": {}},
    "digest": {"digest": "0" * 64},
}
OF_RECEIPT: dict[str, dict[str, Any]] = {
    "sha256": {"sha256": "0" * 64},
    "size": {"size": F("size") + 1},
    "content_type": {"content_type": "image/png"},
    "width": {"width": 1},
    "height": {"height": 1},
    "created_at": {"created_at": LATER},
}


def wrong(job: JobLog) -> tuple[str, ...]:
    return verify_job(job).wrong


def event(job: JobLog, number: int) -> Any:
    return JobEvent.objects.filter(job=job, number=number)


def columns(model: Any) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


# -- changes


@pytest.mark.parametrize("column", OF_JOB)
def test_a_changed_column_of_a_job_is_named(column: str) -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(**OF_JOB[column])
    assert len(wrong(job)) == len(OF_JOB[column])
    assert any(sentence.startswith(f"its {column} is not what event ") for sentence in wrong(job))


@pytest.mark.parametrize("column", ["receipt_id", "client_id", "duplicate_of_id"])
def test_a_job_that_points_elsewhere_is_named(column: str) -> None:
    job, other = filed(), JobFactory.create()
    elsewhere = {"receipt_id": other.receipt_id, "client_id": other.client_id, "duplicate_of_id": other.pk}
    JobLog.objects.filter(pk=job.pk).update(**{column: elsewhere[column]})
    assert f"its {column} is not what event 1 wrote" in wrong(job)


@pytest.mark.parametrize("change", [{"chain_length": 3}, {"chain_head": "0" * 64}], ids=str)
def test_a_changed_end_of_a_chain_is_named(change: dict[str, Any]) -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(**change)
    assert len(wrong(job)) == 1


@pytest.mark.parametrize("number", [1, 3, 4])
@pytest.mark.parametrize("column", OF_EVENT)
def test_a_changed_column_of_an_event_is_named_with_its_event(column: str, number: int) -> None:
    job = filed()
    (before,) = event(job, number).values(column)
    event(job, number).update(**OF_EVENT[column])
    if (before,) == tuple(event(job, number).values(column)):
        event(job, number).update(**{column: "processing"})
    kind = event(job, number).get().kind
    assert f"event {number} ({kind}) is not as it was written" in wrong(job)


@pytest.mark.parametrize("column", OF_RECEIPT)
def test_a_changed_column_of_a_receipt_is_named(column: str) -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(**OF_RECEIPT[column])
    assert wrong(job) == (f"its receipt.{column} is not what event 1 wrote",)


def test_a_receipt_that_was_given_to_another_client_is_named() -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(client=Client.objects.create(name="Other"))
    assert wrong(job) == ("its receipt.client_id is not what event 1 wrote",)


def test_a_receipt_that_is_called_purged_and_was_not_is_named() -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(purged_at=timezone.now())
    assert wrong(job) == ("its receipt is marked as purged, and no event says so",)


def test_a_job_under_another_id_is_none_of_ours() -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(job_id=UUID(int=7))
    JobEvent.objects.filter(job=job).update(job_id=UUID(int=7))
    assert "event 1 (received) is not as it was written" in wrong(JobLog.objects.get(pk=UUID(int=7)))


def test_no_column_is_left_out_here() -> None:
    elsewhere = {"job_id", "receipt_id", "client_id", "duplicate_of_id", "chain_length", "chain_head"}
    assert set(OF_JOB) | elsewhere == columns(JobLog)
    assert set(OF_EVENT) | {"id", "job_id", "number"} == columns(JobEvent)  # moved, removed and swapped below
    # where its file lies is a matter of the file, in tests/test_verify_audit.py
    assert set(OF_RECEIPT) | {"id", "client_id", "purged_at", "file"} == columns(Receipt)


# -- events that are gone, moved or made up


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_event_that_is_gone_from_the_middle_is_missed(number: int) -> None:
    job = filed()
    event(job, number).delete()
    assert f"event {number + 1} stands where {number} should" in wrong(job)


def test_a_last_event_that_is_gone_is_missed() -> None:
    job = filed()
    event(job, 4).delete()
    assert wrong(job)[0] == "it counts 4 events, and the last one is number 3"


def test_a_job_set_back_to_before_its_last_event_in_every_column_is_found_all_the_same() -> None:
    """Whoever deletes the last event and knows each value of before but the head, which no event keeps."""
    job = delivered(uploaded())
    before = JobLog.objects.values().get(pk=job.pk)
    reported(job)
    event(job, 4).delete()
    head = event(job, 3).get().digest
    JobLog.objects.filter(pk=job.pk).update(**before | {"chain_head": head})
    assert wrong(job) == ("its chain's head is not that of event 3",)


def test_a_job_without_any_event_is_named() -> None:
    job = filed()
    JobEvent.objects.filter(job=job).delete()
    assert "it counts 4 events, and the last one is number 0" in wrong(job)


def test_a_chain_that_was_begun_anew_from_a_changed_row_is_named() -> None:
    """The service goes on with whatever row it finds; what it signs then does not say how the job began."""
    job = uploaded()
    JobEvent.objects.filter(job=job).delete()
    JobLog.objects.filter(pk=job.pk).update(chain_length=0, chain_head="", notion_database_id="0" * 36)
    assert wrong(job) == ("no event says how it began",)
    delivered(job)
    assert wrong(job) == ("no event says how it began",)


def test_events_in_another_order_are_named() -> None:
    job = filed()
    first, second = (event(job, number).get().pk for number in (2, 3))
    for was, to in ((first, 10**9), (second, first), (10**9, second)):
        JobEvent.objects.filter(pk=was).update(id=to)
    assert "event 3 stands where 2 should" in wrong(job)


def test_events_that_swap_their_numbers_are_named() -> None:
    job = filed()
    first, second = (event(job, number).get().pk for number in (2, 3))
    for pk, number in ((first, 99), (second, 2), (first, 3)):
        JobEvent.objects.filter(pk=pk).update(number=number)
    assert "event 3 stands where 2 should" in wrong(job)


def test_events_that_swap_their_details_are_both_named() -> None:
    job = filed()
    first, second = event(job, 1).get(), event(job, 3).get()
    event(job, 1).update(detail=second.detail)
    event(job, 3).update(detail=first.detail)
    assert wrong(job) == (
        "event 1 (received) is not as it was written",
        "event 3 (delivered) is not as it was written",
    )


def test_an_event_moved_to_another_job_is_named_in_both() -> None:
    other, job = filed(Client.objects.create(name="Other")), filed()
    event(other, 4).delete()
    event(job, 4).update(job=other)
    assert "event 4 (succeeded) is not as it was written" in wrong(other)
    assert "it counts 4 events, and the last one is number 3" in wrong(job)


def test_an_event_that_was_made_up_without_the_key_is_named(settings: LazySettings) -> None:
    job = filed()
    settings.AUDIT_KEY = [NEW]
    with transaction.atomic():
        note(lock_job(job.pk), kind=JobEvent.Kind.REPEATED, source=JobEvent.Source.API)
    settings.AUDIT_KEY = [OLD, made_up("audit key")]
    assert wrong(job)[0] == "event 5 (repeated) is not as it was written"
    assert verify_job(job).sentence.startswith("Broken: event 5 (repeated) is not as it was written; ")


def test_a_chain_does_not_fork() -> None:
    """Of two who hold the same row, however they came by it, one writes."""
    job = uploaded()
    with transaction.atomic():
        first, second = lock_job(job.pk), lock_job(job.pk)
        note(first, kind=JobEvent.Kind.REPEATED, source=JobEvent.Source.API)
        with pytest.raises(TransitionNotAllowed):
            note(second, kind=JobEvent.Kind.REPEATED, source=JobEvent.Source.API)
    with pytest.raises(IntegrityError), transaction.atomic():
        JobEvent.objects.create(job=job, number=1, at=timezone.now(), kind="repeated", source="api", attempt=0)
    assert verify_job(job).ok


# -- what the service does itself


def test_a_job_that_went_well_is_verified() -> None:
    verification = verify_job(filed())
    assert (verification.ok, verification.sentence) == (True, "Verified: 4 events.")


def test_an_event_says_what_it_changed_and_no_more_and_shows_no_value() -> None:
    job = filed()
    assert set(event(job, 2).get().facts) == {"status", "attempts", "tries", "due_at"}
    received = event(job, 1).get().facts
    assert columns(JobLog) - {"job_id", "chain_length", "chain_head"} <= set(received)
    assert all(len(fingerprint) == 32 for fingerprint in received.values())


def test_failure_retry_late_success_repeats_and_refusals_are_verified() -> None:
    job = reported(delivered(uploaded()), JobLog.Status.FAILURE)
    services.retry_job(job.pk, actor="anna", reason="again")
    reported(delivered(job), JobLog.Status.FAILURE)
    reported(job, JobLog.Status.SUCCESS, execution_id="18")
    reported(job, JobLog.Status.SUCCESS)
    reported(job, JobLog.Status.FAILURE)
    services.note_refused_callback(job.pk, code="unsupported_media_type", actor="job token")
    uploaded()
    kinds = list(JobEvent.objects.filter(job=job).values_list("kind", flat=True))
    assert kinds[-5:] == ["succeeded", "callback_repeated", "callback_refused", "callback_refused", "repeated"]
    assert verify_job(job).sentence == "Verified: 13 events."


def test_a_queued_job_sent_at_once_and_cancelled_is_verified() -> None:
    job = uploaded()
    services.resend_job(job.pk, actor="anna", reason="now")
    services.cancel_job(job.pk, actor="anna", reason="by mistake")
    assert verify_job(job).sentence == "Verified: 3 events."


def test_a_purge_is_an_event_and_another_time_of_it_is_named() -> None:
    job, again = filed(), uploaded(again=True)
    services.note_purge(job.receipt, purged_at=timezone.now())
    assert verify_job(job).ok
    assert verify_job(again).ok
    Receipt.objects.filter(pk=job.receipt_id).update(purged_at=LATER)
    assert wrong(job) == ("its receipt is marked as purged, and no event says so",)


def test_a_purged_receipt_that_is_uploaded_again_is_verified() -> None:
    job = filed()
    services.note_purge(job.receipt, purged_at=timezone.now())
    job.receipt.file.delete(save=False)
    assert uploaded().pk == job.pk
    assert Receipt.objects.get().purged_at is None
    assert verify_job(job).ok


def test_looking_at_one_job_is_one_query(django_assert_num_queries: Any) -> None:
    job = filed()
    with django_assert_num_queries(1):
        assert verify_job(job).ok


# -- keys


def test_a_new_key_signs_and_the_old_one_verifies_as_long_as_it_is_named(settings: LazySettings) -> None:
    settings.AUDIT_KEY = [OLD]
    job = delivered(uploaded())
    settings.AUDIT_KEY = [NEW, OLD]
    reported(job)
    assert verify_job(job).ok
    settings.AUDIT_KEY = [NEW]
    assert "event 1 (received) is not as it was written" in wrong(job)
    settings.AUDIT_KEY = [OLD]
    assert wrong(job)[0] == "event 4 (succeeded) is not as it was written"


def test_without_a_key_of_its_own_it_is_the_secret_key_and_its_fallbacks(settings: LazySettings) -> None:
    settings.AUDIT_KEY, settings.SECRET_KEY = [], OLD
    job = delivered(uploaded())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    reported(job)
    assert verify_job(job).ok
    settings.AUDIT_KEY, settings.SECRET_KEY_FALLBACKS = [made_up("third"), NEW, OLD], []
    assert verify_job(job).ok


# -- one form of each value, whichever database it comes back from


@pytest.mark.parametrize(
    "value",
    [1.0, -0.0, 0.1, 1e5, 1e22, 1e23, 1.5e300, 5e-324, 10**40, -(2**63), True, None, [], "ü", "\U0001f600", "\\u0000",
     {"b": 1, "a": {"ü": 2.0, "A": [1.10]}}, {"": {}}],
    ids=repr,
)  # fmt: skip
def test_what_a_database_makes_of_json_breaks_nothing(value: Any) -> None:
    job = reported(delivered(uploaded()), data={"value": value})
    assert verify_job(job).ok


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1.0, "a": -0.0}, b'{"a":0,"b":1}'),
        (1e22, b"10000000000000000000000"),
        (0.1, b"0.1"),
        ("ü\ud83d\ude00", rb'"\u00fc\ud83d\ude00"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"2026-01-02T03:04:05.000000+00:00"'),
        (JobLog.Status.QUEUED, b'"queued"'),
    ],
    ids=ascii,
)
def test_a_value_is_written_in_one_way(value: Any, written: bytes) -> None:
    assert canonical(value) == written


# -- what was there before


def test_what_happened_before_the_chain_began_is_signed_as_it_is_found_and_an_event_says_so() -> None:
    first, second, known = filed(), JobFactory.create(failure=True), uploaded(database="0" * 36)
    JobEvent.objects.filter(job=first).update(digest="", facts={})
    JobLog.objects.filter(pk__in=[first.pk, second.pk]).update(chain_length=0, chain_head="")
    begin_chains()
    for job, events in ((first, 5), (second, 1), (known, 1)):
        assert verify_job(job).sentence == f"Verified: {events} event{'s' if events > 1 else ''}."
    adoption = JobEvent.objects.filter(job=first).last()
    assert adoption is not None
    assert (adoption.kind, adoption.detail) == ("adopted", {"events": 4})
    JobLog.objects.filter(pk=first.pk).update(filename="other.jpg")
    assert wrong(first) == ("its filename is not what event 5 wrote",)


def begin_chains() -> None:
    migration = importlib.import_module("jobs.migrations.0003_proof")
    migration.adopt(apps, connection.schema_editor())
