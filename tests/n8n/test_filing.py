"""A receipt becomes a page in Notion, with its picture and what was read of it."""

import hashlib
from typing import Any

import pytest

from jobs.serializers import MAX_DATA_CHARACTERS
from receipts.sample import draw_receipt
from tests.factories import SMALL
from tests.support.installation import Installation, wait_for

from .conftest import REAL_N8N, OnAir, Scene, end_of
from .deliveries import deliver, deliver_as_form, payload
from .notion import Fate, text_of
from .openai import read_by_model
from .server import EXECUTION_SECONDS
from .workflows import PLAIN, READING

pytestmark = REAL_N8N


def test_without_ai_the_picture_is_filed_under_its_name(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    job = scene.file(201, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])
    assert job["result_message"] == "Filed."
    assert text_of(page, "Name") == "receipt.jpg"
    assert text_of(page, "Job ID") == job["job_id"]
    assert _picture(scene, page) == _sha256(201)


def test_with_ai_everything_that_was_read_is_filed_and_reported(on_air: OnAir) -> None:
    scene = on_air(READING)
    database, sample = scene.notion.share(), scene.model.expect(202)
    job = scene.file(202, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])
    assert job["result"] == read_by_model(sample)
    assert text_of(page, "Name") == sample.shop
    assert page["properties"]["Total"] == {"number": sample.total / 100}
    assert page["properties"]["Tax"] == {"number": sample.vat / 100}
    assert page["properties"]["Date"] == {"date": {"start": sample.bought_on.isoformat()}}
    assert page["properties"]["Currency"] == {"select": {"name": "EUR"}}
    assert page["properties"]["Category"] == {"select": {"name": "Groceries"}}
    assert sample.items[0].name in text_of(page, "Items")
    assert _picture(scene, page) == _sha256(202)


def test_a_receipt_that_cannot_be_read_is_filed_with_what_there_is(on_air: OnAir) -> None:
    scene = on_air(READING)
    database = scene.notion.share()
    assert scene.file(203, database)["status"] == "success"
    [page] = database.pages
    assert set(page["properties"]) == {"Name", "Job ID", "Receipt"}


@pytest.mark.parametrize(
    ("number", "misread", "filed"),
    [
        (212, {"items": None}, {"Items": None}),
        (213, {"items": [{"name": None, "quantity": 1, "price": 2.5}, {"name": None}]}, {"Items": "1 2.5"}),
        (214, {"category": None}, {"Category": None}),
        (215, {"category": "Food"}, {"Category": "Food"}),
        (
            217,
            {"currency": ",", "category": " ", "items": [{"name": " "}]},
            dict.fromkeys(("Currency", "Category", "Items")),
        ),
    ],
)
def test_what_the_model_leaves_open_or_calls_otherwise_costs_no_receipt(
    on_air: OnAir, number: int, misread: dict[str, Any], filed: dict[str, str | None]
) -> None:
    scene = on_air(READING)
    database, sample = scene.notion.share(), scene.model.expect(number, **misread)
    asked = len(scene.model.pictures)
    assert scene.file(number, database)["status"] == "success"
    [page] = database.pages
    assert text_of(page, "Name") == sample.shop
    assert {name: _said(page, name) for name in filed} == filed
    assert len(scene.model.pictures) == asked + 1


def test_what_is_too_long_to_be_reported_is_filed_and_said_to_be(on_air: OnAir) -> None:
    scene = on_air(READING)
    database = scene.notion.share()
    scene.model.expect(216, vendor="x" * MAX_DATA_CHARACTERS)
    job = scene.file(216, database)
    assert (job["status"], job["result"], len(database.pages)) == ("success", {}, 1)
    assert job["result_message"] == "Filed. What was read is too long to be reported."


@pytest.mark.parametrize(("number", "said", "filed"), [(219, "12,50", {"number": 12.5}), (220, "1.234", None)])
def test_a_number_that_is_written_as_text_or_left_out_costs_no_receipt(
    on_air: OnAir, number: int, said: str, filed: dict[str, float] | None
) -> None:
    scene = on_air(READING)
    database = scene.notion.share()
    item = {"name": "Apples", "quantity": "1 kg", "price": "2.5"}
    scene.model.expect(number, total=said, items=[item], without=["tax"])
    job = scene.file(number, database)
    left_empty = "" if filed else " Left empty, being no plain number: Total."
    assert (job["status"], job["result_message"]) == ("success", f"Filed.{left_empty}")
    [page] = database.pages
    assert (page["properties"].get("Total"), "Tax" in page["properties"]) == (filed, False)
    assert text_of(page, "Items") == "1 kg Apples 2.5"


def test_a_blank_vendor_is_none(on_air: OnAir) -> None:
    scene = on_air(READING)
    database = scene.notion.share()
    scene.model.expect(218, vendor="   ")
    assert scene.file(218, database)["status"] == "success"
    assert text_of(database.pages[0], "Name") == "receipt.jpg"


@pytest.mark.parametrize(("number", "day"), [(209, "2025-06-31"), (210, "2025-02-29"), (211, "31.12.2025")])
def test_a_date_that_is_in_no_calendar_costs_nothing_but_the_date(on_air: OnAir, number: int, day: str) -> None:
    scene = on_air(READING)
    database, sample = scene.notion.share(), scene.model.expect(number, date=day)
    job = scene.file(number, database)
    [page] = database.pages
    assert (job["status"], job["result"]["date"]) == ("success", day)
    assert text_of(page, "Name") == sample.shop
    assert "Date" not in page["properties"]


def test_the_same_receipt_delivered_twice_makes_one_page(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    job = scene.file(204, database)
    again = payload(scene.service.url, job["job_id"], 204, notion_database_id=database.id)
    assert deliver(scene.webhook, again).json()["accepted"]
    wait_for(lambda: "callback_repeated" in scene.service.events(job["job_id"]), "the second report", EXECUTION_SECONDS)
    assert len(database.pages) == 1


def test_the_same_receipt_delivered_again_while_it_is_read_makes_one_page(
    on_air: OnAir, unattended: Installation
) -> None:
    scene = on_air(READING)
    database = scene.notion.share()
    job_id = unattended.upload(208, database_id=database.id).json()["job_id"]
    sent = payload(unattended.url, job_id, 208, notion_database_id=database.id)
    answered = scene.model.hold(208)
    first = deliver(scene.webhook, sent).json()["execution_id"]
    wait_for(lambda: _sha256(208) in scene.model.pictures, "the first to ask the model", EXECUTION_SECONDS)
    second = deliver(scene.webhook, sent).json()["execution_id"]
    assert scene.n8n.wait_for_end(second)["status"] == "success"
    answered.set()
    assert scene.n8n.wait_for_end(first)["status"] == "success"
    [page] = database.pages
    assert unattended.job(job_id)["notion_page_url"] == page["url"]


def test_a_page_whose_making_was_answered_by_an_error_is_found_and_not_made_again(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    scene.notion.destine("POST", "/v1/pages", Fate.LOST)
    job = scene.file(205, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])


def test_what_the_database_cannot_hold_is_left_out_and_named(on_air: OnAir) -> None:
    scene = on_air(READING, add_missing_properties=False)
    database = scene.notion.share(**{"Job ID": "rich_text", "Total": "rich_text", "Currency": "select"})
    scene.model.expect(206)
    job = scene.file(206, database)
    assert job["status"] == "success"
    assert job["result_message"].startswith("Filed without Total, Date, Tax, Category, Items, Receipt:")
    [page] = database.pages
    assert set(page["properties"]) == {"Name", "Job ID", "Currency"}
    assert [block["type"] for block in page["children"]] == ["image"]


def test_a_picture_that_comes_as_a_file_is_filed_like_one_in_base64(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    job_id = unattended.upload(207).json()["job_id"]
    sent = payload(unattended.url, job_id, 207, notion_database_id=database.id)
    assert deliver_as_form(scene.webhook, sent).json()["accepted"]
    assert end_of(unattended, job_id)["status"] == "success"
    assert _picture(scene, database.pages[0]) == _sha256(207)


@pytest.mark.parametrize("name", [PLAIN, READING])
def test_a_test_receipt_is_reported_without_ai_or_notion(on_air: OnAir, unattended: Installation, name: str) -> None:
    scene = on_air(name)
    calls, pictures = len(scene.notion.calls), len(scene.model.pictures)
    job_id = unattended.upload(len(name)).json()["job_id"]
    assert deliver(scene.webhook, payload(unattended.url, job_id, canary=True)).json()["accepted"]
    assert end_of(unattended, job_id)["result"] == {"canary": True}
    assert (len(scene.notion.calls), len(scene.model.pictures)) == (calls, pictures)


def _said(page: dict[str, Any], name: str) -> str | None:
    choice: dict[str, str] = page["properties"].get(name, {}).get("select", {})
    return text_of(page, name) or choice.get("name")


def _picture(scene: Scene, page: dict[str, Any]) -> str:
    [file] = page["properties"]["Receipt"]["files"]
    return scene.notion.uploads[file["file_upload"]["id"]].sha256


def _sha256(number: int) -> str:
    return hashlib.sha256(draw_receipt(number, size=SMALL)).hexdigest()
