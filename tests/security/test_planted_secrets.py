"""No secret and no byte of a picture turns up where it does not belong: log, event, row, key of Redis, answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.support.installation import SWEEP, WEB, WORKER, is_up, wait_for
from tests.support.pictures import jpeg
from tests.support.planted_secrets import in_answer
from tests.support.sentry import events
from tests.support.servers import free_port
from tests.support.stub_server import StubServer, answering, response, server_tls, stub_server

from .planted_installation import JOBS, PlantedInstallation, rude

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.timeout(300)]

PASSWORD = "a-password-of-staff"

# Where a secret rightly is: who is to use it finds it there. Nothing else may be found, and all of these must be.
RIGHTLY = {
    ("session cookie", "django_session.session_key"),
    ("session cookie", "answer to the login"),
    ("file name", "jobs_joblog.filename"),
    ("file name", "answer to its client"),
    ("file name", "the jobs' list in the admin"),
    ("file name", "the job in the admin"),
    ("file name", "the events in the admin"),
    ("file name", "the receipts in the admin"),  # for those who may see jobs
}


def deliveries(server: StubServer, job_id: str) -> list[dict[str, Any]]:
    """Return what N8N was sent of a job."""
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in server.requests]
    return [body for body in bodies if body["job_id"] == job_id]


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[PlantedInstallation]:
    """Return an installation full of planted secrets, of which nothing runs yet."""
    with (
        stub_server(rude) as n8n,
        stub_server(rude, tls=server_tls()) as tls,
        stub_server(answering(response(body=b"{}"))) as sentry,
    ):
        all_of_it = PlantedInstallation(tmp_path, n8n, tls, sentry)
        with all_of_it.installation:
            yield all_of_it


def test_no_secret_and_no_byte_of_a_picture_is_found_where_it_does_not_belong(planted: PlantedInstallation) -> None:
    planted.installation.start_all()
    job_id = troubled_delivery(planted)
    good_and_bad_callbacks(planted, job_id)
    refused_uploads(planted)
    untrusted_certificate(planted)
    browser = staff_look(planted, job_id)
    for log_format in ("json", "console"):
        faults_of_ours(planted, job_id, browser, log_format)
    nothing_can_be_reached(planted)
    assert {"RuntimeError", "OperationalError"} <= reported(planted)

    found = planted.found()
    assert sorted(found - RIGHTLY) == []
    assert sorted(RIGHTLY - found) == []


def troubled_delivery(planted: PlantedInstallation) -> str:
    """Upload a receipt that N8N takes at the fourth try only."""
    job_id: str = planted.upload().json()["job_id"]
    wait_for(lambda: len(deliveries(planted.n8n, job_id)) >= 4, "the fourth delivery")
    planted.call("answer to its client", "GET", f"{JOBS}{job_id}/")
    planted.know("callback token", deliveries(planted.n8n, job_id)[0]["callback_token"])
    return job_id


def good_and_bad_callbacks(planted: PlantedInstallation, job_id: str) -> None:
    token = planted.planted[-1].secret
    wrong = planted.secret("wrong callback token")
    assert planted.report(job_id, wrong, {"status": "success"}).status_code == 401
    for body in ({"status": token}, b'{"message": "' + token.encode(), {"status": "success", "notion_page_url": token}):
        assert planted.report(job_id, token, body).status_code == 400
    assert planted.report(job_id, token, {"status": "success"}).status_code == 200
    assert planted.report(job_id, token, {"status": "failure", "message": "no"}).status_code == 409
    general = planted.env["CALLBACK_SECRET_TOKEN"].split(",")[0]
    assert planted.report("0198c1f2-0000-4000-8000-000000000000", general, {"status": "success"}).status_code == 404


def refused_uploads(planted: PlantedInstallation) -> None:
    wrong = planted.secret("wrong API key")[:32]
    planted.know("wrong API key", wrong)
    comment = planted.picture.encode()
    broken = jpeg(1, comment=comment)[:2000]
    assert planted.upload(key=f"unknown1.{wrong}").status_code == 401
    assert planted.upload(key=planted.installation.key + "x").status_code == 401
    assert planted.upload(content=broken).status_code == 400
    assert planted.upload(content=comment).status_code == 415
    assert planted.upload(content=comment * 300_000).status_code == 413
    assert planted.upload(database=f"https://example.com/{planted.picture}").status_code == 400
    assert planted.upload(headers={"Idempotency-Key": f"{planted.picture} and more"}).status_code == 400
    assert planted.upload(headers={"X-Forwarded-For": planted.picture, "X-Request-ID": "a b"}).status_code == 202
    raw = f"Api-Key {planted.installation.key}\x01"
    planted.call("answer to a broken header", "GET", JOBS, headers={"X-Odd": raw.encode().decode("latin-1")})


def untrusted_certificate(planted: PlantedInstallation) -> None:
    """Let another worker, and it alone, meet an N8N whose certificate nobody vouches for."""
    installation = planted.installation
    installation.kill(installation.processes[1])
    planted.env["N8N_WEBHOOK_URL"] = planted.tls.url + planted.webhook
    installation.start(*WORKER)
    job_id = planted.upload().json()["job_id"]
    wait_for(lambda: installation.job(job_id)["last_error"] == "n8n_certificate_untrusted", "the refusal to trust")


def staff_look(planted: PlantedInstallation, job_id: str) -> requests.Session:
    """Log in, look at everything, ask for what there is not; return the session."""
    planted.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    planted.installation.manage("createsuperuser", "--noinput", "--username=anna", "--email=")
    browser, url = requests.Session(), planted.installation.url
    form = browser.get(f"{url}/admin/login/", timeout=30).text
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[0]
    credentials = {"username": "anna", "password": PASSWORD, "csrfmiddlewaretoken": token}
    login = browser.post(f"{url}/admin/login/", credentials, timeout=30, allow_redirects=False)
    assert login.status_code == 302
    planted.know("session cookie", browser.cookies["sessionid"])
    planted.answers.append(in_answer("answer to the login", login))
    for name, path, status in (
        ("the jobs' list in the admin", "/admin/jobs/joblog/", 200),
        ("the job in the admin", f"/admin/jobs/joblog/{job_id}/change/", 200),
        ("the events in the admin", "/admin/jobs/jobevent/", 200),
        ("the receipts in the admin", "/admin/receipts/receipt/", 200),
        ("the queue in the admin", "/admin/django_rq/dashboard/", 200),
        ("a page that there is none of", f"/admin/nothing/?key={planted.picture}", 404),
        ("an address that there is none of", f"/api/v1/nothing?key={planted.picture}", 404),
    ):
        page = browser.get(url + path, timeout=30)
        assert page.status_code == status, path
        planted.answers.append(in_answer(name, page))
    return browser


def faults_of_ours(planted: PlantedInstallation, job_id: str, browser: requests.Session, log_format: str) -> None:
    """Cause a real 500 in an upload, in a callback and on a page, with secrets in every variable around."""
    port = free_port()
    planted.env["LOG_FORMAT"] = log_format
    faults = "receipts.uploading.submit_receipt,jobs.views.services.complete_job,jobs.admin.jobpage.timeline"
    planted.installation.start(*WEB, str(port), fail_at=faults)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: is_up(url), "the web server with faults")
    token = deliveries(planted.n8n, job_id)[0]["callback_token"]
    for answer in (
        planted.upload("answer to a fault", url=url),
        planted.call(
            "answer to a fault", "POST", f"{JOBS}{job_id}/callback", url=url, json={"status": "success"},
            headers={"X-Callback-Token": token},
        ),
        browser.get(f"{url}/admin/jobs/joblog/{job_id}/change/", timeout=30),
    ):  # fmt: skip
        assert answer.status_code == 500
        planted.answers.append(in_answer("answer to a fault", answer))
    assert planted.installation.log().count("a fault that the test has caused") >= 3


def nothing_can_be_reached(planted: PlantedInstallation) -> None:
    """Start each kind of process without its database, and the web without its Redis."""
    installation, port = planted.installation, free_port()
    redis_url, planted.env["REDIS_URL"] = (
        planted.env["REDIS_URL"],
        f"redis://receipts:{planted.redis_password}@127.0.0.1:{free_port()}/0",
    )
    installation.start(*WEB, str(port))
    wait_for(lambda: is_up(f"http://127.0.0.1:{port}"), "the web server without Redis")
    assert planted.upload(url=f"http://127.0.0.1:{port}").status_code == 202
    worker = installation.start(*WORKER)
    wait_for(lambda: "worker_waits_for_redis" in installation.log(), "the worker's complaint")
    installation.kill(worker)
    planted.env["REDIS_URL"] = redis_url

    password = quote(planted.database_password)
    planted.env["DATABASE_URL"] = f"postgresql://receipts:{password}@127.0.0.1:{free_port()}/receipts"
    assert installation.start(*WEB, str(free_port())).wait(60) == 1
    assert installation.start("migrate", "--traceback").wait(60) == 1
    installation.start(*SWEEP)
    installation.start(*WORKER)
    wait_for(lambda: installation.log().count("waits_for_database") == 2, "the sweep's and the worker's complaints")


def reported(planted: PlantedInstallation) -> set[str]:
    """Return the kinds of errors that Sentry was told of."""
    return {error["type"] for event in events(planted.sentry) for error in event["exception"]["values"]}
