"""The name that a client gave its file: kept with all its letters, whatever door it came through, and found by."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import RequestFactory
from rest_framework.test import APIClient

from accounting.filenames import display_name
from accounting.wsgi import Request
from jobs.models import JobLog
from tests.factories import JobFactory
from tests.support.admin_uploads import UPLOAD
from tests.support.staff import browser_of, member
from tests.support.uploads import MULTIPART, file_part, form, post_raw

NAMES = [
    ("new ideograph \U000323b0.jpg", None),  # Unicode 17.0, which no Python of ours knows
    ("own font \ue000.jpg", None),
    ("فاکتور می\u200cشود.jpg", None),  # Persian
    ("ශ්\u200dරී.jpg", None),  # Sinhala
    ("family \U0001f468\u200d\U0001f469\u200d\U0001f467.jpg", None),
    ("Screenshot at 9.41\u202fAM.png", None),  # as macOS writes it
    ("領収書\u3000三月.png", None),
    ("R&amp;D.jpg", None),
    ("100%25 %20 %0d.jpg", None),
    ('say "cheese".jpg', None),
    ("two\r\nlines.jpg", "twolines.jpg"),
    ("para\u2029graph\u2028.jpg", "paragraph.jpg"),
    ("gpj\u202e\u2066\u200b\ufeff\u00ad.jpg", "gpj.jpg"),
    (r"C:\scans\till.jpg", "till.jpg"),
    ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
    (" " * 10 + "x" * 300 + ".jpg", "x" * 241 + ".jpg"),
]
every_name = pytest.mark.parametrize(("name", "shown"), NAMES, ids=lambda name: ascii(name)[1:30])


def sent(name: str) -> bytes:
    """Return an upload's form as browsers and curl write it (https://html.spec.whatwg.org/#multipart-form-data)."""
    escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    return form(file_part(b'filename="' + escaped.encode() + b'"'))


@pytest.mark.django_db
@every_name
def test_an_upload_keeps_the_name_that_its_client_has_for_it_and_is_found_by_it(
    name: str, shown: str | None, api: APIClient
) -> None:
    assert post_raw(api, sent(name)).status_code == 202
    JobFactory.create(receipt=JobLog.objects.get().receipt, filename="other.jpg")
    for asked in (name, shown or name):
        found = api.get("/api/v1/jobs/", {"filename": asked}).json()["results"]
        assert [job["filename"] for job in found] == [shown or name]


@pytest.mark.django_db
@every_name
def test_the_admins_upload_keeps_it_too(name: str, shown: str | None) -> None:
    answer: Any = browser_of(member("Operator")).post(UPLOAD, sent(name), content_type=MULTIPART)
    assert answer.status_code == 202
    assert JobLog.objects.get().filename == (shown or name)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["a." + "x" * 253, "a." + "\U0001f9fe" * 200, "a." + "x" * 600])
def test_a_suffix_of_any_length_hinders_no_file_that_waits_on_the_disk(
    name: str, api: APIClient, settings: LazySettings
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    assert post_raw(api, sent(name)).status_code == 202
    answer: Any = browser_of(member("Operator")).post(UPLOAD, sent(name), content_type=MULTIPART)
    assert answer.status_code == 202
    assert set(JobLog.objects.values_list("filename", flat=True)) == {display_name(name)}


@pytest.mark.parametrize("name", ["\U000323b0\u200c.jpg", "a\u3000b.jpg"])
def test_so_does_the_page_without_script(name: str) -> None:
    environ = RequestFactory().post("/", sent(name), content_type=MULTIPART).environ
    file: Any = Request(environ | {"wsgi.input": io.BytesIO(sent(name))}).FILES["file"]
    assert file.name == name


@pytest.mark.parametrize(("semicolons", "there"), [(40, True), (900, False)])
def test_a_part_whose_head_has_no_end_of_parameters_is_passed_over(semicolons: int, there: bool) -> None:
    body = sent("lunch.jpg" + ";" * semicolons)
    environ = RequestFactory().post("/", body, content_type=MULTIPART).environ
    assert ("file" in Request(environ | {"wsgi.input": io.BytesIO(body)}).FILES) is there


@pytest.mark.django_db
def test_who_asks_for_a_name_of_nothing_is_not_shown_all(api: APIClient) -> None:
    post_raw(api, sent("lunch.jpg"))
    assert api.get("/api/v1/jobs/", {"filename": "scans/"}).json()["results"] == []
    assert len(api.get("/api/v1/jobs/", {"filename": ""}).json()["results"]) == 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("receipt.jpg", "receipt.jpg"),
        ("Beläge März 2026.jpg", "Beläge März 2026.jpg"),
        ("領収書.png", "領収書.png"),
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("tab\there\x07\x1b[31m.jpg", "tabhere[31m.jpg"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("zero\u200bwidth\ufeff.jpg", "zerowidth.jpg"),
        ("<script>alert(1)<_script>.jpg", "<script>alert(1)<_script>.jpg"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        (" ", ""),
    ],
    ids=lambda value: ascii(value)[1:40],
)
def test_a_files_name_is_for_display_only(
    sent: str, shown: str, api: APIClient, media: Callable[[], list[Path]]
) -> None:
    disposition = b'filename="' + sent.replace("\\", "\\\\").encode() + b'"'
    assert post_raw(api, form(file_part(disposition))).status_code == 202
    assert JobLog.objects.get().filename == shown
    (kept,) = media()
    assert re.fullmatch(r"[0-9a-f]{32}\.jpg", kept.name)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("=?utf-8?B?TcOkcnovQXByaWwuanBn?=", "April.jpg"),  # März/April.jpg: what is before the slash is a folder
        ("=?UTF-8?Q?Gr=C3=B6=C3=9Fe_1.jpg?=", "Größe 1.jpg"),
        ("=?utf-8?b?5p2x?= =?utf-8?b?5LqsLmpwZw==?=", "東京.jpg"),
        ("=?iso-8859-1?q?M=E4rz.jpg?=", "März.jpg"),
        ("=?utf-8?B?Li4=?=", None),
        ("=?utf-8?B?AGEuanBn?=", "a.jpg"),
        ("=?no-such-set?B?YQ==?=", "=?no-such-set?B?YQ==?="),
        ("=?utf-8?B?/w==?=", "w==?="),  # no UTF-8: as it came, without what looks like a folder
        ("=?utf-8?B?a?=", "=?utf-8?B?a?="),
        ("what =?utf-8?B?YQ==?= is.jpg", "what =?utf-8?B?YQ==?= is.jpg"),
    ],
    ids=ascii,
)
def test_a_name_in_encoded_words_is_read(sent: str, kept: str | None, api: APIClient) -> None:
    assert post_raw(api, form(file_part(f'filename="{sent}"'.encode()))).status_code == (202 if kept else 400)
    assert [job.filename for job in JobLog.objects.all()] == [kept][: bool(kept)]


def test_a_name_in_the_extended_notation_is_read(api: APIClient) -> None:
    assert post_raw(api, form(file_part(b"filename*=UTF-8''M%C3%A4rz.jpg"))).status_code == 202
    assert JobLog.objects.get().filename == "März.jpg"
