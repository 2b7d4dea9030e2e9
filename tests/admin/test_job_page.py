"""A job's page: how it stands and why, kept up to date, with what may be done about it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client as Browser
from django.utils import timezone

from jobs.failures import MAY_BE_FILED, FailureCode
from jobs.models import JobLog
from jobs.services import cancel_job, claim_job, purge_receipt, retry_job
from receipts.models import Receipt
from receipts.services import has_file
from tests.factories import JobFactory, ReceiptFactory, job_in
from tests.support.job_lifecycle import filed
from tests.support.job_pages import page, text_of
from tests.support.staff import auditor, operator, staff, words_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def browser() -> Browser:
    return auditor()


# -- what is shown


@pytest.mark.parametrize("status", JobLog.Status)
def test_the_title_and_the_heading_say_the_status(browser: Browser, status: JobLog.Status) -> None:
    job = job_in(status, filename="lunch.jpg")
    text = text_of(browser, job)
    assert f"<title>{status.label}: lunch.jpg" in text
    assert f'badge badge-{status}">{status.label}</span></h1>' in text


def test_a_cancelled_job_says_once_who_cancelled_it_and_why(browser: Browser) -> None:
    job = JobFactory.create()
    cancel_job(job.pk, actor="anna", reason="Uploaded by mistake")
    text = words_of(browser.get(page(job)))
    assert "Cancelled by staff. anna: Uploaded by mistake Nothing needs to be done" in text
    assert text.count("Cancelled by staff") == 2  # above, and in the timeline


def test_a_job_cancelled_again_says_who_cancelled_it_last(browser: Browser) -> None:
    job = JobFactory.create()
    cancel_job(job.pk, actor="anna", reason="Uploaded by mistake")
    retry_job(job.pk, actor="bob", reason="")
    cancel_job(job.pk, actor="bob", reason="Filed by hand")
    assert "Cancelled by staff. bob: Filed by hand Nothing needs" in words_of(browser.get(page(job)))


def test_what_was_cancelled_has_no_badge_of_a_failure(browser: Browser) -> None:
    job = JobFactory.create()
    cancel_job(job.pk, actor="anna", reason="Uploaded by mistake")
    sibling = JobFactory.create(receipt=job.receipt)
    texts = [text_of(browser, job), text_of(browser, sibling)]
    texts.append(browser.get("/admin/jobs/joblog/", {"status__exact": "failure"}).content.decode())  # it counts as one
    for text in texts:
        assert '<span class="badge badge-cancelled">Cancelled</span>' in text
        assert "badge-failure" not in text
    assert '<p class="callout"><strong>Cancelled by staff.' in texts[0]
    assert "<title>Cancelled: " in texts[0]


@pytest.mark.parametrize("code", FailureCode)
def test_a_failure_comes_with_its_reason_and_its_cure(browser: Browser, code: FailureCode) -> None:
    text = text_of(browser, JobFactory.create(failure=True, failure_code=code, result_message="So it was."))
    assert f'<strong>{code.label.replace(chr(39), "&#x27;")}.</strong> So it was. <span class="cure">' in text


def test_a_job_whose_receipt_somebody_led_out_of_the_storage_has_its_page_without_the_picture(browser: Browser) -> None:
    job = filed()
    assert 'class="receipt"' in text_of(browser, job)
    Receipt.objects.update(file="../secrets.env")
    assert 'class="receipt"' not in text_of(browser, job)


@pytest.mark.parametrize("name", ["../secrets.env", "/etc/hostname", "a\0b"])
def test_a_name_that_the_storage_never_gave_is_that_of_no_file(name: str) -> None:
    assert not has_file(ReceiptFactory.build(file=name))


def test_what_happens_next_is_said_with_the_time(browser: Browser) -> None:
    due = timezone.now() + timedelta(days=2)
    text = text_of(browser, JobFactory.create(processing=True, due_at=due))
    assert f'title="{due:%Y-%m-%d %H:%M:%S} UTC"' in text
    assert "it fails unless N8N calls back." in text


@pytest.mark.parametrize("status", [JobLog.Status.QUEUED, JobLog.Status.PROCESSING])
def test_a_page_that_refreshes_itself_makes_no_form_for_one_status_of_that_for_another(
    status: JobLog.Status,
) -> None:
    assert f'data-key="resend-{status}-2"' in text_of(operator(), job_in(status, attempts=2))


@pytest.mark.parametrize(("minutes", "said"), [(-2, "comes to it, it is sent to N8N."), (2, "Next, ")])
def test_what_should_have_happened_is_not_called_next(browser: Browser, minutes: int, said: str) -> None:
    job = JobFactory.create(due_at=timezone.now() + timedelta(minutes=minutes))
    assert said in text_of(browser, job)
    listed = browser.get("/admin/jobs/joblog/").content.decode()
    assert ("Overdue: was due" in listed) == (minutes < 0)


def test_a_picture_that_is_not_there_is_not_shown_as_a_broken_one(
    browser: Browser, media: Callable[[], list[Path]]
) -> None:
    job = JobFactory.create()
    assert 'class="receipt"' in text_of(browser, job)
    media()[0].unlink()
    assert 'class="receipt"' not in text_of(browser, job)


def test_no_page_leads_to_a_file_that_is_lost(media: Callable[[], list[Path]]) -> None:
    job = JobFactory.create()
    link = f'href="/api/v1/receipts/{job.receipt_id}/file"'
    browser = staff("jobs.view_joblog", "receipts.view_receipt")
    receipt = f"/admin/receipts/receipt/{job.receipt_id}/change/"
    pages = {page(job): "Its file is gone.", receipt: f"{job.receipt}; missing, or not of the size that came"}
    for address in pages:
        assert link in browser.get(address).content.decode()
    media()[0].unlink()
    for address, words in pages.items():
        answer = browser.get(address)
        assert words in words_of(answer)
        assert link not in answer.content.decode()


def test_other_jobs_of_the_same_receipt_are_a_click_away(browser: Browser) -> None:
    receipt = ReceiptFactory.create()
    job, *others = [JobFactory.create(receipt=receipt, failure=True) for _ in range(23)]
    answer = browser.get(page(job))
    assert len(answer.context["siblings"]) == 20
    assert answer.context["are_more_siblings"]
    assert page(others[-1]) in answer.content.decode()


def test_the_receipt_is_for_those_who_may_see_it() -> None:
    job = JobFactory.create()
    picture = f"/api/v1/receipts/{job.receipt_id}/file"
    assert f'src="{picture}"' in text_of(auditor(), job)
    assert picture not in text_of(staff("jobs.view_joblog", name="berta"), job)


def test_a_page_leads_to_its_receipts_for_those_who_may_see_it(browser: Browser) -> None:
    job = JobFactory.create()
    address = f"/admin/receipts/receipt/{job.receipt_id}/change/"
    assert f'href="{address}"' in browser.get(page(job)).content.decode()
    text = staff("jobs.view_joblog", name="berta").get(page(job)).content.decode()
    assert address not in text
    assert str(job.receipt_id) in text


# -- alive


def test_what_has_not_changed_is_not_sent_again(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr("jobs.live.timezone.now", lambda: now)
    job = JobFactory.create()
    version = browser.get(page(job)).context["version"]
    headers = {"X-Live": "1", "If-None-Match": f'"{version}"'}
    assert browser.get(page(job), headers=headers).status_code == 304
    claim_job(job.pk, worker="w1")
    answer = browser.get(page(job), headers=headers)
    assert answer.status_code == 200
    assert "<title>Sending:" in answer.content.decode()
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize(
    ("status", "seconds"), [("queued", "2"), ("processing", "2"), ("success", ""), ("failure", "")]
)
def test_a_job_that_has_ended_is_not_asked_for_again(browser: Browser, status: str, seconds: str) -> None:
    text = text_of(browser, job_in(JobLog.Status(status)))
    assert f'data-live-seconds="{seconds}"' in text


def test_verbs_are_offered_to_operators_with_a_reason() -> None:
    job = JobFactory.create(failure=True)
    assert 'name="reason" type="text" required' in text_of(operator(), job)


def test_a_retry_is_offered_only_where_it_would_be_done() -> None:
    job = JobFactory.create(failure=True, failure_code=FailureCode.NOTION_BUSY)
    assert "Retry…" in words_of(operator().get(page(job)))
    purge_receipt(job.receipt_id)
    text = words_of(operator().get(page(job)))
    assert "Retry…" not in text
    assert "No retry: The receipt's file is gone; it must be uploaded again." in text
    assert "No retry: The receipt's file is gone" in words_of(staff("jobs.view_joblog", name="audrey").get(page(job)))
    assert "then retry" not in text  # which the cure of this failure would say


@pytest.mark.parametrize("code", sorted(MAY_BE_FILED))
def test_where_the_file_is_gone_the_page_still_warns_of_filing_twice(browser: Browser, code: FailureCode) -> None:
    job = JobFactory.create(failure=True, failure_code=code)
    purge_receipt(job.receipt_id)
    said = "The receipt's file is gone; look in Notion whether it was filed, and upload it again only if not."
    assert f"No retry: {said}" in words_of(browser.get(page(job)))


def test_a_retry_is_not_offered_where_another_job_has_filed_the_receipt() -> None:
    job = JobFactory.create(failure=True)
    JobFactory.create(receipt=job.receipt, success=True)
    text = words_of(operator().get(page(job)))
    assert "Retry…" not in text
    assert "No retry: Another job for the same receipt and database is open or has succeeded." in text
