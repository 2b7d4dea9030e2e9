"""In which form answers come: no request is lost for asking for one that there is not, and a problem is always JSON."""

import json
from typing import Any

import pytest
import yaml
from django.test import Client as Browser
from django.test import RequestFactory
from rest_framework.test import APIClient

from accounting.wsgi import Handler
from jobs.signatures import callback_token
from tests.factories import DATABASE_ID, JobFactory
from tests.support.uploads import UPLOAD, picture

SCHEMA, DOCS = "/api/v1/schema/", "/api/v1/docs/"


# -- what is asked for


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["json", "xml", "api", "%00", ""])
def test_no_call_is_lost_for_the_format_that_it_asks_for(form: str, api: APIClient) -> None:
    job = JobFactory.create(processing=True)
    report: Any = Browser().post(
        f"/api/v1/jobs/{job.pk}/callback?format={form}",
        {"status": "success"},
        content_type="application/json",
        headers={"X-Callback-Token": callback_token(job.pk)},
    )
    upload = api.post(f"{UPLOAD}?format={form}", {"file": picture(), "notion_database_id": DATABASE_ID})
    assert (report.status_code, report.json()["status"]) == (200, "success")
    assert (upload.status_code, upload["Content-Type"]) == (202, "application/json")
    assert api.get(f"/api/v1/jobs/?format={form}").status_code == 200


def test_the_document_comes_in_the_format_that_is_asked_for_and_else_in_its_first() -> None:
    as_json, as_yaml, as_neither = (Browser().get(SCHEMA, {"format": form}) for form in ("json", "yaml", "xml"))
    assert as_json.json()["paths"] == yaml.safe_load(as_yaml.content)["paths"]
    assert as_neither["Content-Type"] == as_yaml["Content-Type"]


# -- problems


@pytest.mark.parametrize("path", [SCHEMA, f"{SCHEMA}?format=json", DOCS])
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/vnd.oai.openapi", "application/json; indent=4"])
def test_a_problem_is_json_whatever_the_address_answers_otherwise(path: str, accept: str) -> None:
    answer: Any = Browser().post(path, headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert json.loads(answer.content)["code"] == "method_not_allowed"


# -- what is said of a body


@pytest.mark.django_db
@pytest.mark.parametrize(("letters", "is_read"), [(900, True), (1000, False), (60_000, False)])
def test_a_type_with_much_behind_it_is_none_for_to_read_it_takes_long(letters: int, is_read: bool) -> None:
    environ = RequestFactory().get("/health").environ | {"CONTENT_TYPE": "Text/Plain; x=" + "y" * letters}
    Handler()(environ, lambda *_: lambda _: None).close()
    assert environ["CONTENT_TYPE"].startswith("text/plain") == is_read
