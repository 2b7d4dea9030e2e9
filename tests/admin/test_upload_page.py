"""The page for uploads from the admin: made for phones too, and whole without its script, each file with its result."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from jobs.admin.upload import LATELY, databases_of_late
from jobs.models import JobLog
from receipts.models import Client
from receipts.notion import NO_DATABASE_ID
from tests.factories import DATABASE_ID, JobFactory
from tests.support.admin_uploads import PAGE, send
from tests.support.staff import browser_of, member, words_of
from tests.support.uploads import picture

pytestmark = pytest.mark.django_db

OTHER_DATABASE = "f" * 32


@pytest.fixture
def operator() -> Browser:
    """Return the browser of somebody who may upload."""
    return browser_of(member("Operator"))


class Fields(HTMLParser):
    """Collects the fields of a page's forms."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        if tag == "input":
            self.found.append(dict(attrs))


# -- the page


def test_the_page_is_found_from_the_index_and_from_the_list(operator: Browser) -> None:
    for address in ("/admin/", "/admin/jobs/joblog/"):
        assert f'href="{PAGE}"' in operator.get(address).content.decode()


def test_phones_are_asked_for_pictures_and_for_their_camera(operator: Browser) -> None:
    files = [field for field in Fields(operator.get(PAGE).content.decode()).found if field.get("type") == "file"]
    many, camera = files
    # with `capture` a phone offers nothing but its camera (W3C, HTML Media Capture), so that is a field of its own
    assert "multiple" in many
    assert "capture" not in many
    assert {"image/jpeg", "image/heic", ".heic", "application/pdf"} < set(str(many["accept"]).split(","))
    assert (camera["capture"], camera["accept"]) == ("environment", "image/*")


def test_the_databases_used_lately_are_offered_the_latest_first(operator: Browser) -> None:
    one, two = (f"{letter * 8}-4567-89ab-cdef-0123456789ab" for letter in "ab")
    for database in (one, two, one, two, two, one):
        JobFactory.create(notion_database_id=database)
    assert [(database.pk, database.number) for database in databases_of_late()] == [(one, 3), (two, 3)]
    radios = [field for field in Fields(operator.get(PAGE).content.decode()).found if field.get("type") == "radio"]
    assert [(field["value"], "checked" in field) for field in radios] == [(one, True), (two, False)]


def test_each_database_comes_with_the_clients_that_use_it_the_latest_first(operator: Browser) -> None:
    shops = [Client.objects.create(name=name) for name in ("Attic", "Bakery", "Café & Co", "Deli")]
    for number, database in ((0, "a"), (1, "a"), (1, "a"), (1, "b"), (2, "b"), (3, "b"), (0, "b")):
        JobFactory.create(client=shops[number], notion_database_id=database * 36)
    assert [database.clients for database in databases_of_late()] == [
        ["Attic", "Deli", "Café & Co", "Bakery"],
        ["Bakery", "Attic"],
    ]
    text = words_of(operator.get(PAGE))
    assert "4 receipts lately, from Attic, Deli, Café & Co and others" in text
    assert "3 receipts lately, from Bakery, Attic " in text


def test_the_databases_are_found_without_reading_all_jobs(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as queries:
        databases_of_late()
    assert f"LIMIT {LATELY}" in queries[0]["sql"]


# -- without script


def test_several_files_in_one_form_each_have_a_result(operator: Browser) -> None:
    send(operator, 1)
    files = [picture(1, name="again.jpg"), picture(2, name="new.jpg"), SimpleUploadedFile("notes.txt", b"no receipt")]
    answer = operator.post(PAGE, {"file": files, "notion_database_id": DATABASE_ID})
    results = [(each.name, each.submission and each.submission.created) for each in answer.context["outcomes"]]
    assert results == [("again.jpg", False), ("new.jpg", True), ("notes.txt", None)]
    text = answer.content.decode()
    for part in ("Already there", "Taken in", "of no known format"):
        assert part in text
    assert JobLog.objects.count() == 2
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize(
    "written",
    [
        OTHER_DATABASE,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        f"https://www.notion.so/acme/Receipts-{OTHER_DATABASE}?v=1",
    ],
)
def test_a_database_that_is_written_counts_before_one_that_is_chosen(operator: Browser, written: str) -> None:
    operator.post(PAGE, {"file": picture(), "notion_database_id": DATABASE_ID, "other_database": written})
    assert JobLog.objects.get().notion_database_id == "ffffffff-ffff-ffff-ffff-ffffffffffff"


def test_a_form_without_a_file_or_without_a_database_says_so(operator: Browser) -> None:
    assert "Choose at least one file." in operator.post(PAGE, {}).content.decode()
    (outcome,) = operator.post(PAGE, {"file": picture()}).context["outcomes"]
    assert outcome.refusal == NO_DATABASE_ID
    assert not Client.objects.filter(jobs__isnull=False).exists()


def fields_of(html: str) -> dict[str, dict[str, str | None]]:
    """Return the upload form's fields by their names; of several the one that is ticked."""
    fields: dict[str, dict[str, str | None]] = {}
    for field in Fields(html).found:
        name = field.get("name") or ""
        if name not in fields or "checked" in field:
            fields[name] = field
    return fields


def test_a_form_that_is_sent_again_by_loading_the_page_again_files_nothing_twice(operator: Browser) -> None:
    form_key = fields_of(operator.get(PAGE).content.decode())["form_key"]["value"]
    for _ in range(2):
        form = {"file": [picture(1), picture(2)], "notion_database_id": DATABASE_ID, "form_key": form_key}
        operator.post(PAGE, form | {"allow_duplicate": "on"})
    assert JobLog.objects.count() == 2


@pytest.mark.parametrize("form_key", ["", "no key"])
def test_a_form_without_a_key_is_nobodys_form_sent_again(operator: Browser, form_key: str) -> None:
    for number in (1, 2):
        operator.post(PAGE, {"file": picture(number), "notion_database_id": DATABASE_ID, "form_key": form_key})
    assert JobLog.objects.count() == 2


def test_a_refused_form_is_shown_as_it_was_sent(operator: Browser) -> None:
    JobFactory.create()
    form = {"file": picture(), "other_database": "not a database", "allow_duplicate": "on"}
    fields = fields_of(operator.post(PAGE, form).content.decode())
    assert fields["other_database"]["value"] == "not a database"
    assert "checked" in fields["allow_duplicate"]
    JobFactory.create(notion_database_id=OTHER_DATABASE)
    fields = fields_of(operator.post(PAGE, {"notion_database_id": DATABASE_ID}).content.decode())
    assert fields["notion_database_id"]["value"] == DATABASE_ID


def test_too_many_files_in_one_go_are_told_how_many_may_be(operator: Browser) -> None:
    files = [picture(number) for number in range(11)]
    answer = operator.post(PAGE, {"file": files, "notion_database_id": DATABASE_ID})
    assert answer.status_code == 400
    assert "No more than 10 files can be sent in one go" in answer.content.decode()
