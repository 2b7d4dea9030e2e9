"""What the fields of a report may hold: no result is lost for a careless one."""

import pytest

from tests.factories import JobFactory
from tests.support.callback_posts import post, report

pytestmark = pytest.mark.django_db


def test_n8n_may_write_its_execution_as_a_number_and_leave_fields_null() -> None:
    job = JobFactory.create(processing=True)
    assert report(job, execution_id=4711, message=None, notion_page_url=None, data=None).status_code == 200
    job.refresh_from_db()
    assert job.n8n_execution_id == "4711"


def test_a_long_message_is_cut_rather_than_the_result_lost() -> None:
    job = JobFactory.create(processing=True)
    assert report(job, message="x" * 5000).status_code == 200
    job.refresh_from_db()
    assert len(job.result_message) == 2000


def test_data_are_measured_as_n8n_writes_them() -> None:
    data = [1] * 99_999  # 199,999 characters without blanks
    assert report(JobFactory.create(processing=True), data=data).status_code == 200
    assert report(JobFactory.create(processing=True), data=[*data, 1]).status_code == 400


def test_a_report_that_holds_nul_or_was_cut_within_an_emoji_is_taken() -> None:
    job = JobFactory.create(processing=True)
    body = (
        b'{"status": "success", "message": "all\\u0000good \\ud83d", "execution_id": "1\\u00007",'
        b'"data": {"\\uDFFF": ["\\ud83d\\ude00", {"\\u0000": "\\\\u0000"}, 1.5, null, true]}}'
    )
    assert post(f"{job.pk}/callback", body).status_code == 200
    job.refresh_from_db()
    assert (job.result_message, job.n8n_execution_id) == ("all\ufffdgood \ufffd", "1\ufffd7")
    assert job.result == {"\ufffd": ["\U0001f600", {"\ufffd": r"\u0000"}, 1.5, None, True]}


def test_an_address_may_begin_in_capitals() -> None:
    job = JobFactory.create(processing=True)
    assert report(job, notion_page_url="HTTPS://www.notion.so/x").status_code == 200
    job.refresh_from_db()
    assert (job.status, job.notion_page_url) == ("success", "HTTPS://www.notion.so/x")


@pytest.mark.parametrize(("length", "is_kept"), [(2000, True), (2001, False), (10_000, False)])
def test_an_address_that_is_too_long_is_not_cut_into_a_dead_link_and_the_result_not_lost(
    length: int, is_kept: bool
) -> None:
    job, page = JobFactory.create(processing=True), "https://www.notion.so/".ljust(length, "x")
    assert report(job, notion_page_url=page, message="Filed.").status_code == 200
    job.refresh_from_db()
    assert (job.status, job.result_message, job.notion_page_url) == ("success", "Filed.", page if is_kept else "")
