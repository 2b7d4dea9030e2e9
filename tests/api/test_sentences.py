"""What is said to somebody who holds the API wrongly: each time what to do instead."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.support.servers import SETTINGS
from tests.support.uploads import UPLOAD, picture, post

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
RECEIPTS = "/api/v1/receipts/"
NOBODYS = "0f0e0d0c-0b0a-4908-8706-050403020100"
TOKEN = {"X-Callback-Token": SETTINGS["CALLBACK_SECRET_TOKEN"].partition(",")[0]}


def told(answer: Any) -> tuple[int, str, str]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem["detail"]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        (f"{JOBS}{NOBODYS}/", "job"),
        (f"{RECEIPTS}{NOBODYS}/", "receipt"),
        (f"{RECEIPTS}{NOBODYS}/file", "receipt"),
        (f"{RECEIPTS}{NOBODYS}/rendition", "receipt"),
    ],
)
def test_of_an_id_that_is_not_known_it_is_said_that_the_id_is_not(address: str, what: str, api: APIClient) -> None:
    assert told(api.get(address)) == (404, "not_found", f"You have no {what} with this id.")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("status=success,failure", "status: Send one of queued, sending, processing, success, failure."),
        ("failure_code=nope", "failure_code: There is no such code; the API's document lists them."),
        (
            "created_after=2026-01-31T08:00:00+01:00",
            "created_after: Send a moment as 2026-01-31T08:00:00Z, or with an offset, its plus as %2B: "
            "2026-01-31T08:00:00%2B01:00.",
        ),
        ("status=success&status=failure", "status: Send it once."),
    ],
)
def test_a_filter_that_means_nothing_says_what_would(query: str, sentence: str, api: APIClient) -> None:
    assert told(api.get(f"{JOBS}?{query}")) == (400, "invalid", sentence)


def test_the_moment_that_is_advised_is_taken(api: APIClient) -> None:
    assert api.get(f"{JOBS}?created_after=2026-01-31T08:00:00%2B01:00&created_before=2026-02-01").status_code == 200


def test_a_damaged_cursor_says_where_a_whole_one_is(api: APIClient) -> None:
    sentence = "The cursor is damaged; take it as it is from `next` or `previous`, or begin without one."
    assert told(api.get(f"{JOBS}?cursor=zzz")) == (404, "not_found", sentence)


@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", ""])
def test_an_upload_that_is_no_form_says_what_is_wanted(content_type: str, api: APIClient) -> None:
    sentence = "Send the body as multipart/form-data, and with that Content-Type."
    answer = api.generic("POST", UPLOAD, "x", content_type=content_type)
    assert told(answer) == (415, "unsupported_media_type", sentence)


def test_a_report_that_is_no_json_says_so_too(api: APIClient) -> None:
    sentence = "Send the body as application/json, and with that Content-Type."
    answer = api.generic("POST", f"{JOBS}callback", "a=b", "application/x-www-form-urlencoded", headers=TOKEN)
    assert told(answer) == (415, "unsupported_media_type", sentence)


def test_a_form_without_its_boundary_says_who_should_write_it(api: APIClient) -> None:
    status, code, sentence = told(api.generic("POST", UPLOAD, "x", content_type="multipart/form-data"))
    assert (status, code) == (400, "parse_error")
    assert sentence.startswith("The form cannot be read: Invalid boundary")
    assert sentence.endswith("Let your HTTP library write the body and its Content-Type.")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"notion_database_id": None}, "Send the Notion database: 32 hex digits, a dashed UUID, or its address."),
        ({"allow_duplicate": "maybe"}, "Send true or false."),
    ],
)
def test_a_field_says_what_belongs_into_it(form: dict[str, Any], sentence: str, api: APIClient) -> None:
    assert told(post(api, **form)) == (400, "invalid", f"{next(iter(form))}: {sentence}")


@pytest.mark.parametrize(
    ("method", "address", "taken"),
    [("GET", UPLOAD, "POST"), ("GET", RECEIPTS, "POST"), ("DELETE", f"{JOBS}{NOBODYS}/", "GET"), ("PUT", JOBS, "GET")],
)
def test_a_method_that_an_address_does_not_take_says_which_it_does(
    method: str, address: str, taken: str, api: APIClient
) -> None:
    assert told(api.generic(method, address)) == (405, "method_not_allowed", f"This address takes {taken} only.")


def test_who_asks_under_another_name_is_told_that_it_is_the_name(api: APIClient) -> None:
    sentence = "Nothing is served under the request's Host; use the address that you were given."
    assert told(api.get(JOBS, headers={"Host": "10.1.2.3:8000"})) == (400, "bad_request", sentence)


def test_a_text_that_is_sent_as_a_file_is_said_to_be_one(api: APIClient) -> None:
    sentence = "Send one receipt per request, as the part `file`; the other parts are text, without file names."
    assert told(post(api, notion_database_id=picture(2))) == (400, "too_many_files", sentence)


@pytest.mark.parametrize("address", ["/api/v1/", "/api/v2/jobs/", f"{JOBS}no-id/"])
def test_an_address_that_there_is_none_of_leads_to_those_that_there_are(address: str, api: APIClient) -> None:
    sentence = "There is nothing at this address; /api/v1/docs/ lists those that there are."
    assert told(api.get(address)) == (404, "not_found", sentence)
