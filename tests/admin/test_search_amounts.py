"""Amounts and days are found in what a workflow read, as people write them."""

import pytest

from tests.factories import JobFactory
from tests.support.job_lists import found

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "text", ["1234,50", "1.234,50", "1,234.50", "1’234.50", "€1234.50", "€ 1234,50", "1234,50€ mill"]
)
def test_an_amount_is_found_as_one_writes_it_or_says_it(text: str) -> None:
    job = JobFactory.create(success=True, result={"vendor": "Old Mill", "total": 1234.5})
    JobFactory.create(success=True, result={"vendor": "Old Mill", "total": 1234.51})
    assert found(text) == [job.pk]


@pytest.mark.parametrize(
    "text", ["1234,50EUR", "EUR1234.50", "1.234,50eur", "chf1,234.50", "USD1’234.50", "£1234,50", "-EUR1234,50"]
)
def test_an_amount_is_found_with_its_currency_beside_it(text: str) -> None:
    job = JobFactory.create(success=True, result={"total": -1234.5 if text[0] == "-" else 1234.5})
    JobFactory.create(success=True, result={"total": 51234.5})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["€1234", "1234EUR", "1.234", "1,234", "€1.234", "1’234", "EUR 1,234"])
@pytest.mark.parametrize("total", [1234, 1234.0, "1234", "1234,00", "1,234.00"])
def test_a_whole_amount_is_found_as_one_writes_it(total: float | str, text: str) -> None:
    job = JobFactory.create(success=True, result={"total": total, "currency": "EUR"})
    for other in (1234.5, "1234,50", 51234, 12340):
        JobFactory.create(success=True, result={"total": other, "currency": "EUR"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["007,50", "€007", "€1234567", "€0", "0,5"])
def test_an_amount_of_any_length_is_found_whatever_else_there_is(text: str) -> None:
    amounts = {"007,50": 7.5, "€007": 7, "€1234567": "1.234.567,00", "€0": 0, "0,5": "0,5"}
    jobs = {written: JobFactory.create(success=True, result={"total": total}) for written, total in amounts.items()}
    assert found(text) == [jobs[text].pk]


@pytest.mark.parametrize("text", ["1.234", "1,234"])
def test_what_may_be_thousands_or_decimals_is_looked_for_as_both(text: str) -> None:
    jobs = [JobFactory.create(success=True, result={"amount": amount}) for amount in (1.234, 1234, "1,234", "1.234")]
    assert sorted(found(text)) == sorted(job.pk for job in jobs)


@pytest.mark.parametrize("text", ["09.03.2026", "9.3.2026", "9.3.26", "2026-03-09", "mill 09.03.2026"])
def test_a_receipt_is_found_by_its_day(text: str) -> None:
    job = JobFactory.create(success=True, result={"vendor": "Old Mill", "date": "2026-03-09"})
    JobFactory.create(success=True, result={"vendor": "Old Mill", "date": "2026-09-03"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["28/11/2026", "11/28/2026", "28/11/26", "11/28/26", "28.11.26"])
def test_a_day_with_slashes_is_found_whichever_number_is_its_month(text: str) -> None:
    job = JobFactory.create(success=True, result={"date": "2026-11-28"})
    JobFactory.create(success=True, result={"date": "2026-11-27"})
    assert found(text) == [job.pk]


def test_of_a_day_with_slashes_that_may_be_either_both_are_found() -> None:
    march, september, _ = (
        JobFactory.create(success=True, result={"date": date}) for date in ("2026-03-09", "2026-09-03", "2026-03-10")
    )
    assert sorted(found("9/3/2026")) == sorted([march.pk, september.pk])


@pytest.mark.parametrize("text", ["9.3.26", "09.3.26", "9/03/2026"])
def test_a_day_that_was_reported_otherwise_is_found_with_and_without_the_zero_before_it(text: str) -> None:
    job = JobFactory.create(success=True, result={"date": "09.3.26, or 09/03/2026"})
    JobFactory.create(success=True, result={"date": "19.3.26, or 19/03/2026"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["30/30/2026", "11.28.2026", "9/3.2026"])
def test_what_is_no_day_finds_nothing(text: str) -> None:
    JobFactory.create(success=True, result={"date": "2026-11-28"})
    assert found(text) == []


@pytest.mark.parametrize("text", ["12.50", "12,50", "€12.50", "€12,50"])
def test_an_amount_that_the_workflow_reports_as_text_is_found_by_point_and_by_comma(text: str) -> None:
    job = JobFactory.create(success=True, result={"total": "12,50"})
    JobFactory.create(success=True, result={"total": "12,60"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize(
    "text", ["-12.50", "-12,50", "\u221212.50", "\u221212,50", "-€12,50", "€\u221212.50", "-12.50 EUR"]
)
@pytest.mark.parametrize("total", [-12.5, "-12,50"])
def test_what_was_given_back_is_found_with_either_minus_before_it(total: float | str, text: str) -> None:
    job = JobFactory.create(success=True, result={"total": total, "currency": "EUR"})
    JobFactory.create(success=True, result={"total": 12.5, "currency": "EUR"})
    JobFactory.create(success=True, result={"total": -12.51, "currency": "EUR"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["1234,50", "1234.50", "1.234,50", "1,234.50", "€1234,50"])
@pytest.mark.parametrize("total", ["1.234,50", "1,234.50"])
def test_an_amount_that_is_reported_with_its_thousands_apart_is_found_without(total: str, text: str) -> None:
    job = JobFactory.create(success=True, result={"total": total})
    JobFactory.create(success=True, result={"total": "1.234,60"})
    assert found(text) == [job.pk]


@pytest.mark.parametrize("text", ["€", "$ £", "1,234", "€1"])
def test_a_sign_or_a_part_of_an_amount_is_not_taken_for_all(text: str) -> None:
    JobFactory.create(success=True, result={"total": 1234.5})
    assert found(text) == []


@pytest.mark.parametrize("text", ["7777.25", "7777,25", "€7777.25"])
def test_an_amount_is_not_found_within_a_longer_one(text: str) -> None:
    JobFactory.create(success=True, result={"total": 77777.25})
    assert found(text) == []
