"""Receipts, clients and their keys in the admin: what is said of them, and where it leads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from jobs.models import JobEvent, JobLog
from receipts.models import ApiKey, Client, Receipt
from tests.factories import JobFactory, ReceiptFactory
from tests.support.old_receipts import purge
from tests.support.past_events import Kind, Source, event
from tests.support.pictures import heic
from tests.support.renditions import job_for, sent
from tests.support.staff import auditor, browser_of, member, staff, words_of

pytestmark = pytest.mark.django_db

KEYS = "/admin/receipts/apikey/"
RECEIPTS = "/admin/receipts/receipt/"


# -- keys


@pytest.mark.parametrize(
    ("fields", "badge"),
    [
        ({}, 'badge badge-good">Active'),
        ({"expiry_date": timezone.now() + timedelta(days=1)}, 'badge badge-good">Active'),
        ({"expiry_date": timezone.now() - timedelta(days=1)}, 'badge badge-warn">Expired'),
        ({"expiry_date": timezone.now() - timedelta(days=1), "revoked": True}, 'badge">Revoked'),
    ],
)
def test_a_key_that_works_does_not_look_like_one_that_does_not(
    admin_client: Browser, fields: dict[str, Any], badge: str
) -> None:
    ApiKey.objects.create_key(client=Client.objects.create(name="Bakery"), name="till", **fields)
    listing = admin_client.get(KEYS).content.decode()
    assert f'<span class="{badge}</span>' in listing
    assert "icon-no" not in listing
    assert "icon-yes" not in listing


def form_of_a_key(browser: Browser) -> dict[str, Any]:
    """Return a form as the page has it, filled in."""
    found = re.search(r'name="prefix" value="(\w{8})"', browser.get(f"{KEYS}add/").content.decode())
    assert found is not None
    return {"prefix": found[1], "client": Client.objects.get_or_create(name="Bakery")[0].pk, "name": "till"}


@pytest.mark.parametrize("name", ["\u200b", "two\nlines", "Admin\u00a0uploads", "\u202eyrekab"])
def test_a_name_that_cannot_be_read_or_told_from_another_is_taken_for_no_client_and_no_key(
    admin_client: Browser, name: str
) -> None:
    form = form_of_a_key(admin_client) | {"name": name}
    for address, fields in ((f"{KEYS}add/", form), ("/admin/receipts/client/add/", {"name": name})):
        answer = admin_client.post(address, fields).content.decode()
        assert "It needs letters, and nothing that cannot be seen." in answer
    assert list(Client.objects.values_list("name", flat=True)) == ["Bakery"]
    assert not ApiKey.objects.exists()


def test_a_key_that_was_made_with_such_a_name_can_be_revoked(admin_client: Browser) -> None:
    key, _ = ApiKey.objects.create_key(client=Client.objects.create(name="Bakery"), name="till\u200b")
    admin_client.post(f"{KEYS}{key.pk}/change/", {"name": "till\u200b", "revoked": "on"})
    assert ApiKey.objects.get().revoked


def test_the_page_of_a_new_key_can_be_loaded_again_without_making_another(admin_client: Browser) -> None:
    form = form_of_a_key(admin_client)
    shown = admin_client.post(f"{KEYS}add/", form).content.decode()
    assert f"<code>{form['prefix']}." in shown
    again = admin_client.post(f"{KEYS}add/", form, follow=True)
    assert "No other key was made" in again.content.decode()
    assert ApiKey.objects.get().prefix == form["prefix"]


def test_the_page_of_a_new_key_leads_to_how_one_uploads_with_it(admin_client: Browser) -> None:
    shown = admin_client.post(f"{KEYS}add/", form_of_a_key(admin_client)).content.decode()
    assert "<strong>till</strong> of <strong>Bakery</strong>" in shown
    assert '<a href="/api/v1/docs/">How to upload with it</a>' in shown


def test_the_form_of_a_new_key_asks_first_whose_it_is_and_for_nothing_that_there_is_not_yet(
    admin_client: Browser,
) -> None:
    answer = admin_client.get(f"{KEYS}add/")
    assert list(answer.context["adminform"].form.fields) == ["client", "name", "expiry_date"]
    assert "Prefix" not in words_of(answer)


def test_another_form_makes_another_key_and_one_without_a_sound_prefix_too(admin_client: Browser) -> None:
    form = form_of_a_key(admin_client)
    for other in (form, form_of_a_key(admin_client), form | {"prefix": "x"}, form | {"prefix": "a" * 7 + "."}):
        assert admin_client.post(f"{KEYS}add/", other).status_code == 200
    assert ApiKey.objects.count() == 4


def test_a_keys_address_names_its_prefix_and_nothing_of_its_hash(admin_client: Browser) -> None:
    made = admin_client.post(f"{KEYS}add/", form_of_a_key(admin_client)).context["made"]
    assert admin_client.get(f"{KEYS}{made.prefix}/change/").status_code == 200
    assert f"{KEYS}{made.prefix}/change/" in admin_client.get(KEYS).content.decode()
    assert made.hashed_key.rpartition("$")[2] not in admin_client.get(KEYS).content.decode()


def test_not_even_a_superuser_deletes_a_key_that_timelines_name(admin_client: Browser) -> None:
    key, _ = ApiKey.objects.create_key(client=Client.objects.create(name="Bakery"), name="till")
    chosen = {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"}
    admin_client.post(KEYS, chosen)
    assert admin_client.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.get() == key
    for address in (KEYS, f"{KEYS}{key.pk}/change/"):
        assert "Delete" not in admin_client.get(address).content.decode()


# -- receipts


@pytest.mark.parametrize("address", [RECEIPTS, "/admin/jobs/joblog/"])
def test_the_lists_of_receipts_and_of_jobs_have_one_heading_for_when_one_came(
    admin_client: Browser, address: str
) -> None:
    JobFactory.create()
    assert "Created (UTC)" in words_of(admin_client.get(address))


def page_of(receipt: Receipt) -> str:
    return f"/admin/receipts/receipt/{receipt.pk}/change/"


def test_a_receipts_page_leads_to_its_jobs(admin_client: Browser) -> None:
    job, _ = JobFactory.create(), JobFactory.create()
    text = admin_client.get(page_of(job.receipt)).content.decode()
    found = re.search(r'<a href="([^"]+)">Jobs of this receipt</a>', text)
    assert found is not None
    assert list(admin_client.get(found[1]).context["cl"].result_list) == [job]


def test_it_leads_nobody_to_jobs_who_may_not_see_them() -> None:
    page = staff("receipts.view_receipt").get(page_of(JobFactory.create().receipt))
    assert page.status_code == 200
    assert "joblog" not in page.content.decode()


def test_the_list_says_the_name_under_which_a_receipt_came_last() -> None:
    earlier = JobFactory.create(filename="scan.jpg", created_at=timezone.now() - timedelta(days=1))
    JobFactory.create(receipt=earlier.receipt, filename="lunch.jpg")
    assert "lunch.jpg" in auditor().get(RECEIPTS).content.decode()
    assert "lunch.jpg" not in staff("receipts.view_receipt", name="bert").get(RECEIPTS).content.decode()


def test_the_list_leads_to_a_receipt_by_its_name_and_to_whoever_may_not_know_that_by_its_id() -> None:
    receipt = JobFactory.create(filename="lunch.jpg").receipt
    link = f'<a href="{page_of(receipt)}">'
    short = f"<code>{str(receipt.pk)[:13]}</code>"
    text = auditor().get(RECEIPTS).content.decode()
    assert f"{link}lunch.jpg</a>" in text
    assert short in text
    assert f"{link}{short}</a>" in staff("receipts.view_receipt", name="bert").get(RECEIPTS).content.decode()


def test_a_receipts_page_is_headed_by_the_name_that_it_came_under_last_and_shows_it(admin_client: Browser) -> None:
    earlier = JobFactory.create(filename="scan.jpg", success=True, created_at=timezone.now() - timedelta(days=1))
    receipt = JobFactory.create(receipt=earlier.receipt, filename="lunch.jpg", success=True).receipt
    page = admin_client.get(page_of(receipt))
    text = page.content.decode()
    assert "<h1>lunch.jpg</h1>" in text
    assert "Receipts</a> &rsaquo; lunch.jpg\n" in text
    assert "View receipt" not in text
    assert f'<img class="receipt" src="/api/v1/receipts/{receipt.pk}/file"' in text
    assert "Came as: lunch.jpg, scan.jpg" in words_of(page)
    assert "Purged (UTC)" not in text
    purge(receipt)
    text = admin_client.get(page_of(receipt)).content.decode()
    assert "Purged (UTC)" in text
    assert 'class="receipt"' not in text


def test_names_are_for_those_who_may_see_jobs() -> None:
    receipt = JobFactory.create(filename="lunch.jpg").receipt
    text = staff("receipts.view_receipt").get(page_of(receipt)).content.decode()
    assert "<h1>Receipt</h1>" in text
    assert "lunch.jpg" not in text


def sent_to_n8n(browser: Browser, receipt: Receipt) -> str:
    """Return what the page says of it."""
    found = re.search(r"Sent to N8N: (.+?) Jobs:", words_of(browser.get(page_of(receipt))))
    assert found is not None
    return found[1]


def n8n_took(job: JobLog, sha256: str) -> None:
    """Let N8N have taken a picture with that SHA-256."""
    event(job, Kind.DELIVERED, timezone.now(), Source.WORKER, request={"sha256": sha256})


def test_it_says_so_where_the_receipt_itself_was_sent_also_once_its_file_is_gone(admin_client: Browser) -> None:
    job = JobFactory.create(success=True)
    assert sent_to_n8n(admin_client, job.receipt) == "–"
    n8n_took(job, job.receipt.sha256)
    assert sent_to_n8n(admin_client, job.receipt) == "as it came"
    purge(job.receipt)
    assert sent_to_n8n(admin_client, job.receipt) == "as it came"


@pytest.mark.parametrize("fate", ["purged", "purged and uploaded again", "away"])
def test_of_a_picture_that_was_made_to_be_sent_it_says_so_when_it_is_gone(
    admin_client: Browser, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_for(heic(), "image/heic", success=True, delivered_at=timezone.now())
    n8n_took(job, sent(job)[0]["sha256"])
    assert sent_to_n8n(admin_client, job.receipt).startswith("image/jpeg")
    if fate == "away":
        monkeypatch.setattr("receipts.admin.receipts.rendition_to_show", lambda receipt: None)
    else:
        purge(job.receipt)
    if fate == "purged and uploaded again":
        Receipt.objects.update(purged_at=None)
    assert sent_to_n8n(admin_client, job.receipt) == "a picture that was made of it"


def test_a_receipts_size_is_said_in_the_unit_that_one_would_say_it_in(admin_client: Browser) -> None:
    receipt = ReceiptFactory.create(size=49_072)
    for address in (page_of(receipt), RECEIPTS):
        assert "47.9\xa0KB" in admin_client.get(address).content.decode()


def test_a_client_leads_to_what_is_its_own_and_its_jobs_lead_to_it() -> None:
    reader = browser_of(member("Auditor"))
    job, other = JobFactory.create(), JobFactory.create()
    ApiKey.objects.create_key(client=job.client, name="till")
    address = reverse("admin:receipts_client_change", args=[job.client_id])
    text = reader.get(address).content.decode()
    for model in ("jobs_joblog", "receipts_receipt", "receipts_apikey"):
        narrowed = reverse(f"admin:{model}_changelist", query={"client__id__exact": job.client_id})
        assert f'href="{narrowed}"' in text
        (row,) = reader.get(narrowed).context["cl"].result_list
        assert row.client == job.client
    page = reader.get(reverse("admin:jobs_joblog_change", args=[job.pk])).content.decode()
    assert f'href="{address}"' in page
    assert reverse("admin:receipts_client_change", args=[other.client_id]) not in page


def test_nobody_is_led_from_a_client_or_to_it_who_may_not_go_there() -> None:
    job = JobFactory.create()
    address = reverse("admin:receipts_client_change", args=[job.client_id])
    clerk = staff("receipts.view_client", "receipts.view_receipt", name="berta")
    assert "client__id__exact" not in clerk.get(address).content.decode()
    watcher = staff("jobs.view_joblog", name="carl")
    assert address not in watcher.get(reverse("admin:jobs_joblog_change", args=[job.pk])).content.decode()


def test_a_key_says_when_it_last_brought_a_receipt_and_leads_there(admin_client: Browser) -> None:
    job = JobFactory.create()
    used, _ = ApiKey.objects.create_key(client=job.client, name="till")
    unused, _ = ApiKey.objects.create_key(client=job.client, name="phone")
    for actor in (f"key {used.prefix}", "key of-others"):
        written = event(job, Kind.REPEATED, timezone.now(), Source.API)
        JobEvent.objects.filter(pk=written.pk).update(actor=actor)
    text = admin_client.get(f"{KEYS}{used.pk}/change/").content.decode()
    assert f"{job.events.earliest('id').at:%-d %b %Y %H:%M:%S} (UTC)" in text
    assert f'href="{reverse("admin:jobs_joblog_change", args=[job.pk])}"' in text
    uploads = reverse("admin:jobs_jobevent_changelist", query={"q": f"key {used.prefix}"})
    assert f'href="{uploads}"' in text
    assert len(admin_client.get(uploads).context["cl"].result_list) == 1
    assert "none among the latest 500 jobs" in admin_client.get(f"{KEYS}{unused.pk}/change/").content.decode()
    assert "atest upload" not in admin_client.get(f"{KEYS}add/").content.decode()
