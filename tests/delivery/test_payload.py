"""The body of a delivery in each of its forms: in pieces, its length known beforehand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings

from jobs.encodings import ENCODINGS
from jobs.payload import FRAME_BYTES, PIECE_BYTES, FileMissing, Payload, most_bytes
from jobs.signatures import is_job_token
from tests.factories import JobFactory, ReceiptFactory
from tests.support.payload_parser import Body, parse_body

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Media = Callable[[], list[Path]]


@pytest.fixture(autouse=True, params=ENCODINGS)
def form(request: pytest.FixtureRequest, settings: LazySettings) -> str:
    settings.N8N_PAYLOAD = request.param
    return str(request.param)


def payload(content: bytes = b"receipt", **fields: object) -> Payload:
    return Payload(JobFactory.create(receipt=ReceiptFactory.create(content=content), **fields))


def parsed(body: Payload) -> Body:
    return parse_body(body.content_type, b"".join(body))


@pytest.mark.parametrize("size", [1, 2, 3, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 2])
def test_the_pieces_join_up_to_a_body_of_the_length_foretold(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    body = payload(content)
    assert len(body) == sum(map(len, body))
    assert parsed(body).picture == content


def test_no_piece_is_larger_than_a_few_kilobytes() -> None:
    assert max(map(len, payload(bytes(10 * PIECE_BYTES)))) <= PIECE_BYTES * 4 // 3


def test_the_body_reads_the_same_as_often_as_it_is_asked_for() -> None:
    body = payload()
    assert list(body) == list(body)


def test_a_file_that_is_deleted_meanwhile_is_read_to_its_end(media: Media) -> None:
    body = payload()
    whole = list(body)
    for file in media():
        file.unlink()
    assert list(body) == whole


@pytest.mark.parametrize(
    "filename", ["two.suffixes.jpeg", 'quoted "twice".jpg', "back\\slash\n.jpg", "Überweisung 😀.jpg"]
)
def test_any_filename_survives(filename: str) -> None:
    body = payload(filename=filename)
    assert len(body) == len(b"".join(body))
    assert parsed(body).fields["filename"] == filename


def test_what_the_client_gave_no_name_has_one_for_workflows() -> None:
    assert parsed(payload(filename="")).fields["filename"] == "receipt.jpg"


@pytest.mark.parametrize(
    ("filename", "as_jpeg", "as_png"),
    [
        ("till.JPG", "till.JPG", "till.png"),
        ("till.jpeg", "till.jpeg", "till.png"),
        ("till.png", "till.jpg", "till.png"),
        ("IMG_1.HEIC", "IMG_1.jpg", "IMG_1.png"),
        ("scan.pdf.webp", "scan.pdf.jpg", "scan.pdf.png"),
        ("Total 12.50", "Total 12.50.jpg", "Total 12.50.png"),
        ("till", "till.jpg", "till.png"),
    ],
)
def test_its_name_ends_with_the_suffix_of_what_it_is(filename: str, as_jpeg: str, as_png: str) -> None:
    for content_type, sent_as in (("image/jpeg", as_jpeg), ("image/png", as_png)):
        receipt = ReceiptFactory.create(content_type=content_type)
        body = Payload(JobFactory.create(receipt=receipt, filename=filename))
        assert parsed(body).fields["filename"] == sent_as


def test_around_the_longest_filename_there_is_room_enough() -> None:
    body = payload(filename="😀" * 255)
    assert len(body) - len(payload(filename="")) < FRAME_BYTES // 2
    assert parsed(body).fields["filename"] == "😀" * 255 + ".jpg"


def test_what_fits_by_its_size_fits_as_it_is_sent(settings: LazySettings) -> None:
    settings.N8N_MAX_PAYLOAD_MB = 1
    body = payload(b"x" * most_bytes(), filename="😀" * 255)
    assert 0 <= 1024 * 1024 - len(body) < 2 * FRAME_BYTES


def test_the_callback_is_named_absolutely_and_its_token_opens_this_job_only(settings: LazySettings) -> None:
    settings.CALLBACK_BASE_URL = "https://receipts.example/prefix"
    job, other = JobFactory.create(), JobFactory.create()
    fields = parsed(Payload(job)).fields
    assert fields["callback_url"] == f"https://receipts.example/prefix/api/v1/jobs/{job.pk}/callback"
    assert is_job_token(job.pk, fields["callback_token"])
    assert not is_job_token(other.pk, fields["callback_token"])


# -- the file


def test_without_its_file_there_is_no_payload(media: Media) -> None:
    job = JobFactory.create()
    media()[0].unlink()
    with pytest.raises(FileMissing):
        Payload(job)


@pytest.mark.parametrize("content", [b"", b"short", b"longer than it was"])
def test_a_file_of_another_length_is_not_the_receipts(media: Media, content: bytes) -> None:
    job = JobFactory.create(receipt=ReceiptFactory.create(content=b"as it was"))
    media()[0].write_bytes(content)
    with pytest.raises(FileMissing):
        Payload(job)


def test_a_file_that_cannot_be_read_is_a_fault_before_anything_is_sent(media: Media) -> None:
    job = JobFactory.create()
    (file,) = media()
    file.unlink()
    file.mkdir()  # unreadable to every user alike
    with pytest.raises(FileMissing):
        Payload(job)
