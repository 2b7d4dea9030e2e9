"""Events that are gone, moved or made up are found and named."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from jobs.transitions import TransitionNotAllowed, lock_job, note
from receipts.models import Client
from tests.support.job_lifecycle import delivered, filed, reported, uploaded
from tests.support.servers import made_up

pytestmark = pytest.mark.django_db

OLD, NEW = made_up("old"), made_up("new")


def wrong(job: JobLog) -> tuple[str, ...]:
    return verify_job(job).wrong


def event(job: JobLog, number: int) -> Any:
    return JobEvent.objects.filter(job=job, number=number)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_event_that_is_gone_from_the_middle_is_missed(number: int) -> None:
    job = filed()
    event(job, number).delete()
    assert f"event {number + 1} stands where {number} should" in wrong(job)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_other_event_is_blamed_for_the_one_that_is_gone(number: int) -> None:
    job = filed()
    event(job, number).delete()
    assert not [sentence for sentence in wrong(job) if sentence.endswith("is not as it was written")]


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


@pytest.mark.parametrize("key", [0, -5])
def test_an_event_with_an_id_before_all_that_seals_cover_is_named(key: int) -> None:
    job = filed()
    event(job, 1).update(id=key)
    assert wrong(job) == (f"event 1 has the id {key}, and no seal covers one below 1",)


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
