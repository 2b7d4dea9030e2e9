"""A clock that was ahead for a while keeps no event from its seal, and raises no alarm that is not true."""

import pytest

from jobs.models import Heartbeat, JobEvent, Seal
from jobs.proof.sealing import SEALED_AT_ONCE, seal_finished_hours
from jobs.stats import HOUR
from receipts.models import Client
from tests.support.job_lifecycle import filed

from .sealed_hours import NINE, clock_at, three_hours, wrong

pytestmark = pytest.mark.django_db


def test_an_event_of_a_clock_that_was_ahead_keeps_no_later_one_from_its_seal() -> None:
    with clock_at(NINE + 1000 * HOUR):
        filed(Client.objects.create(name="From the future"))
    three_hours()
    assert sum(Seal.objects.values_list("events", flat=True)) == JobEvent.objects.count()
    assert wrong() == []


def test_seals_of_a_clock_that_was_ahead_are_few_and_are_what_is_told() -> None:
    three_hours()
    assert seal_finished_hours(NINE + 5000 * HOUR) == SEALED_AT_ONCE
    with clock_at(NINE + 3 * HOUR):
        filed(Client.objects.create(name="After it"))
    Heartbeat.objects.create(name="sweep", kind=Heartbeat.Kind.SWEEP, at=NINE + 7 * HOUR)
    (sentence,) = wrong(NINE + 7 * HOUR)
    assert sentence.endswith("up to when there are seals: the database's clock was ahead.")
