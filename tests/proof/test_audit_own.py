"""What the service does itself is verified, under each key, whichever database it comes back from."""

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection

from jobs import services
from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from jobs.proof.chain import canonical
from receipts.models import Receipt
from tests.factories import JobFactory
from tests.support.job_lifecycle import delivered, filed, reported, uploaded
from tests.support.old_receipts import purge
from tests.support.servers import made_up

pytestmark = pytest.mark.django_db

LATER = datetime(2031, 1, 1, tzinfo=UTC)
OLD, NEW = made_up("old"), made_up("new")


def wrong(job: JobLog) -> tuple[str, ...]:
    return verify_job(job).wrong


def columns(model: Any) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


def event(job: JobLog, number: int) -> Any:
    return JobEvent.objects.filter(job=job, number=number)


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
    job, again = filed(), reported(uploaded(again=True))
    purge(job.receipt)
    assert verify_job(job).ok
    assert verify_job(again).ok
    Receipt.objects.filter(pk=job.receipt_id).update(purged_at=LATER)
    assert wrong(job) == ("its receipt is marked as purged, and no event says so",)


def test_a_purged_receipt_that_is_uploaded_again_is_verified() -> None:
    job = filed()
    purge(job.receipt)
    purged_at = Receipt.objects.get().purged_at
    assert uploaded().pk == job.pk
    assert Receipt.objects.get().purged_at is None
    assert verify_job(job).ok
    Receipt.objects.update(purged_at=purged_at)
    assert wrong(job) == ("its receipt is marked as purged, and no event says so",)


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
