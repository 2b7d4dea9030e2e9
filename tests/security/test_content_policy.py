"""The content policy: no page runs or draws anything but our own files, and every answer says so to the browser."""

from html.parser import HTMLParser
from typing import Any
from unittest.mock import Mock
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client as Browser
from redis import Redis

from accounting.lockout import GUESSES_AT_ONE_NAME
from receipts.admin.receipts import ReceiptAdmin
from tests.factories import ReceiptFactory
from tests.support.admin_pages import every_page

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

STRICT = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'"},
    "font-src": {"'self'"},
    "connect-src": {"'self'"},
    "form-action": {"'self'"},
    "frame-ancestors": {"'none'"},
    "base-uri": {"'none'"},
    "object-src": {"'none'"},
}
OF_THE_DOCS = STRICT | {"img-src": {"'self'", "data:"}}
DOCS = "/api/v1/docs/"
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "form": "action"}
REFUSED = {  # pages that nobody is shown, and what is answered instead
    403: [
        "accessattempt_add",
        "client_delete",
        "apikey_delete",
        "receipt_add",
        "receipt_delete",
        "joblog_delete",
        "joblog_operate",
        "operate_on_group",
        "joblog_bulk",
        "jobevent_add",
        "jobevent_delete",
        "seal_add",
        "seal_delete",
        "logentry_add",
        "logentry_delete",
        "user_delete",
        *(f"django_rq_{name}" for name in ("confirm_action", "actions", "stop_job")),
    ],
    404: ["scheduler_jobs", "cron_scheduler_detail", "cron_job_detail"],
    405: ["logout", "joblog_upload", "connect_test", "connect_install"],
    302: ["login", "joblog_export"],
}


class Page(HTMLParser):
    """Collects what a strict policy would not run, draw or load."""

    def __init__(self, html: str, address: str) -> None:
        super().__init__()
        self.address = f"http://testserver{address}"
        self.faults: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        values = {name: value or "" for name, value in attrs}
        inline = tag == "style" or (
            tag == "script" and "src" not in values and values.get("type") != "application/json"
        )
        foreign = self._is_foreign(values.get(LOADED.get(tag, ""), ""))
        handlers = [name for name in values if name == "style" or name.startswith("on")]
        scripts = [value for value in values.values() if value.strip().lower().startswith("javascript:")]
        if inline or foreign or handlers or scripts:
            self.faults.append(self.get_starttag_text() or tag)

    def _is_foreign(self, address: str) -> bool:
        return urlsplit(urljoin(self.address, address))[:2] != urlsplit(self.address)[:2]


def policy(answer: Any) -> dict[str, set[str]]:
    directives = (directive.split() for directive in answer["Content-Security-Policy"].split(";"))
    return {name: set(values) for name, *values in directives}


def faults(answer: Any, address: str) -> list[str]:
    is_page = answer["Content-Type"].startswith("text/html")
    return Page(answer.content.decode(), address).faults if is_page else []


def expected_status(name: str) -> int:
    return next((status for status, ends in REFUSED.items() if name.endswith(tuple(ends))), 200)


def test_every_page_of_the_admin_keeps_to_it(admin_client: Browser, redis: "Redis") -> None:
    for name, addresses in every_page(redis).items():
        for address in addresses:
            answer = admin_client.get(address)
            assert (address, answer.status_code) == (address, expected_status(name))
            assert (address, policy(answer)) == (address, STRICT)
            assert (address, faults(answer, address)) == (address, [])


@pytest.mark.parametrize(
    "address", ["/admin/login/", "/admin/", "/", "/nothing", "/health", "/health/ready", "/api/v1/jobs/", "/api/v1/no"]
)
def test_whoever_is_not_logged_in_gets_it_as_well(address: str) -> None:
    answer = Browser().get(address)
    assert policy(answer) == STRICT
    assert faults(answer, address) == []


@pytest.mark.parametrize("address", ["/static/admin/css/base.css", "/static/accounting/icon.svg", "/api/v1/schema/"])
def test_files_have_it_too(address: str) -> None:
    answer = Browser().get(address)
    answer.close()
    assert policy(answer) == STRICT


@pytest.mark.parametrize("address", [DOCS, f"{DOCS}?script="])
def test_the_apis_documentation_draws_from_data_addresses_besides(address: str) -> None:
    answer = Browser().get(address)
    assert answer.status_code == 200
    assert policy(answer) == OF_THE_DOCS
    assert faults(answer, address) == []


@pytest.mark.usefixtures("quick_passwords")
def test_the_page_of_whoever_is_locked_out_keeps_to_it() -> None:
    form = {"username": "nobody", "password": "wrong"}
    answers = [Browser().post("/admin/login/", form) for _ in range(GUESSES_AT_ONE_NAME)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    for answer in answers[-2:]:
        assert policy(answer) == STRICT
        assert faults(answer, "/admin/login/") == []


def test_pages_of_errors_keep_to_it(admin_client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    admin_client.raise_request_exception = False
    monkeypatch.setattr(ReceiptAdmin, "get_queryset", Mock(side_effect=RuntimeError))
    forger = Browser(enforce_csrf_checks=True)
    answers = {
        400: Browser().get("/admin/", headers={"Host": "evil.example"}),
        403: forger.post("/admin/login/"),
        404: Browser().get("/nothing"),
        500: admin_client.get("/admin/receipts/receipt/"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert policy(answer) == STRICT
        assert faults(answer, "/") == []


def test_a_receipts_file_keeps_a_stricter_one_of_its_own(admin_client: Browser) -> None:
    answer = admin_client.get(f"/api/v1/receipts/{ReceiptFactory.create().pk}/file")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    answer.close()


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        "<style>a{}</style>",
        '<p style="color:red">',
        '<p onclick="x()">',
        '<a href=" JavaScript:x()">',
        '<script src="https://evil.example/x.js"></script>',
        '<script src="//evil.example/x.js"></script>',
        '<form action="https://evil.example/">',
    ],
)
def test_what_these_tests_look_for_would_be_found(html: str) -> None:
    assert Page(html, "/admin/").faults
