"""Uploading from the admin: one file as the page's script sends it, through the same service as the API."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import LazySettings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from accounting.api.body_limits import body_limit_of
from accounting.request_facts import WAITED_SECONDS
from jobs.models import JobEvent, JobLog
from jobs.services import claim_job, submission
from receipts.models import Receipt
from receipts.uploading import PATIENCE_SECONDS
from tests.factories import DATABASE_ID
from tests.support import pictures
from tests.support.admin_uploads import PAGE, UPLOAD, send
from tests.support.installation import Installation
from tests.support.lost_commits import connection_breaks
from tests.support.servers import made_up
from tests.support.staff import browser_of, member
from tests.support.uploads import content, picture

pytestmark = pytest.mark.django_db


def staff(role: str = "Operator", **options: Any) -> Browser:
    return browser_of(member(role), **options)


@pytest.fixture
def operator() -> Browser:
    """Return the browser of somebody who may upload."""
    return staff()


# -- one file, as the script sends it


def test_a_file_becomes_a_job_as_if_it_came_through_the_api(
    operator: Browser, rung: Callable[[], list[str]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = send(operator, file=picture(name="lunch.jpg"))
    job = JobLog.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {
        "job_id": str(job.pk),
        "created": True,
        "name": str(job),
        "address": f"/admin/jobs/joblog/{job.pk}/change/",
    }
    assert (job.status, job.filename, job.notion_database_id) == ("queued", "lunch.jpg", DATABASE_ID)
    assert (job.client.name, job.receipt.size) == ("Admin uploads", len(content()))
    assert rung() == [str(job.pk)]
    assert claim_job(job.pk, worker="w1") is not None


def test_whose_it_is_keeps_the_name_by_which_it_is_found(operator: Browser, admin_client: Browser) -> None:
    first = send(operator)
    client = Receipt.objects.get().client
    admin_client.post(f"/admin/receipts/client/{client.pk}/change/", {"name": "renamed"})
    assert send(operator).json()["job_id"] == first.json()["job_id"]
    assert Receipt.objects.get().client.name == "Admin uploads"


def test_who_uploaded_it_is_in_the_timeline_and_in_the_log(operator: Browser) -> None:
    send(operator)
    event, entry = JobEvent.objects.get(), LogEntry.objects.get()
    assert (event.kind, event.source, event.actor) == ("received", JobEvent.Source.ADMIN, "anna")
    assert (entry.action_flag, entry.object_id, entry.user.get_username()) == (ADDITION, str(event.job_id), "anna")


def test_the_same_file_again_is_the_same_job_and_written_down(operator: Browser) -> None:
    first, again = send(operator), send(operator)
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert again.json()["job_id"] == first.json()["job_id"]
    assert [event.kind for event in JobEvent.objects.all()] == ["received", "repeated"]
    assert {event.source for event in JobEvent.objects.all()} == {"admin"}
    assert [entry.action_flag for entry in LogEntry.objects.order_by("id")] == [ADDITION, CHANGE]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after_commit", [True, False])
def test_the_log_has_an_upload_once_the_receipt_is_kept_and_not_without_it(
    operator: Browser, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    with monkeypatch.context() as outage, ExitStack() as broken:
        submit = submission._find_or_create

        def submit_and_break(*args: Any) -> Any:
            broken.enter_context(connection_breaks(after_commit=after_commit))
            return submit(*args)

        outage.setattr(submission, "_find_or_create", submit_and_break)
        assert send(operator).status_code == 503
    assert JobEvent.objects.count() == LogEntry.objects.filter(action_flag=ADDITION).count() == int(after_commit)
    send(operator)
    assert [entry.action_flag for entry in LogEntry.objects.order_by("id")] == [ADDITION, CHANGE][: 1 + after_commit]


def test_it_is_another_job_where_that_is_asked_for(operator: Browser) -> None:
    first, again = send(operator), send(operator, allow_duplicate="true")
    assert again.status_code == 202
    assert str(JobLog.objects.get(pk=again.json()["job_id"]).duplicate_of_id) == first.json()["job_id"]


def test_what_broke_off_and_is_sent_again_is_taken_in_once(operator: Browser) -> None:
    key = {"Idempotency-Key": "0123456789abcdef"}
    first, again = (send(operator, headers=key, allow_duplicate="true") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["job_id"] == again.json()["job_id"]
    other = send(operator, 2, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("data", "content_type"), [(pictures.heic(), "image/heic"), (pictures.pdf(), "application/pdf")]
)
def test_each_format_of_the_api_is_taken(operator: Browser, data: bytes, content_type: str) -> None:
    assert send(operator, file=SimpleUploadedFile("receipt", data)).status_code == 202
    assert Receipt.objects.get().content_type == content_type


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"file": SimpleUploadedFile("notes.txt", b"not a receipt")}, 415, "unsupported_file_type"),
        ({"file": SimpleUploadedFile("broken.jpg", content()[:500])}, 400, "image_broken"),
        ({"file": SimpleUploadedFile("empty.jpg", b"")}, 400, "file_empty"),
        ({"file": None}, 400, "invalid"),
        ({"notion_database_id": "nonsense"}, 400, "invalid"),
        ({"notion_database_id": None}, 400, "invalid"),
        ({"more": picture(2)}, 400, "too_many_files"),
    ],
)
def test_what_is_wrong_is_said_as_the_api_says_it(
    operator: Browser, media: Callable[[], list[Path]], form: dict[str, Any], status: int, code: str
) -> None:
    answer = send(operator, **form)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert not JobLog.objects.exists()
    assert not LogEntry.objects.exists()
    assert media() == []


def test_a_file_over_the_limit_is_refused(operator: Browser, settings: LazySettings) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    answer = send(operator)
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    settings.UPLOAD_MAX_BYTES = 10  # with the form, the body is longer than it may be
    assert send(operator, file=SimpleUploadedFile("x.jpg", b"x" * 70_000)).json()["code"] == "file_too_large"


def test_files_that_are_too_long_together_are_not_called_too_large_each(
    operator: Browser, settings: LazySettings
) -> None:
    settings.UPLOAD_MAX_BYTES = 40_000
    several = [SimpleUploadedFile(f"{number}.jpg", b"x" * 30_000) for number in range(4)]
    page = operator.post(PAGE, {"file": several, "notion_database_id": DATABASE_ID})
    assert page.content.decode().count("Together they are larger than 10 MB; send fewer at once.") == 1


def test_what_has_waited_for_too_long_is_refused(operator: Browser) -> None:
    fields = {"file": picture(), "notion_database_id": DATABASE_ID}
    waited: dict[str, Any] = {WAITED_SECONDS: PATIENCE_SECONDS + 1}
    answer = operator.post(UPLOAD, fields, **waited)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    page = operator.post(PAGE, fields | {"file": picture()}, **waited)
    assert "There is too much to do just now; try again." in page.content.decode()
    assert not JobLog.objects.exists()


@pytest.mark.parametrize("address", [PAGE, UPLOAD])
def test_its_addresses_take_bodies_as_long_as_the_apis(address: str) -> None:
    assert body_limit_of(address) == body_limit_of("/api/v1/receipts/upload")
    assert body_limit_of("/admin/jobs/joblog/").size < body_limit_of(address).size


def test_staff_are_not_throttled(operator: Browser, settings: LazySettings) -> None:
    settings.UPLOAD_RATE = "1/hour"
    assert [send(operator, number).status_code for number in range(1, 5)] == [202] * 4


# -- who may


def test_without_a_session_it_says_what_to_do() -> None:
    answer = send(Browser())
    assert (answer.status_code, answer.json()["code"]) == (403, "not_authenticated")


def test_who_may_not_upload_is_refused_before_the_file_is_looked_at() -> None:
    auditor = staff("Auditor")
    answer = send(auditor, file=SimpleUploadedFile("notes.txt", b"not a receipt"))
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert auditor.get(PAGE).status_code == 403
    assert auditor.post(PAGE, {"file": picture(), "notion_database_id": DATABASE_ID}).status_code == 403
    assert not JobLog.objects.exists()
    assert PAGE not in auditor.get("/admin/").content.decode()
    assert PAGE not in auditor.get("/admin/jobs/joblog/").content.decode()


def test_the_pages_own_token_is_needed() -> None:
    browser = staff(enforce_csrf_checks=True)
    assert send(browser).status_code == 403
    token = browser.get(PAGE).context["csrf_token"]
    assert send(browser, headers={"X-CSRFToken": str(token)}).status_code == 202


def test_it_is_no_part_of_the_api(operator: Browser) -> None:
    assert "/admin/" not in operator.get("/api/v1/schema/").content.decode()
    assert operator.get(UPLOAD).status_code == 405


# -- for real


@pytest.mark.processes
@pytest.mark.any_database
def test_a_file_goes_through_the_web_server_and_is_bounded_as_the_apis(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook", UPLOAD_MAX_MB="1") as service:
        service.manage("shell", "-c", MAKE_SUPERUSER)
        service.start_web()
        with requests.Session() as browser:
            page = service.url + PAGE
            login = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token(browser, page)}
            browser.post(f"{service.url}/admin/login/", login, headers={"Referer": page})
            headers = {"X-CSRFToken": token(browser, page), "Referer": page}

            def uploaded(file: bytes) -> requests.Response:
                form = {"notion_database_id": DATABASE_ID}
                return browser.post(service.url + UPLOAD, form, files={"file": file}, headers=headers)

            jpeg = content()
            answers = [uploaded(jpeg), uploaded(jpeg), uploaded(jpeg + b"\0" * 1_200_000), uploaded(b"x" * 3_000_000)]
        assert [answer.status_code for answer in answers] == [202, 200, 413, 413]
        assert service.events(answers[0].json()["job_id"])[:2] == ["received", "repeated"]


PASSWORD = made_up("password")
MAKE_SUPERUSER = f"""
from django.contrib.auth.models import User
User.objects.create_superuser("root", password="{PASSWORD}")
"""


def token(browser: requests.Session, address: str) -> str:
    found = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(address).text)
    assert found is not None
    return found[1]
