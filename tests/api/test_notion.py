"""The id of a Notion database: three forms are taken, and nothing that only looks like them; a search takes more."""

import pytest
from rest_framework.exceptions import ValidationError

from receipts.notion import is_address, parse_sought_id
from receipts.serializers import NotionDatabaseIdField

PLAIN = "0123abcd456789abcdef0123456789ab"
DASHED = "0123abcd-4567-89ab-cdef-0123456789ab"
OTHER = "f" * 32


def parse(text: str) -> str:
    """Return the id as an upload's form takes it."""
    return str(NotionDatabaseIdField().run_validation(text))


def shorten(text: str) -> str:
    return ascii(text)[1:70]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.upper(),
        DASHED,
        DASHED.upper(),
        f"  {PLAIN}\n",
        f"https://www.notion.so/{PLAIN}",
        f"https://notion.so/{DASHED}",
        f"https://www.notion.so/acme/{PLAIN}?v={OTHER}",
        f"https://www.notion.so/acme/Receipts-of-2026-{PLAIN}?v={OTHER}&pvs=4#{OTHER}",
        f"https://www.notion.so/acme/Receipts-{DASHED}/",
        f"https://acme.notion.site/Bel%C3%A4ge-{PLAIN}",
        f"https://acme.notion.site/Beläge-{PLAIN}",
        f"https://app.notion.com/p/{PLAIN}",
        f"HTTPS://WWW.NOTION.SO/{PLAIN.upper()}",
    ],
)
def test_an_id_is_taken_in_each_form_and_kept_dashed(text: str) -> None:
    assert parse(text) == DASHED


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "receipts",
        PLAIN[:-1],
        PLAIN + "0",
        PLAIN + "-",
        PLAIN + "}",
        "g" + PLAIN[1:],
        # what Python's own UUID would take
        f"{{{DASHED}}}",
        f"urn:uuid:{DASHED}",
        DASHED.replace("-", "", 1),
        "-".join(PLAIN),
        # digits, but not of ours
        "٠" * 32,
        "０" * 32,
        "²" * 32,
        # whatever would be cut off silently
        f"{PLAIN}\x00",
        f"{PLAIN[:16]}\x00{PLAIN[16:]}",
        f"{PLAIN}\n{OTHER}",
        f"{PLAIN},{OTHER}",
        "x" * 5000,
        f"https://www.notion.so/{'x' * 5000}-{PLAIN}",
    ],
    ids=shorten,
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse(text)


@pytest.mark.parametrize(
    "address",
    [
        f"http://www.notion.so/{PLAIN}",
        f"www.notion.so/{PLAIN}",
        f"//www.notion.so/{PLAIN}",
        f"javascript://www.notion.so/{PLAIN}",
        f"https://evil.example/{PLAIN}",
        f"https://notion.so.evil.example/{PLAIN}",
        f"https://evilnotion.so/{PLAIN}",
        f"https://notion.so@evil.example/{PLAIN}",
        f"https://www.notion.so:443@evil.example/{PLAIN}",
        f"https://evil.example#www.notion.so/{PLAIN}",
        f"https://evil.example?www.notion.so/{PLAIN}",
        f"https://evil.example\\@notion.so.evil.example/{PLAIN}",
        f"https://nоtion.so/{PLAIN}",  # its first o is Cyrillic
        f"https:///{PLAIN}",
        f"https://[::1/{PLAIN}",
        f"https://[notion.so]/{PLAIN}",
        f"https://[::1]:notion.so/{PLAIN}",
        f"https://www.no\ttion.so/{PLAIN}",
        f"https://www.notion.so/a\x00b-{PLAIN}",
    ],
    ids=shorten,
)
def test_an_address_anywhere_else_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        parse(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.notion.so/",
        "https://www.notion.so/acme",
        f"https://www.notion.so/acme?v={PLAIN}",
        f"https://www.notion.so/acme#{PLAIN}",
        f"https://www.notion.so/acme?p={PLAIN}",
        f"https://www.notion.so/{PLAIN}/settings",
        f"https://www.notion.so/Receipts{PLAIN}",
        f"https://www.notion.so/0{PLAIN}",
    ],
)
def test_only_the_id_at_the_end_of_the_path_counts(address: str) -> None:
    with pytest.raises(ValidationError, match="Not a Notion database id"):
        parse(address)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        DASHED.upper(),
        f"https://www.notion.so/acme/Receipts-{PLAIN}?pvs=4#{OTHER}",
        f"https://www.notion.so/acme/{OTHER}?v={OTHER}&p={PLAIN}&pm=s",
        f"https://www.notion.so/acme/Receipts-{OTHER}?p={DASHED}",
        f"notion://www.notion.so/acme/Lunch-{PLAIN}",
        f"Notion://www.notion.so/acme/{OTHER}?p={PLAIN}",
        f"http://www.notion.so/{PLAIN}",
        f"www.notion.so/acme/Lunch-{PLAIN}?pvs=4",
        f"acme.notion.site/{PLAIN}",
        f"Lunch-{PLAIN}",
        f"Lunch-in-Rome-{DASHED}",
    ],
)
def test_what_is_sought_may_be_written_as_people_copy_it(text: str) -> None:
    assert parse_sought_id(f" {text}\n") == DASHED


@pytest.mark.parametrize(
    "text",
    [
        "lunch",
        f"Lunch{PLAIN}",
        f"Lunch-{PLAIN}.jpg",
        f"evil.example/{PLAIN}",
        f"https://evil.example/Lunch-{PLAIN}",
        f"notion://evil.example/{PLAIN}",
        f"https://www.notion.so/acme/{OTHER}?p=lunch",
        f"https://[/{PLAIN}",
    ],
)
def test_what_only_looks_like_it_is_not_sought_as_an_id(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_sought_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"https://www.notion.so/{PLAIN}", True),
        ("notion://www.notion.so/acme", True),
        ("www.notion.so", True),
        (PLAIN, False),
        ("https://[", False),
        (f"https://evil.example/?to=https://www.notion.so/{PLAIN}", False),
    ],
)
def test_an_address_of_notion_is_told_from_others(text: str, expected: bool) -> None:
    assert is_address(text) is expected
