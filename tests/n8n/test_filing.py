"""A receipt becomes a page in Notion, with its picture and what was read of it."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from receipts.sample import draw_receipt
from tests.factories import SMALL

from .conftest import Scene
from .deliveries import deliver, payload
from .notion import Database, text_of
from .openai import read_by_model
from .workflows import PLAIN, READING, workflow_id

pytestmark = [pytest.mark.n8n, pytest.mark.processes]


def test_without_ai_the_picture_is_filed_under_its_name(on_air: Callable[[str], Scene]) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    job = _file(scene, 201, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])
    assert job["result_message"] == "Filed."
    assert text_of(page, "Name") == "receipt.jpg"
    assert text_of(page, "Job ID") == job["job_id"]
    assert _picture(scene, page) == _sha256(201)


def test_with_ai_everything_that_was_read_is_filed_and_reported(on_air: Callable[[str], Scene]) -> None:
    scene = on_air(READING)
    database, sample = scene.notion.share(), scene.model.expect(202)
    job = _file(scene, 202, database)
    [page] = database.pages
    assert (job["status"], job["notion_page_url"]) == ("success", page["url"])
    assert job["result"] == read_by_model(sample)
    assert text_of(page, "Name") == sample.shop
    assert page["properties"]["Total"] == {"number": sample.total / 100}
    assert page["properties"]["Tax"] == {"number": sample.vat / 100}
    assert page["properties"]["Date"] == {"date": {"start": sample.bought_on.isoformat()}}
    assert page["properties"]["Currency"] == {"select": {"name": "EUR"}}
    assert sample.items[0].name in text_of(page, "Items")
    assert _picture(scene, page) == _sha256(202)


def _file(scene: Scene, number: int, database: Database) -> dict[str, Any]:
    """Upload a receipt and return its job once it has ended."""
    answer = scene.service.upload(number, database_id=database.id)
    return scene.service.wait_for_status(answer.json()["job_id"], "success", "failure")


def _picture(scene: Scene, page: dict[str, Any]) -> str:
    [file] = page["properties"]["Receipt"]["files"]
    return scene.notion.uploads[file["file_upload"]["id"]].sha256


def _sha256(number: int) -> str:
    return hashlib.sha256(draw_receipt(number, size=SMALL)).hexdigest()
