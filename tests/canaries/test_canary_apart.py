"""Canaries stay out of what is told of receipts: lists, search, figures, groups, suggestions."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs

import pytest
from django.test import Client as Browser
from django.utils import timezone
from rest_framework.test import APIClient

from accounting.clock import database_now
from jobs import canary, services
from jobs.admin.upload import databases_of_late
from jobs.answers import Answer
from jobs.models import HourlyFigures, JobEvent, JobLog
from jobs.operations.attention import groups
from jobs.operations.cards import open_jobs
from jobs.periods import PERIODS, period_figures
from jobs.proof import chain
from jobs.proof.audit import verify_job
from jobs.rollups import close_hours
from receipts.models import Client
from tests.factories import JobFactory, job_in
from tests.support.canary_lifecycle import NOT_REGISTERED, answered, returned, sent
from tests.support.job_lifecycle import uploaded
from tests.support.job_lists import LIST, shown
from tests.support.staff import auditor, operator

pytestmark = pytest.mark.django_db

Status = JobLog.Status
RECEIPTS = "/admin/receipts/receipt/"


# -- lists


def test_the_jobs_list_leaves_them_out_until_they_are_what_is_asked_for() -> None:
    job, one = JobFactory.create(), sent()
    browser = auditor()
    assert shown(browser.get(LIST)) == [job]
    assert shown(browser.get(f"{LIST}?canaries=only")) == [one]
    assert shown(browser.get(f"{LIST}?canaries=nonsense")) == [job]


@pytest.mark.parametrize("query", ["canary", "c", "Back", str(canary.DATABASE_ID)])
def test_the_search_finds_none_by_words(query: str) -> None:
    job = returned()
    JobLog.objects.filter(pk=job.pk).update(result_message="Back.")
    assert shown(auditor().get(f"{LIST}?q={query}")) == []
    assert shown(auditor().get(f"{LIST}?canaries=only&q={query}")) == [job]


def test_the_search_finds_none_by_id_unless_it_is_among_canaries() -> None:
    job = sent()
    assert shown(auditor().get(f"{LIST}?q={job.pk}")) == []
    assert shown(auditor().get(f"{LIST}?canaries=only&q={job.pk}")) == [job]


def test_where_nothing_is_found_one_is_led_to_look_among_them() -> None:
    job, browser = sent(), auditor()
    text = browser.get(f"{LIST}?q={job.pk}&progress=open&e=1").content.decode()
    found = re.search(r'<a href="([^"]+)">Look among the canaries</a>', text)
    assert found is not None
    assert parse_qs(unescape(found[1])[1:]) == {"q": [str(job.pk)], "progress": ["open"], "canaries": ["only"]}
    there = browser.get(f"{LIST}{unescape(found[1])}")
    assert shown(there) == [job]
    for query in ("canaries=only&q=nothing", "q=nothing", "status__exact=failure"):
        assert "Look among the canaries" not in browser.get(f"{LIST}?{query}").content.decode()


@pytest.mark.parametrize("address", [LIST, RECEIPTS, "/admin/receipts/apikey/"])
def test_their_client_is_none_of_those_that_lists_are_filtered_by(admin_client: Browser, address: str) -> None:
    JobFactory.create_batch(2)
    sent()
    (clients,) = [spec for spec in admin_client.get(address).context["cl"].filter_specs if spec.title == "client"]
    names = set(Client.objects.values_list("name", flat=True))
    assert {name for _, name in clients.lookup_choices} == names - {"Canary"}


def test_their_client_keeps_its_name_by_which_it_is_found(admin_client: Browser) -> None:
    own, other = sent().client, JobFactory.create().client
    for client in (own, other):
        admin_client.post(f"/admin/receipts/client/{client.pk}/change/", {"name": "renamed"})
    assert set(Client.objects.values_list("name", flat=True)) == {"Canary", "renamed"}


def test_their_number_hides_no_file_whose_name_begins_as_theirs() -> None:
    one = sent()
    JobLog.objects.bulk_create(
        JobLog(receipt=one.receipt, client=one.client, filename=one.filename, due_at=timezone.now(), is_canary=True)
        for _ in range(250)
    )
    job = JobFactory.create(filename="canteen.jpg")
    assert shown(auditor().get(f"{LIST}?q=can")) == [job]


def test_the_csv_leaves_them_out() -> None:
    job, one = JobFactory.create(), sent()
    text = b"".join(auditor().post(f"{LIST}export/").streaming_content)  # type: ignore[attr-defined] # it streams
    assert str(job.pk).encode() in text
    assert str(one.pk).encode() not in text


def test_the_list_of_receipts_leaves_their_pictures_out_but_shows_each_by_itself() -> None:
    job, one = JobFactory.create(), sent()
    browser = auditor()
    assert shown(browser.get(RECEIPTS)) == [job.receipt]
    assert browser.get(f"{RECEIPTS}{one.receipt_id}/change/").status_code == 200


def test_the_api_tells_no_other_client_of_them(api: APIClient) -> None:
    one = sent()
    assert api.get("/api/v1/jobs/").json()["results"] == []
    assert api.get(f"/api/v1/jobs/{one.pk}/").status_code == 404


def test_the_upload_page_suggests_no_database_of_theirs() -> None:
    sent()
    job = JobFactory.create(notion_database_id="1" * 36)
    assert databases_of_late() == [("1" * 36, 1, [job.client.name])]


# -- figures


def test_the_operations_page_counts_none() -> None:
    answered(sent(), NOT_REGISTERED)  # needs attention
    JobLog.objects.update(due_at=timezone.now() - timedelta(hours=1))
    sent()  # the former one fails; this one waits
    JobLog.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(hours=1))
    answered(sent(), NOT_REGISTERED)
    now = database_now()
    assert groups(now) == []
    assert open_jobs().counts == {}
    assert "Then send the first receipt" in operator().get("/admin/").content.decode()


def test_receipts_beside_them_are_counted_as_ever() -> None:
    sent()
    for status in Status:
        job_in(status)
    assert open_jobs().counts == {"queued": 1, "sending": 1, "processing": 1}


def test_the_figures_of_hours_count_none() -> None:
    returned()
    answered(sent(), Answer(status=422))
    uploaded()
    figures = period_figures(PERIODS[0], database_now()).total
    assert (figures.received, figures.succeeded, figures.failures) == (1, 0, 0)

    JobEvent.objects.update(at=timezone.now() - timedelta(hours=2))
    close_hours(database_now())
    assert sum(row.received for row in HourlyFigures.objects.all()) == 1


# -- staff


@pytest.mark.parametrize("verb", ["resend", "cancel"])
def test_staff_do_nothing_with_one(verb: str) -> None:
    job, browser = sent(), operator()
    assert b"Send now" not in browser.get(f"{LIST}{job.pk}/change/").content
    data = {"reason": "why not", "status": job.status}
    answer = browser.post(f"{LIST}{job.pk}/operate/{verb}/", data, follow=True)
    assert "It is a canary; send another one instead" in answer.content.decode()
    assert verify_job(job).sentence == "Verified: 1 event."


def test_one_that_failed_is_not_retried_either() -> None:
    job = sent()
    answered(job, Answer(status=422))
    job.refresh_from_db()
    assert services.why_not_retry(job, job.receipt) == "It is a canary; send another one instead (manage.py canary)."


def test_the_page_of_one_says_what_it_is() -> None:
    assert "A canary: the service sent it itself" in auditor().get(f"{LIST}{sent().pk}/change/").content.decode()


# -- proof


def test_a_job_from_before_there_were_canaries_is_verified_and_cannot_be_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as before:
        before.setattr(chain, "OWN_COLUMNS", chain.OWN_COLUMNS | {"is_canary"})
        job = uploaded()
    assert "is_canary" not in job.events.get().facts
    assert verify_job(job).ok
    JobLog.objects.update(is_canary=True)
    assert verify_job(job).wrong == ("its is_canary is True, and no event says so",)
