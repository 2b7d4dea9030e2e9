"""A job's page: the whole story, kept up to date, with what may be done about it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog, Seal
from jobs.services import cancel_job, claim_job, purge_receipt
from jobs.stats import HOUR, hour_of
from receipts.models import Receipt
from receipts.services import has_file
from tests.factories import JobFactory, ReceiptFactory, job_in
from tests.support.job_lifecycle import delivered, filed, json_answer
from tests.support.job_pages import page, text_of
from tests.support.past_events import event
from tests.support.staff import auditor, operator, staff, words_of

pytestmark = pytest.mark.django_db


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


def test_a_job_whose_events_are_as_written_says_so(browser: Browser) -> None:
    assert '<span class="badge badge-good">Verified: 4 events.</span>' in text_of(browser, filed())


def test_a_job_that_somebody_changed_says_what_is_broken(browser: Browser) -> None:
    job = filed()
    JobLog.objects.update(notion_page_url="https://www.notion.so/another")
    text = text_of(browser, job)
    assert '<span class="badge badge-bad">Not as written</span> Broken: its notion_page_url is not what event 4' in text
    assert "Verified" not in text


def test_a_job_whose_receipt_somebody_led_out_of_the_storage_has_its_page_without_the_picture(browser: Browser) -> None:
    job = filed()
    assert 'class="receipt"' in text_of(browser, job)
    Receipt.objects.update(file="../secrets.env")
    assert 'class="receipt"' not in text_of(browser, job)


@pytest.mark.parametrize("name", ["../secrets.env", "/etc/hostname", "a\0b"])
def test_a_name_that_the_storage_never_gave_is_that_of_no_file(name: str) -> None:
    assert not has_file(ReceiptFactory.build(file=name))


def test_a_job_with_too_many_events_is_not_verified_while_one_waits(browser: Browser) -> None:
    job = filed()
    JobLog.objects.update(chain_length=501)
    assert '<span class="badge">Not verified here</span>' in text_of(browser, job)


def test_what_happens_next_is_said_with_the_time(browser: Browser) -> None:
    due = timezone.now() + timedelta(days=2)
    text = text_of(browser, JobFactory.create(processing=True, due_at=due))
    assert f'title="{due:%Y-%m-%d %H:%M:%S} UTC"' in text
    assert "it fails unless N8N calls back." in text


@pytest.mark.parametrize("status", [JobLog.Status.QUEUED, JobLog.Status.PROCESSING])
def test_a_page_that_refreshes_itself_makes_no_form_for_one_status_of_that_for_another(
    status: JobLog.Status,
) -> None:
    assert f'data-key="resend-{status}"' in text_of(operator(), job_in(status))


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


def test_what_the_workflow_read_is_shown_however_deep(browser: Browser) -> None:
    result = {
        "vendor": "Trattoria",
        "paid": True,
        "lines": [{"what": "Soup", "price": "4.50"}, {"what": "Tea"}],
        "taxes": [{"rate": 19, "on": ["Soup"]}],
        "tip": None,
    }
    text = text_of(browser, JobFactory.create(success=True, result=result)).replace("\n", "")
    for part in (
        "<dt>vendor</dt><dd>Trattoria</dd>",
        "<dt>paid</dt><dd>yes</dd>",
        '<th scope="col">what</th><th scope="col">price</th>',
        "<td>Soup</td><td>4.50</td>",
        "<td>Tea</td><td>–</td>",
        "<dt>rate</dt><dd>19</dd>",
        "<dd>–</dd>",
    ):
        assert part in text


def test_amounts_have_their_cents_and_other_numbers_stay_as_they_were_read(browser: Browser) -> None:
    lines = [{"item": "Soup", "unit_price": 4.5, "quantity": 1.5}]
    read = {"total": 25.8, "tax": 4.0, "tax_rate": 7.7, "net": 1.125, "amount": "3.5", "gross": 26, "lines": lines}
    text = text_of(browser, JobFactory.create(success=True, result=read)).replace("\n", "")
    for name, shown in {"total": "25.80", "tax": "4.00", "tax rate": "7.7", "net": "1.125", "amount": "3.5"}.items():
        assert f"<dt>{name}</dt><dd>{shown}</dd>" in text
    assert "<dt>gross</dt><dd>26</dd>" in text
    assert "<td>4.50</td>" in text
    assert "<td>1.5</td>" in text  # PostgreSQL has an order of its own for what JSON names


def test_of_very_much_that_the_workflow_read_the_beginning_is_shown(browser: Browser) -> None:
    result = {"vendor": "Trattoria", "numbers": [*range(60_000)], "nothing": [[] for _ in range(60_000)]}
    text = text_of(browser, JobFactory.create(success=True, result=result)).replace("\n", "")
    assert "<dt>vendor</dt><dd>Trattoria</dd>" in text
    assert "Only the first 500 values are shown" in text
    assert text.count("<dd>") < 600


def test_a_filed_job_begins_with_the_way_to_its_page_in_notion(browser: Browser) -> None:
    text = text_of(browser, JobFactory.create(success=True, result_message="Filed as lunch."))
    said, _, rest = text.partition("Filed as lunch.")[2].partition("Timeline")
    assert 'href="https://www.notion.so/0123' in said
    assert "Filed as lunch." not in rest


def test_the_timeline_says_who_did_it_and_measures_in_units(browser: Browser) -> None:
    job = JobFactory.create()
    source = JobEvent.Source
    for name, actor, by in (
        (source.WORKER, "worker-1", "worker-1"),
        (source.WORKER, "till:7", "Worker · till:7"),
        (source.SWEEP, "", "Sweep"),
    ):
        entry = event(job, JobEvent.Kind.CLAIMED, job.created_at, name)
        JobEvent.objects.filter(pk=entry.pk).update(actor=actor, detail={"ms": 1234, "again_in_seconds": 281})
        assert f'<span class="by">{by}</span>' in text_of(browser, job)
    text = text_of(browser, job)
    assert "<dt>took</dt> <dd>1,234 ms</dd>" in text
    assert "<dt>again in</dt> <dd>5 min</dd>" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.254, "+0.25 s"), (59, "+59.00 s"), (1000.7, "+17 min"), (29_000, "+8 h"), (260_000, "+3 d")],
)
def test_the_timeline_says_how_long_it_took_as_one_would_say_it(browser: Browser, seconds: float, said: str) -> None:
    job = JobFactory.create(created_at=timezone.now() - timedelta(days=9))
    event(job, JobEvent.Kind.CLAIMED, job.created_at + timedelta(seconds=seconds), JobEvent.Source.WORKER)
    assert f"<b>{said}</b>" in text_of(browser, job)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://www.notion.so/x", "https://", "x", "https://[", "data:x"]
)
def test_only_an_https_address_is_a_link(browser: Browser, address: str) -> None:
    text = text_of(browser, JobFactory.create(success=True, notion_page_url=address))
    assert f'href="{address}"' not in text
    assert "https://www.notion.so/0123" in text_of(browser, JobFactory.create(success=True))


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


def test_a_page_begins_with_what_one_reads_aloud(browser: Browser) -> None:
    job = JobFactory.create(success=True, result={"vendor": "Trattoria", "total": 25.8, "currency": "EUR"})
    heading = browser.get(page(job)).content.decode().partition('class="verbs"')[0]
    assert "Trattoria · 25.80 EUR</p>" in heading


def test_a_page_leads_to_its_receipts_for_those_who_may_see_it(browser: Browser) -> None:
    job = JobFactory.create()
    address = f"/admin/receipts/receipt/{job.receipt_id}/change/"
    assert f'href="{address}"' in browser.get(page(job)).content.decode()
    text = staff("jobs.view_joblog", name="berta").get(page(job)).content.decode()
    assert address not in text
    assert str(job.receipt_id) in text


def test_a_job_that_has_ended_names_the_seal_that_covers_all_of_its_events(browser: Browser) -> None:
    job = JobFactory.create(success=True)
    first, last = (event(job, JobEvent.Kind.RECEIVED, job.created_at, JobEvent.Source.API) for _ in range(2))
    assert "not yet: its hour will be" in browser.get(page(job)).content.decode()
    hour = hour_of(job.created_at)
    for number, covered in ((1, first), (2, last)):
        Seal.objects.create(
            number=number, hour=hour + number * HOUR, last_event=covered.pk, events=1, jobs=1, digest="0" * 64
        )
    text = browser.get(page(job)).content.decode()
    assert f"with the hour from {hour + 2 * HOUR:%-d %b %Y %H:%M:%S}" in text
    assert "/admin/jobs/seal/" not in text
    seal = Seal.objects.get(number=2)
    allowed = staff("jobs.view_joblog", "jobs.view_seal", name="berta")
    assert f'href="/admin/jobs/seal/{seal.pk}/change/"' in allowed.get(page(job)).content.decode()


def test_a_page_with_many_events_costs_no_more_queries(browser: Browser) -> None:
    job = delivered(JobFactory.create(), json_answer(200, {}))
    few = queries_of(browser, job)
    for _ in range(30):
        event(job, JobEvent.Kind.CALLBACK_REPEATED, job.created_at, JobEvent.Source.CALLBACK)
    assert queries_of(browser, job) == few <= 14


def queries_of(browser: Browser, job: JobLog) -> int:
    browser.get(page(job))  # what a process asks once and remembers is asked by then
    with CaptureQueriesContext(connection) as captured:
        browser.get(page(job))
    return len(captured)


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
    job = JobFactory.create(failure=True)
    assert "Retry…" in words_of(operator().get(page(job)))
    purge_receipt(job.receipt_id)
    text = words_of(operator().get(page(job)))
    assert "Retry…" not in text
    assert "No retry: The receipt's file is gone; it must be uploaded again." in text
    assert "No retry: The receipt's file is gone" in words_of(staff("jobs.view_joblog", name="audrey").get(page(job)))
    assert "then retry" not in text  # which the cure of this failure would say


def test_a_retry_is_not_offered_where_another_job_has_filed_the_receipt() -> None:
    job = JobFactory.create(failure=True)
    JobFactory.create(receipt=job.receipt, success=True)
    text = words_of(operator().get(page(job)))
    assert "Retry…" not in text
    assert "No retry: Another job for the same receipt and database is open or has succeeded." in text
