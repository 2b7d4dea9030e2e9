"""Caddy in front of the service: what it hands on, what it keeps out, and what it says by itself."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from jobs.sandbox import running_sandbox
from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID, SMALL
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.servers import free_port, made_up
from tests.support.stub_server import StubServer, answering, stub_server

from .proxy import Caddy, running_caddy
from .tools import run

pytestmark = [pytest.mark.deploy, pytest.mark.processes]

UPLOAD = "/api/v1/receipts/upload"
MIB = 1024 * 1024
SOMEBODY = "127.0.0.2"  # not Caddy's own address
TO_METRICS = [
    "/metrics", "/metrics/", "/metrics/x", "/metrics?x=1", "/metrics%2F", "/METRICS", "/%6Detrics",
    "//metrics", "/./metrics", "/health/../metrics",
]  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Caddy]]:
    """Return an installation of all processes, and the Caddy in front of it; N8N reaches it without Caddy."""
    folder = tmp_path_factory.mktemp("service")
    with (
        running_sandbox(delay=0.05) as n8n,
        Installation(folder, f"{n8n.url}/webhook/receipts", TRUSTED_PROXIES="127.0.0.1", UPLOAD_MAX_MB="1") as site,
        running_caddy(folder, site.port) as caddy,
    ):
        site.env |= {"CALLBACK_BASE_URL": site.url, "PUBLIC_BASE_URL": caddy.url}
        site.start_web()
        site.start(*WORKER)
        site.start(*SWEEP)
        yield site, caddy


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[StubServer, Caddy]]:
    """Return a Caddy in front of a server that answers 200 to everything, as web and as N8N."""
    with (
        stub_server(answering()) as server,
        running_caddy(tmp_path, int(server.url.rpartition(":")[2]), int(server.url.rpartition(":")[2])) as caddy,
    ):
        yield server, caddy


def test_caddy_finds_nothing_wrong_with_the_caddyfile() -> None:
    run("caddy", "validate", "--config", "deploy/Caddyfile", PUBLIC_BASE_URL="https://receipts.example.com")


def test_the_caddyfile_is_formatted() -> None:
    assert run("caddy", "fmt", "deploy/Caddyfile") == Path("deploy/Caddyfile").read_text()


def test_a_receipt_goes_through_it_to_n8n_and_back(service: tuple[Installation, Caddy]) -> None:
    site, caddy = service
    answer = _upload(site, caddy, draw_receipt(1, size=SMALL))
    assert answer.status_code == 202
    assert answer.json()["url"].startswith(caddy.url)
    key = {"Authorization": f"Api-Key {site.key}"}
    wait_for(lambda: caddy.ask(answer.json()["url"], headers=key).json()["status"] == "success", "the callback")


def test_the_service_learns_who_calls_and_believes_nobody_who_says_so_himself(
    service: tuple[Installation, Caddy],
) -> None:
    site, caddy = service
    headers = {"Authorization": f"Api-Key {made_up('wrong key')}", "X-Forwarded-For": "192.0.2.1"}
    assert caddy.ask(f"{caddy.url}/api/v1/jobs/", source=SOMEBODY, headers=headers).status_code == 401
    with Redis.from_url(site.env["REDIS_URL"], decode_responses=True) as redis:
        counted = [name for name in redis.scan_iter("*") if name.startswith("throttle:")]
    assert [name for name in counted if SOMEBODY in name]
    assert [name for name in counted if "192.0.2.1" in name] == []


def test_a_page_is_served_as_https_and_one_without_is_led_there(service: tuple[Installation, Caddy]) -> None:
    _, caddy = service
    page = caddy.ask(f"{caddy.url}/admin/login/")
    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"]
    assert "__Host-csrftoken" in page.headers["Set-Cookie"]
    plain = caddy.ask(f"{caddy.plain_url}/admin/?next=1")
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://localhost/admin/?next=1")


@pytest.mark.parametrize("path", [UPLOAD, "/api/v1/jobs/callback", "/API/v1/jobs/", "//api/v1/jobs/"])
def test_an_api_path_without_tls_is_refused_and_never_redirected(
    service: tuple[Installation, Caddy], path: str
) -> None:
    _, caddy = service
    answer = caddy.ask(caddy.plain_url + path, "POST", json={"status": "success"})
    _assert_problem(answer, 403, "https_required")


def test_an_api_path_with_or_without_its_slash_is_never_redirected(service: tuple[Installation, Caddy]) -> None:
    _, caddy = service
    for path in ("/api/v1/jobs/callback", "/api/v1/jobs/callback/"):
        assert caddy.ask(caddy.url + path, "POST", json={"status": "success"}).status_code == 401


def test_what_is_a_little_too_large_is_answered_by_the_service(service: tuple[Installation, Caddy]) -> None:
    site, caddy = service
    _assert_problem(_upload(site, caddy, b"\xff" * (MIB + 200_000)), 413, "file_too_large")


@pytest.mark.parametrize("megabytes", [1.2, 1.6, 2.1])
def test_what_the_service_reads_before_it_refuses_is_answered_by_it_over_http_2_as_well(
    service: tuple[Installation, Caddy], tmp_path: Path, megabytes: float
) -> None:
    site, caddy = service
    picture = tmp_path / "receipt.jpg"
    picture.write_bytes(b"\xff" * int(megabytes * MIB))
    told = run(
        "curl", "--silent", "--http2", "--cacert", caddy.authority, "--write-out", "\n%{http_version} %{http_code}",
        "--header", f"Authorization: Api-Key {site.key}", "--form", f"file=@{picture}",
        "--form", f"notion_database_id={DATABASE_ID}", caddy.url + UPLOAD,
    )  # fmt: skip
    body, _, version_and_status = told.rpartition("\n")
    assert version_and_status == "2 413"
    assert json.loads(body)["code"] == "file_too_large"


def test_what_is_far_too_large_without_a_length_is_cut_off(service: tuple[Installation, Caddy]) -> None:
    site, caddy = service
    chunks = (b"\xff" * 65_536 for _ in range(64))
    headers = {"Authorization": f"Api-Key {site.key}", "Content-Type": "multipart/form-data; boundary=x"}
    answer = caddy.ask(caddy.url + UPLOAD, "POST", data=chunks, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", TO_METRICS)
def test_nobody_outside_gets_at_metrics(behind: tuple[StubServer, Caddy], path: str) -> None:
    server, caddy = behind
    assert caddy.ask(caddy.url + path).status_code == 404
    assert [request.target for request in server.requests] == []


@pytest.mark.parametrize("path", ["/", "/receipts"])
def test_an_upload_is_never_swallowed_where_the_address_of_the_site_has_a_path(tmp_path: Path, path: str) -> None:
    with running_caddy(tmp_path, free_port(), site=f"https://localhost{path}") as caddy:
        _assert_problem(caddy.ask(caddy.url + UPLOAD, "POST", data=b"x"), 421, "unknown_address")


def test_nor_where_it_names_a_host_that_no_site_has(behind: tuple[StubServer, Caddy]) -> None:
    server, caddy = behind
    answer = caddy.ask(caddy.url + UPLOAD, "POST", data=b"x", headers={"Host": "receipts.example.com"})
    _assert_problem(answer, 421, "unknown_address")
    assert server.requests == []


def test_n8n_is_reached_under_its_own_name_but_for_its_webhooks(behind: tuple[StubServer, Caddy]) -> None:
    server, caddy = behind
    for path in ("/webhook/receipts", "/webhook-test/receipts", "/webhook-waiting/1", "/Webhook/receipts"):
        assert caddy.ask(caddy.url + path, "POST", headers={"Host": caddy.n8n_host}).status_code == 404
    assert caddy.ask(caddy.url + "/home", headers={"Host": caddy.n8n_host}).status_code == 200
    assert [request.target for request in server.requests] == ["/home"]


def test_a_service_that_is_away_is_a_problem_that_says_when_to_come_again_and_the_log_keeps_secrets(
    tmp_path: Path,
) -> None:
    token = made_up("a token")
    with running_caddy(tmp_path, free_port()) as caddy:
        url = f"{caddy.url}/api/v1/jobs/callback?{token}"
        answer = caddy.ask(url, "POST", source=SOMEBODY, headers={"X-Callback-Token": token})
        _assert_problem(answer, 502, "unavailable")
        assert answer.headers["Retry-After"] == "5"
        wait_for(lambda: '"status":502' in caddy.log(), "its line in the log, which comes after the answer")
        assert [secret for secret in (token, SOMEBODY) if secret in caddy.log()] == []


def test_who_asks_while_the_service_starts_again_waits_for_it(tmp_path: Path) -> None:
    port = free_port()
    with running_caddy(tmp_path, port) as caddy, ThreadPoolExecutor() as somewhere_else:
        asked = somewhere_else.submit(caddy.ask, f"{caddy.url}/health")
        assert not asked.done()
        with HTTPServer(("127.0.0.1", port), Answering200) as web:
            web.handle_request()
            assert asked.result().status_code == 200


class Answering200(BaseHTTPRequestHandler):
    """Answers a GET with an empty 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def _upload(site: Installation, caddy: Caddy, content: bytes) -> Any:
    return caddy.ask(
        caddy.url + UPLOAD,
        "POST",
        files={"file": ("receipt.jpg", content)},
        data={"notion_database_id": DATABASE_ID},
        headers={"Authorization": f"Api-Key {site.key}"},
    )


def _assert_problem(answer: Any, status: int, code: str) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:receipts:problem:{code}"
    assert [name for name in ("title", "detail", "request_id") if not body[name]] == []
