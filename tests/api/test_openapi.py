"""The OpenAPI document: true, whole, and readable without asking anybody else."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client as Browser
from drf_spectacular.generators import SchemaGenerator

from tests.support.client_runs import NOBODY
from tests.support.installation import Installation

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the document as the command writes it, which fails at the first warning."""
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return dict(yaml.safe_load(out.getvalue()))


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    return dict(document["paths"][f"/api/v1/{path}"][method])


def test_the_components_have_the_names_that_were_asked_for(document: dict[str, Any]) -> None:
    assert {"JobCreationResponse", "JobCallbackPayload", "Job", "Problem"} <= set(document["components"]["schemas"])


def test_every_address_of_the_api_is_in_it(document: dict[str, Any]) -> None:
    assert {path.removeprefix("/api/v1/") for path in document["paths"]} == {
        "receipts/",
        "receipts/upload",
        "receipts/{id}/",
        "receipts/{id}/file",
        "receipts/{id}/rendition",
        "jobs/",
        "jobs/{job_id}/",
        "jobs/{job_id}/callback",
        "jobs/callback",
    }


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("post", "receipts/upload", "200 202 400 401 403 408 413 415 422 429 500 502 503 504 507"),
        ("post", "receipts/", "200 202 400 401 403 408 413 415 422 429 500 502 503 504 507"),
        ("get", "receipts/{id}/", "200 400 401 403 404 429 500 502 503 504"),
        ("get", "receipts/{id}/file", "200 400 401 403 404 410 429 500 502 503 504"),
        ("get", "receipts/{id}/rendition", "200 400 401 403 404 410 429 500 502 503 504"),
        ("get", "jobs/", "200 400 401 404 429 500 502 503 504"),
        ("get", "jobs/{job_id}/", "200 304 400 401 404 429 500 502 503 504"),
        ("post", "jobs/{job_id}/callback", "200 400 401 404 409 413 415 429 500 502 503 504"),
        ("post", "jobs/callback", "200 400 401 404 409 413 415 429 500 502 503 504"),
    ],
)
def test_an_operation_names_all_that_it_answers_and_errors_as_problems(
    method: str, path: str, statuses: str, document: dict[str, Any]
) -> None:
    answers = operation(document, method, path)["responses"]
    assert " ".join(sorted(answers)) == statuses
    assert all(answer["content"] == PROBLEM for status, answer in answers.items() if status >= "400")


@pytest.mark.parametrize("path", ["receipts/upload", "receipts/"])
def test_an_upload_is_a_form_with_a_file_by_key_and_tells_where_its_job_is(path: str, document: dict[str, Any]) -> None:
    upload = operation(document, "post", path)
    assert list(upload["requestBody"]["content"]) == ["multipart/form-data"]
    form = document["components"]["schemas"]["ReceiptUpload"]
    assert form["properties"]["file"]["format"] == "binary"
    assert form["required"] == ["file", "notion_database_id"]
    assert upload["security"] == [{"ApiKey": []}]
    assert [(given["in"], given["name"]) for given in upload["parameters"]] == [("header", "Idempotency-Key")]
    for status in ("200", "202"):
        schema = upload["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/JobCreationResponse"}
        assert "Location" in upload["responses"][status]["headers"]


@pytest.mark.parametrize(
    ("path", "payload"),
    [("jobs/{job_id}/callback", "JobCallbackPayload"), ("jobs/callback", "ExecutionCallbackPayload")],
)
def test_a_callback_takes_its_payload_with_a_token(path: str, payload: str, document: dict[str, Any]) -> None:
    callback = operation(document, "post", path)
    schema = callback["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{payload}"}
    assert ("X-Callback-Token", True) in [(given["name"], given.get("required")) for given in callback["parameters"]]


def test_a_job_is_asked_for_by_its_etag_and_tells_when_to_ask_again(document: dict[str, Any]) -> None:
    job = operation(document, "get", "jobs/{job_id}/")
    given = [(one["in"], one["name"], one.get("required", False)) for one in job["parameters"]]
    assert sorted(given) == [("header", "If-None-Match", False), ("path", "job_id", True)]
    for status in ("200", "304"):
        headers = job["responses"][status]["headers"]
        assert {name: header["schema"]["type"] for name, header in headers.items()} == {
            "ETag": "string",
            "Retry-After": "integer",
            "X-Request-ID": "string",
        }


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for path in document["paths"].values() for one in path.values()]


def answers_with(header: str, document: dict[str, Any]) -> tuple[set[str], list[str]]:
    """Return the statuses of which some answer has the header, and those of the answers that lack it."""
    answers = [item for one in operations(document) for item in one["responses"].items()]
    having = [status for status, answer in answers if header in answer.get("headers", {})]
    return set(having), [status for status, answer in answers if header not in answer.get("headers", {})]


def test_answers_that_are_only_for_now_tell_when_to_come_again(document: dict[str, Any]) -> None:
    having, lacking = answers_with("Retry-After", document)
    assert having == {"200", "202", "304", "429", "502", "503", "504", "507"}
    assert {"429", "502", "503", "504", "507"}.isdisjoint(lacking)


def test_every_answer_has_an_id_and_every_401_says_what_would_let_one_in(document: dict[str, Any]) -> None:
    assert answers_with("X-Request-ID", document)[1] == []
    having, lacking = answers_with("WWW-Authenticate", document)
    assert having == {"401"}
    assert "401" not in lacking


@pytest.mark.parametrize("path", ["receipts/{id}/file", "receipts/{id}/rendition"])
def test_a_file_comes_with_a_name(path: str, document: dict[str, Any]) -> None:
    assert "Content-Disposition" in operation(document, "get", path)["responses"]["200"]["headers"]


def test_a_file_of_an_unknown_type_is_in_it_too(document: dict[str, Any]) -> None:
    content = operation(document, "get", "receipts/{id}/file")["responses"]["200"]["content"]
    assert list(content) == ["image/*", "application/pdf", "application/octet-stream"]


def test_generated_clients_get_names_that_one_would_give_oneself(document: dict[str, Any]) -> None:
    named = {one["operationId"]: one["tags"] for one in operations(document)}
    assert named == {
        "upload_receipt": ["receipts"],
        "create_receipt": ["receipts"],
        "get_receipt": ["receipts"],
        "get_receipt_file": ["receipts"],
        "get_receipt_rendition": ["receipts"],
        "list_jobs": ["jobs"],
        "get_job": ["jobs"],
        "job_callback": ["callbacks"],
        "execution_callback": ["callbacks"],
    }
    assert {tag["name"] for tag in document["tags"]} == {tag for tags in named.values() for tag in tags}


def test_everything_is_described(document: dict[str, Any]) -> None:
    for one in operations(document):
        assert one["summary"]
        assert all(answer["description"] for answer in one["responses"].values())
        assert all(given.get("description") for given in one.get("parameters", []) if given["in"] == "header")
    fields = document["components"]["schemas"]
    assert fields["Receipt"]["properties"]["file_url"]["description"] == "where its bytes can be had"
    assert {
        fields[name]["properties"][url]["format"]
        for name, url in (("Receipt", "file_url"), ("JobCreationResponse", "url"))
    } == {"uri"}


def test_a_page_of_jobs_always_has_its_addresses_and_bounds(document: dict[str, Any]) -> None:
    page = document["components"]["schemas"]["PaginatedJobList"]
    assert page["required"] == ["next", "previous", "results"]
    given = {one["name"]: one for one in operation(document, "get", "jobs/")["parameters"]}
    assert given["page_size"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert all(one.get("description") for one in given.values())


# -- where it is served


def test_it_says_where_the_api_is_by_the_address_at_which_it_was_asked_for(document: dict[str, Any]) -> None:
    asked = Browser().get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert asked.json()["servers"] == [{"url": "http://testserver"}]
    assert document["servers"] == [{"url": settings.PUBLIC_BASE_URL}]


def test_it_is_drawn_once_whoever_asks_for_it_and_by_which_address(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch("/api/v1/schema/")
    monkeypatch.delattr(SchemaGenerator, "parse")
    for host in ("testserver", *settings.OWN_HOSTS):
        asked = Browser(HTTP_HOST=host).get("/api/v1/schema/", headers={"Accept": "application/json"})
        assert asked.json()["servers"] == [{"url": f"http://{host}"}]


@pytest.mark.parametrize("version", ["9", "\n", '"', "x" * 5000])
def test_no_version_that_somebody_makes_up_is_told_in_it(version: str) -> None:
    plain, asked = (Browser().get("/api/v1/schema/", query) for query in ({}, {"version": version}))
    assert asked.content == plain.content
    assert asked["Content-Disposition"] == plain["Content-Disposition"]


def test_everybody_may_read_it_in_the_form_they_like() -> None:
    as_yaml = Browser().get("/api/v1/schema/")
    as_json = Browser().get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert yaml.safe_load(as_yaml.content)["paths"] == as_json.json()["paths"]


@pytest.mark.processes
@pytest.mark.any_database
def test_all_who_ask_a_new_process_at_once_get_it(tmp_path: Path) -> None:
    with Installation(tmp_path, NOBODY) as installation, ThreadPoolExecutor(8) as clients:
        installation.start_web()
        asked = [clients.submit(requests.get, f"{installation.url}/api/v1/schema/", timeout=30) for _ in range(8)]
        assert [answer.result().status_code for answer in asked] == [200] * 8


def test_the_readable_page_loads_nothing_from_elsewhere() -> None:
    page = fetch("/api/v1/docs/")
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(loaded) >= 4
    assert all(re.match("/[^/]", address) for address in loaded)
    own = [fetch(address) for address in loaded if address.startswith("/api/")]
    assert not re.search("https?:", "".join([page, *own]))
    assert 'layout: "BaseLayout"' in "".join(own)  # the other one has a badge that asks a validator elsewhere


def fetch(address: str) -> str:
    answer = Browser().get(address)
    assert answer.status_code == 200
    content: bytes = answer.content
    return content.decode()


def test_what_it_loads_is_there() -> None:
    addresses = re.findall(r"/static/[^\"']+", fetch("/api/v1/docs/"))
    assert len(addresses) >= 3
    for address in addresses:
        assert b"".join(Browser().get(address).streaming_content), address  # type: ignore[attr-defined] # a file's answer
